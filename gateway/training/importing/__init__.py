"""Recordings of other formats into runs of a dataset. One file a format here: `<format>.py` offers
`pieces(source, wanted)`, and is found by its name.
"""

from __future__ import annotations

import gzip
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from csv import DictReader
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gateway.training.dataset import Channel, ContextChannel, Label, Run, Writer, fitting_per_unit
from gateway.training.dataset.manifest import SAMPLES_MIN, faults_of

NORMAL, FAULT = "normal", "fault"
"""Labels of rows that a recording marks with 0 and with another number."""

_SAMPLED_HZ = 10.0
_CHANNELS = 9
_DELIMITERS = ",;\t|"
_LEARN_SAMPLED_S, _LEARN_SLOW_S = 240.0, 7 * 86_400.0  # windows of a second; rooms and processes know days and weeks


class ImportRefused(ValueError):  # noqa: N818 - says what the recording is
    """A recording that cannot be taken over; `file` and `reason`, with the row, say why."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


@dataclass(frozen=True)
class Wanted:
    """What the person knows about a recording, and the recording does not say. Each format uses what it needs.

    `channels`: columns, or numbers of a sound's channels from 1 (default: all); `units`: one for all, or one each;
    `per_unit`: 16-bit steps per unit (default: as fits the values); `kind`: default "samples" from 10 Hz on;
    `commission_s`: default a quarter of the run, at most 240 s of samples or a week; `gap_s`: a longer pause is a break
    (default: ten rows); `normal`: labels that are no faults; `labels`: a file of intervals; `whole`: the label of the
    whole recording; `hour`: the time of day is a context; `counters`: channels that are meters (manifest.Channel);
    `clips`: at most so many of each label; `time_unit`: s, ms, us, iso, clock (HH:MM:SS), or the form of a date as
    `strptime` takes it; `skip_incomplete`: leave out rows in which a number is missing.
    """

    node: str = ""
    asset: str = ""
    sensor: str = ""
    session: str = ""
    kind: Literal["samples", "values"] | None = None
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    per_unit: float | None = None
    rate_hz: float | None = None
    context: tuple[str, ...] = ()
    hour: bool = False
    counters: tuple[str, ...] = ()
    time: str | None = None
    time_unit: str = "s"
    label: str | None = None
    normal: tuple[str, ...] = (NORMAL,)
    labels: Path | None = None
    whole: str = ""
    commission_s: float | None = None
    gap_s: float | None = None
    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8-sig"
    skip_incomplete: bool = False
    array: str | None = None
    clips: int | None = None


@dataclass(frozen=True)
class Piece:
    """A run, and its arrays as `Writer.add` takes them."""

    run: Run
    values: NDArray[Any]
    at_s: NDArray[np.float64] | None = None
    context: NDArray[Any] | None = None


class Format(Protocol):
    """What a file here is."""

    def pieces(self, source: Path, wanted: Wanted) -> Iterator[Piece]:
        """The runs of a file or a folder. Raises ImportRefused, which names file and row."""
        ...


def formats() -> tuple[str, ...]:
    """The names of those that are there."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def take_over(form: str, sources: Sequence[Path], wanted: Wanted, out: Writer) -> Iterator[Run]:
    """Add the sources to a dataset, and say each run that was. Of the runs of a node in a session the first is learnt
    from; the others go on from it. Raises ImportRefused, DatasetBroken.
    """
    module = cast(Format, importlib.import_module(f"{__name__}.{form}"))
    taken: set[str] = set()
    for source in sources:
        for piece in module.pieces(source, wanted):
            _must_move(source, piece)
            run = _called_differently(piece.run, source, wanted) if piece.run.file in taken else piece.run
            run = _going_on(run, out.runs, wanted)
            added = out.add(run, piece.values, at_s=piece.at_s, context=piece.context)
            again = [r.name for r in out.runs if r.sha256 == added.sha256 and r.file != added.file]
            if run.file != piece.run.file and again:
                (out.folder / added.file).unlink()
                raise ImportRefused(source, f"run {again[0]} is the same recording")
            taken.add(added.file)
            yield added


