"""From the journal to a dataset: windows that nodes have sent, raw (collection mode) or as features.

A raw window comes in parts (nodes/wire/SPEC.md, "Collection"), each a report of its own; it is used when all are there.
What is never completed is counted by name: a node keeps back the rest of a window when the gateway falls silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.core.entry import EntryBroken, EntryKind, Report, decode
from gateway.detectors import feature_sets
from gateway.store.reader import Reader
from gateway.training.dataset import Channel, Label, Run, Writer
from gateway.wire import age
from gateway.wire.messages import Birth, Flag, Sampled, Window

AT_ONCE = 1000  # entries
CHANNELS = ("x", "y", "z")
MAX_CHANNELS = 9  # nodes/wire/wire.cddl


@dataclass(frozen=True, slots=True)
class Piece:
    """What one window gives: `rows` [n, columns], the last of them at `end_s` (Unix s), `rate_hz` rows a second.

    `feature_set` is None of raw samples.
    """

    rows: NDArray[Any]
    end_s: float
    rate_hz: float
    feature_set: int | None = None


@dataclass(slots=True)
class Collected:
    """What came of one node. `channels` and `samples` are those of its windows; 0 until a message has told."""

    pieces: list[Piece] = field(default_factory=list)
    channels: int = 0
    samples: int = 0
    hardware: str = ""
    _number: int | None = None
    _parts: dict[int, Sampled] = field(default_factory=dict)

    def take(self, report: Report, *, raw: bool, lost: Counter[str]) -> None:
        """One report of this node, in the order of the journal."""
        message = report.message
        match message:
            case Birth():
                self.hardware, self.channels = message.hardware, message.channels
                self.samples = message.more.samples if message.more else self.samples
            case Sampled() if raw:
                self._part(message, report.received_ms, lost)
            case Flag() | Window() if not raw and message.features is not None:
                rows = np.array([message.features.values], np.int32)
                self.channels = _channels(message.features.feature_set, rows.shape[1])
                end_s = (report.received_ms - age.decode(message.age)) / 1000
                self.pieces.append(Piece(rows, end_s, 1.0, message.features.feature_set))
            case _:
                pass

    def _part(self, part: Sampled, received_ms: int, lost: Counter[str]) -> None:
        if part.window_number != self._number:
            lost["window_incomplete"] += bool(self._parts)
            self._number, self._parts = part.window_number, {}
        self._parts[part.part] = part
        if len(self._parts) < part.parts:
            return
        data = b"".join(self._parts[i].data for i in sorted(self._parts))
        self._parts = {}
        if len(data) % (2 * part.channels) or not part.rate_millihz:
            lost["window_unusable"] += 1
            return
        rows = np.frombuffer(data, "<i2").reshape(-1, part.channels).astype(np.int16)
        self.channels, self.samples = part.channels, len(rows)
        end_s = (received_ms - age.decode(part.age)) / 1000
        self.pieces.append(Piece(rows, end_s, part.rate_millihz / 1000))


@dataclass(frozen=True, slots=True)
class About:
    """What the one who collects says of a run: see `dataset_manifest.Run`. `teaches`: a detector may learn from its
    first half.
    """

    asset: str
    session: str
    label: str = ""
    fault: bool = False
    unit: str = ""
    per_unit: float = 1.0
    teaches: bool = False


def reports(reader: Reader, after: int) -> Iterator[tuple[int, Report]]:
    """(entry, report) of everything that nodes have said above entry `after`. Broken entries are passed over."""
    while rows := reader.read(after, AT_ONCE):
        for row in rows:
            after = row.id
            if row.kind != EntryKind.REPORT:
                continue
            try:
                body = decode(row.kind, row.version, row.body)
            except EntryBroken:
                continue
            if isinstance(body, Report):
                yield row.id, body


def write(writer: Writer, node: str, collected: Collected, about: About) -> list[Run]:
    """A run for each stretch of one rate, shape and feature set; usually that is one. Raises DatasetBroken, and
    ValueError for what no run can be.
    """
    return [_write(writer, node, collected, pieces, about, i) for i, pieces in enumerate(_alike(collected.pieces))]


def _alike(pieces: list[Piece]) -> list[list[Piece]]:
    stretches: list[list[Piece]] = []
    for piece in pieces:
        last = stretches[-1][-1] if stretches else None
        if last and _form(last) == _form(piece):
            stretches[-1].append(piece)
        else:
            stretches.append([piece])
    return stretches


def _channels(feature_set: int, features: int) -> int:
    """Of a sensor whose windows have so many features; 0 if there is none such."""
    return next((c for c in range(1, MAX_CHANNELS + 1) if feature_sets.size(feature_set, c) == features), 0)


def _form(piece: Piece) -> tuple[object, ...]:
    return piece.rows.shape[1], piece.rate_hz, piece.feature_set


def _write(writer: Writer, node: str, collected: Collected, pieces: list[Piece], about: About, number: int) -> Run:
    first_s = pieces[0].end_s - (len(pieces[0].rows) - 1) / pieces[0].rate_hz
    at_s = np.concatenate([p.end_s - np.arange(len(p.rows))[::-1] / p.rate_hz for p in pieces]) - first_s
    at_s = np.maximum.accumulate(at_s)  # a node's age is in coarse steps
    breaks = tuple(int(b) for b in np.cumsum([len(p.rows) for p in pieces])[:-1])
    raw = pieces[0].feature_set is None
    names = CHANNELS if collected.channels <= len(CHANNELS) else [f"c{i}" for i in range(collected.channels)]
    per_unit = about.per_unit if raw else None
    rate_hz = pieces[0].rate_hz if raw else (len(at_s) - 1) / at_s[-1] if at_s[-1] > 0 else 1.0
    label = Label(start_s=0.0, end_s=float(at_s[-1]) + 1 / rate_hz, label=about.label or "-", fault=about.fault)
    run = Run(
        file=f"{node}-{about.session}-{number}.npz",
        node=node,
        asset=about.asset,
        sensor=collected.hardware,
        kind="samples" if raw else "features",
        channels=tuple(Channel(name=n, unit=about.unit, per_unit=per_unit) for n in names[: collected.channels]),
        rate_hz=float(rate_hz),
        session=about.session,
        commission_s=float(at_s[-1]) / 2 if about.teaches else 0.0,
        feature_set=pieces[0].feature_set,
        samples=None if raw else collected.samples or None,
        breaks=breaks if raw else (),
        labels=(label,) if about.label else (),
    )
    return writer.add(run, np.concatenate([p.rows for p in pieces]), at_s=at_s)
