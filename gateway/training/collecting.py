"""From the journal to a dataset: windows that nodes have sent in collection mode, as samples or as features.

A window comes as it was sampled, in parts (nodes/wire/SPEC.md, "Collection"), each a report of its own; it is used when
all are there. What is never completed is counted by name: a node keeps back the rest of a window when the gateway falls
silent. Features are computed here, to the bit as the node computes them: what it reports by itself is no sample of what
it sees, for a node with a model is silent while all is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.core.entry import EntryBroken, EntryKind, Report, decode
from gateway.store.reader import Reader
from gateway.training import features
from gateway.training.dataset import Channel, ContextChannel, Label, Run, Writer
from gateway.wire import age
from gateway.wire.messages import Birth, Sampled

AT_ONCE = 1000  # entries
CHANNELS = ("x", "y", "z")


class NotTold(ValueError):  # noqa: N818 - says what is missing
    """A node, or the one who collects, has not said what a run must say; the message names it."""


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
    """What came of one node. `feature_set`: the one that it computes; None until its Birth has said so."""

    pieces: list[Piece] = field(default_factory=list)
    feature_set: int | None = None
    heard: bool = False
    _number: int | None = None
    _parts: dict[int, Sampled] = field(default_factory=dict)

    def take(self, report: Report, lost: Counter[str]) -> None:
        """One report of this node, in the order of the journal."""
        self.heard = True
        if isinstance(report.message, Birth):
            self.feature_set = report.message.feature_set
        elif isinstance(report.message, Sampled):
            self._part(report.message, report.received_ms, lost)

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
        end_s = (received_ms - age.decode(part.age)) / 1000
        self.pieces.append(Piece(rows, end_s, part.rate_millihz / 1000))


@dataclass(frozen=True, slots=True)
class About:
    """What the one who collects says of a run: see `dataset.manifest.Run`.

    `channels`: of each its name, or None (x, y, z, or a number); `units` and `per_unit`: one for all, or one each;
    `context`: (name, unit, value) of what holds all the while; `features`: as the node's set gives them, not samples;
    `teaches`: a detector may learn from its first half.
    """

    asset: str
    session: str
    label: str = ""
    fault: bool = False
    sensor: str = ""
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    per_unit: tuple[float, ...] = ()
    context: tuple[tuple[str, str, float], ...] = ()
    features: bool = False
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


def write(writer: Writer, node: str, collected: Collected, about: About, lost: Counter[str]) -> list[Run]:
    """A run for each stretch of one rate and shape; usually that is one. Raises DatasetBroken, and NotTold."""
    if about.features and collected.pieces and collected.feature_set is None:
        raise NotTold(f"{node} has sent no Birth, which says what its features are")
    return [
        _write(writer, node, collected, pieces, replace(about, teaches=about.teaches and not number), number, lost)
        for number, pieces in enumerate(_alike(collected))
    ]


def _alike(collected: Collected) -> list[list[Piece]]:
    stretches: list[list[Piece]] = []
    for piece in collected.pieces:
        last = stretches[-1][-1] if stretches else None
        if last and (last.rows.shape, last.rate_hz) == (piece.rows.shape, piece.rate_hz):
            stretches[-1].append(piece)
        else:
            stretches.append([piece])
    return stretches


def _write(
    writer: Writer, node: str, collected: Collected, pieces: list[Piece], about: About, number: int, lost: Counter[str]
) -> Run:
    length, columns = pieces[0].rows.shape
    if about.features:
        assert collected.feature_set is not None
        values, at_s = _features(collected.feature_set, pieces, lost)
        row_s = float(np.median(np.diff(at_s))) if len(at_s) > 1 and at_s[-1] > at_s[0] else length / pieces[0].rate_hz
    else:
        values = np.concatenate([piece.rows for piece in pieces])
        at_s = np.concatenate([p.end_s - np.arange(len(p.rows))[::-1] / p.rate_hz for p in pieces])
        row_s = 1 / pieces[0].rate_hz
    at_s = np.maximum.accumulate(at_s) - at_s[0]  # a node's age is in coarse steps
    label = Label(start_s=0.0, end_s=float(at_s[-1]) + row_s, label=about.label or "-", fault=about.fault)
    run = Run(
        file=f"{node}-{about.session}-{number}.npz",
        node=node,
        asset=about.asset,
        sensor=about.sensor,
        kind="features" if about.features else "samples",
        channels=_channels(about, columns, node),
        rate_hz=1 / row_s,
        session=about.session,
        commission_s=float(at_s[-1]) / 2 if about.teaches else 0.0,
        feature_set=collected.feature_set if about.features else None,
        samples=length if about.features else None,
        context=tuple(ContextChannel(name=name, unit=unit) for name, unit, _ in about.context),
        breaks=() if about.features else tuple(range(length, len(values), length)),
        labels=(label,) if about.label else (),
    )
    context = np.tile([value for _, _, value in about.context], (len(values), 1)) if about.context else None
    return writer.add(run, values, at_s=at_s, context=context)


def _features(feature_set: int, pieces: list[Piece], lost: Counter[str]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Of each window [n, features] and its end [n]; windows with a sensor fault have none, and are counted."""
    sound = [piece for piece in pieces if not features.sensor_fault(feature_set, piece.rows)]
    lost["window_with_sensor_fault"] += len(pieces) - len(sound)
    if not sound:
        raise NotTold(f"in all {len(pieces)} windows the sensor was stuck or saturated: collect samples to see them")
    rows = features.compute_all(feature_set, np.stack([piece.rows for piece in sound]))
    return rows, np.array([piece.end_s for piece in sound])


def _channels(about: About, columns: int, node: str) -> tuple[Channel, ...]:
    usual = CHANNELS if columns <= len(CHANNELS) else tuple(f"c{i}" for i in range(columns))
    names = about.channels or usual[:columns]
    units = about.units * columns if len(about.units) <= 1 else about.units
    steps = about.per_unit * columns if len(about.per_unit) <= 1 else about.per_unit
    for what, given in (("names", names), ("units", units), ("steps per unit", steps)):
        if given and len(given) != columns:
            raise NotTold(f"{node} has {columns} channels, and {len(given)} {what} were given")
    return tuple(
        Channel(
            name=names[i],
            unit=units[i] if units else "",
            per_unit=None if about.features else steps[i] if steps else 1.0,
        )
        for i in range(columns)
    )