def _called_differently(run: Run, source: Path, wanted: Wanted) -> Run:
    """A file that is called as one of another folder has that folder's name before its own; it is no run of the same
    session, unless the person says so.
    """
    name = _plain(f"{source.resolve().parent.name}-{run.name}")
    return named(run.model_copy(update={} if wanted.session else {"session": name[:64]}), name)


def _going_on(run: Run, before: Sequence[Run], wanted: Wanted) -> Run:
    """A run as those before it make it: learnt from once a session, and one scale for all that a channel measured."""
    changes: dict[str, Any] = {}
    same = [r for r in before if (r.node, r.kind) == (run.node, run.kind)]
    if wanted.commission_s is None and any(r.session == run.session for r in same):
        changes["commission_s"] = 0.0
    units = [(c.name, c.unit) for c in run.channels]
    scales = [r.channels for r in same if [(c.name, c.unit) for c in r.channels] == units]
    if wanted.per_unit is None and scales:
        changes["channels"] = scales[0]
    return run.model_copy(update=changes)


def kind_of(wanted: Wanted, rate_hz: float) -> Literal["samples", "values"]:
    """What rows at such a rate are, where the person does not say."""
    return wanted.kind or ("samples" if rate_hz >= _SAMPLED_HZ else "values")


def make_run(file: Path, wanted: Wanted, values: NDArray[Any], channels: Sequence[str], **about: Any) -> Run:
    """The run of `values` [n, channels] that came from `file`; `about`: rate_hz, and what else its format knows.

    Raises ImportRefused where that makes no sense.
    """
    rate_hz: float = about["rate_hz"]
    kind = kind_of(wanted, rate_hz)
    units = wanted.units * len(channels) if len(wanted.units) == 1 else wanted.units or ("",) * len(channels)
    if len(units) != len(channels):
        raise ImportRefused(file, f"{len(units)} units for {len(channels)} channels")
    per_unit = wanted.per_unit or (1.0 if values.dtype == np.int16 else fitting_per_unit(values))
    if kind == "samples" and len(channels) > _CHANNELS:
        raise ImportRefused(
            file, f"{len(channels)} channels of samples, where a node has {_CHANNELS}: --channels, or --kind values"
        )
    stem = _plain(file.name.split(".")[0])
    most_s = _LEARN_SAMPLED_S if kind == "samples" else _LEARN_SLOW_S
    fields: dict[str, Any] = {
        "file": f"{stem}.npz",
        "node": wanted.node or stem,
        "asset": wanted.asset or wanted.node or stem,
        "sensor": wanted.sensor,
        "session": wanted.session or stem,
        "kind": kind,
        "commission_s": min(most_s, len(values) / rate_hz / 4) if wanted.commission_s is None else wanted.commission_s,
    }
    scale = per_unit if kind == "samples" else None
    try:
        fields["context"] = tuple(ContextChannel(name=name) for name in wanted.context)
        fields["channels"] = tuple(
            Channel(name=n, unit=u, per_unit=scale, counter=n in wanted.counters)
            for n, u in zip(channels, units, strict=True)
        )
        return Run(**(fields | about))
    except ValidationError as error:
        raise ImportRefused(file, faults_of(error)) from error


def _must_move(source: Path, piece: Piece) -> None:
    """Raises ImportRefused for samples of which nothing could be judged."""
    run, values = piece.run, piece.values
    if run.kind != "samples" or len(values) < SAMPLES_MIN or source.is_dir():
        return
    if still := [c.name for c, spread in zip(run.channels, np.ptp(values, axis=0), strict=True) if not spread]:
        why = "never changes, as of a sensor that is stuck: --channels leaves it out"
        raise ImportRefused(source, f"channel {', '.join(still)} {why}")


def _plain(text: str) -> str:
    """As a name of a run may be."""
    return re.sub(r"[^A-Za-z0-9_@+-]", "_", text)[:120] or "run"


def labels_wanted(source: Path, wanted: Wanted, begin_s: float, end_s: float) -> tuple[Label, ...]:
    """The labels that do not come out of the recording itself, which lasts from `begin_s` to `end_s`.

    Raises ImportRefused, also where a file has labels and all are of another time.
    """
    if wanted.labels is not None:
        found = labels_of_file(wanted.labels, source, wanted.normal)
        if found and all(label.end_s <= begin_s or label.start_s >= end_s for label in found):
            told = f"{found[0].start_s:.15g} to {found[-1].end_s:.15g} s"
            raise ImportRefused(
                wanted.labels, f"its labels are at {told}, and {source.name} is from {begin_s:.15g} to {end_s:.15g} s"
            )
        return found
    if wanted.whole:
        try:
            return (Label(start_s=begin_s, end_s=end_s, label=wanted.whole, fault=wanted.whole not in wanted.normal),)
        except ValidationError as error:
            raise ImportRefused(source, faults_of(error)) from error
    return ()


def labels_of_rows(
    at_s: NDArray[np.float64], names: Sequence[str], row_s: float, normal: Iterable[str] = (NORMAL,)
) -> tuple[Label, ...]:
    """What each row was, as stretches; "" is unlabelled, and all that is not in `normal` is a fault."""
    healthy = set(normal)
    edges = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(names)) if a != b), len(names)]
    ends = np.append(at_s, at_s[-1] + row_s)
    return tuple(
        Label(start_s=float(at_s[a]), end_s=float(ends[b]), label=names[a], fault=names[a] not in healthy)
        for a, b in pairwise(edges)
        if names[a] and ends[b] > at_s[a]
    )


def labels_of_file(file: Path, source: Path, normal: Iterable[str] = (NORMAL,)) -> tuple[Label, ...]:
    """Intervals from a CSV with the columns start_s, end_s, label, and, if wanted, fault (0 or 1) and file (the name of
    the recording that a row is about). Times are seconds in the recording's own time, or ISO 8601.

    Raises ImportRefused, with the line.
    """
    healthy = set(normal)
    found = []
    with opened(file) as lines:
        first = lines.readline()
        lines.seek(0)
        reader = DictReader(lines, delimiter=delimiter_of(first))
        if missing := {"start_s", "end_s", "label"} - set(reader.fieldnames or ()):
            raise ImportRefused(file, f"line 1: no column {', '.join(sorted(missing))}")
        for row in reader:
            if row.get("file") not in (None, "", source.name, source.name.split(".")[0]):
                continue
            try:
                name, told = row["label"].strip(), (row.get("fault") or "").strip()
                if told not in ("", "0", "1"):
                    raise ValueError(f"fault is {told!r}, not 0 or 1")
                fault = told == "1" if told else name not in healthy
                found.append(Label(start_s=_time(row["start_s"]), end_s=_time(row["end_s"]), label=name, fault=fault))
            except ValidationError as error:
                raise ImportRefused(file, f"line {reader.line_num}: {faults_of(error)}") from error
            except (ValueError, AttributeError, TypeError) as error:
                raise ImportRefused(file, f"line {reader.line_num}: {error}") from error
    return tuple(sorted(found, key=lambda label: label.start_s))


def delimiter_of(header: str) -> str:
    """Of the signs that may part cells, the one that is most in this line."""
    return max(_DELIMITERS, key=header.count)


def opened(file: Path, encoding: str = "utf-8-sig") -> TextIO:
    """A text file, or one that is compressed with gzip. Raises ImportRefused."""
    try:
        if file.suffix == ".gz":
            return cast(TextIO, gzip.open(file, "rt", newline="", encoding=encoding))
        return file.open(newline="", encoding=encoding)
    except LookupError as error:
        raise ImportRefused(file, f"no encoding is called {encoding!r}") from error
    except OSError as error:
        raise ImportRefused(file, f"cannot be read: {error.strerror or error}") from error


def iso_seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time; without a zone it is UTC. ValueError."""
    told = datetime.fromisoformat(text.strip())
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def named(run: Run, name: str) -> Run:
    """The same run by another name."""
    return run.model_copy(update={"file": f"{name}.npz"})


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return iso_seconds(text)
