"""CSV: one row a sample or a reading, under a header. Time, context and labels may be columns of it."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset.manifest import NEVER_CHANNEL
from gateway.training.importing import (
    FAULT,
    NORMAL,
    ImportRefused,
    Piece,
    Wanted,
    delimiter_of,
    iso_seconds,
    kind_of,
    labels_of_rows,
    labels_wanted,
    make_run,
    opened,
)

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}
_DAY_S = 86_400.0
_SINCE_1970_S = 1e8  # before that, seconds count from something else
_GAP_ROWS = 10
_WRITTEN = "; --time-unit says how times are written"
_COUNTED = 8  # rows that tell a counter from readings that happen to rise

Numbers = NDArray[np.float64]


def pieces(source: Path, wanted: Wanted) -> Iterator[Piece]:
    """The one run of a CSV (it may be compressed with gzip). Raises ImportRefused, which names the line."""
    table = _Table(source, wanted)
    given = [name for name in (wanted.time, wanted.label, *wanted.context) if name]
    for name in (*given, *wanted.counters):
        table.column(name)
    channels = wanted.channels or _others(table, given)
    left_out = table.keep_complete((*channels, *wanted.context)) if wanted.skip_incomplete else []
    values = np.stack([table.numbers(name) for name in channels], axis=1)
    counters = [channels.index(name) for name in wanted.counters if name in channels]
    values[:, counters] -= values[0, counters]  # of a great number a float32 holds no small steps
    _no_counters(table, channels, values, wanted.counters)
    at_s = None if wanted.time is None else _times(table, wanted)
    rate_hz = wanted.rate_hz or _rate(source, at_s)
    if at_s is None and left_out:
        at_s = np.array(table.rows) / rate_hz
    told_s = np.arange(len(values)) / rate_hz if at_s is None else at_s
    labels = labels_wanted(source, wanted, told_s[0], told_s[-1] + 1 / rate_hz)
    if wanted.label:
        names = [_label(text, wanted.normal) for text in table.column(wanted.label)]
        labels = labels_of_rows(told_s, names, 1 / rate_hz, wanted.normal)
    known = [(name, table.numbers(name)) for name in wanted.context]
    if wanted.hour:
        known.append(("hour", _hours(source, at_s, wanted)))
    gaps = set((np.flatnonzero(np.diff(told_s) > (wanted.gap_s or _GAP_ROWS / rate_hz)) + 1).tolist())
    if kind_of(wanted, rate_hz) == "samples":  # a window with a sample missing is another sound
        gaps |= set(left_out)
    about = replace(wanted, context=tuple(name for name, _ in known))
    run = make_run(source, about, values, channels, rate_hz=rate_hz, breaks=tuple(sorted(gaps)), labels=labels)
    context = np.stack([column for _, column in known], axis=1) if known else None
    yield Piece(run, values, at_s, context)


def _others(table: _Table, given: Sequence[str]) -> tuple[str, ...]:
    """Every column that is nothing else. Raises ImportRefused for one that says by its name that it is no channel."""
    found = tuple(name for name in table.header if name not in given)
    for name in found:
        if name.lower() in NEVER_CHANNEL:
            may = "--label" if name.lower() in ("anomaly", "fault", "label") else "--time"
            raise ImportRefused(
                table.file,
                f"line 1: {name!r} is no channel: {may} {name} says what it is, or --channels what the channels are",
            )
    if not found:
        raise ImportRefused(table.file, "line 1: no column is left for a channel")
    return found


def _no_counters(table: _Table, channels: Sequence[str], values: Numbers, but: Sequence[str]) -> None:
    """A detector must not see how long a recording has been going on; `dataset.clocks` finds those that are less even
    in more rows.
    """
    for name, step in zip(channels, np.diff(values, axis=0).T, strict=True):
        if name not in but and len(step) >= _COUNTED and step[0] and np.allclose(step, step[0], rtol=1e-6, atol=0):
            raise ImportRefused(table.file, f"{name!r} rises by {step[0]:g} in every row: that is a clock, no channel")


class _Table:
    """The cells of a CSV as text; `lines` and `rows` are where they stood in it."""

    def __init__(self, file: Path, wanted: Wanted) -> None:
        self.file, self._decimal = file, wanted.decimal
        try:
            with opened(file, wanted.encoding) as lines:
                first = lines.readline()
                lines.seek(0)
                rows = csv.reader(lines, delimiter=wanted.delimiter or delimiter_of(first))
                self.header = [name.strip() for name in next(rows, [])]
                self._must_be_names()
                self.lines: list[int] = []
                self._cells: list[list[str]] = []
                for row in rows:
                    if not row:
                        continue
                    if len(row) != len(self.header):
                        raise ImportRefused(file, f"line {rows.line_num}: {len(row)} cells under {len(self.header)}")
                    self._cells.append(row)
                    self.lines.append(rows.line_num)
        except UnicodeError as error:
            raise ImportRefused(file, f"not a CSV in {wanted.encoding}, --encoding names another: {error}") from error
        except (csv.Error, EOFError, zlib.error, OSError) as error:
            raise ImportRefused(file, f"not a CSV: {error}") from error
        if not self._cells:
            raise ImportRefused(file, "holds no row below a header")
        self.rows = list(range(len(self._cells)))
        if not self.header[-1] and not any(row[-1].strip() for row in self._cells):  # each line ends with a delimiter
            self.header.pop()
        self._turn()

    def column(self, name: str) -> Sequence[str]:
        """Its cells. Raises ImportRefused if there is none of that name."""
        if name not in self._columns:
            raise ImportRefused(self.file, f"line 1: no column {name!r}; there are {', '.join(self.header)}")
        return self._columns[name]

    def numbers(self, name: str, number: Callable[[str], float] | None = None, advice: str = "") -> Numbers:
        """Its cells as finite numbers. Raises ImportRefused, which names the line."""
        found = []
        for line, cell in zip(self.lines, self.column(name), strict=True):
            try:
                found.append((number or self._number)(cell))
            except ValueError:
                raise ImportRefused(
                    self.file, f"line {line}: {name} is {cell!r}{self._advice(cell) or advice}"
                ) from None
        array = np.array(found, np.float64)
        if len(bad := np.flatnonzero(~np.isfinite(array))):
            raise ImportRefused(self.file, f"line {self.lines[bad[0]]}: {name} is not a number{self._advice('')}")
        return array

    def keep_complete(self, names: Sequence[str]) -> list[int]:
        """Leave out each row that has no number in one of these columns; which of the others came behind such rows.

        Raises ImportRefused if none is left.
        """
        missing = np.zeros(len(self.lines), np.bool_)
        for name in names:
            missing |= [cell.strip().lower() in ("", "nan", "null", "none", "na", "n/a") for cell in self.column(name)]
        kept = np.flatnonzero(~missing)
        if not len(kept):
            raise ImportRefused(self.file, f"no row has a number in each of {', '.join(names)}")
        self._cells = [self._cells[i] for i in kept]
        self.lines, self.rows = [self.lines[i] for i in kept], [self.rows[i] for i in kept]
        self._turn()
        return (np.flatnonzero(np.diff(kept) > 1) + 1).tolist()

    def _turn(self) -> None:
        self._columns = dict(zip(self.header, zip(*self._cells, strict=True), strict=False))

    def _must_be_names(self) -> None:
        try:
            numbers = [self._number(name) for name in self.header]
        except ValueError:
            return
        if numbers:
            raise ImportRefused(self.file, "line 1: numbers, where the names of the columns are wanted")

    def _number(self, cell: str) -> float:
        if self._decimal == ".":
            return float(cell)
        if "." in cell:
            raise ValueError(f"{cell!r}: two signs of a decimal")
        return float(cell.replace(self._decimal, "."))

    def _advice(self, cell: str) -> str:
        if not cell.strip():
            return "; --skip-incomplete leaves such rows out"
        return "; --decimal , reads a decimal comma" if self._decimal == "." and "," in cell else ""


def _times(table: _Table, wanted: Wanted) -> Numbers:
    """Seconds: since 1970 of dates, since the first midnight of a clock. Raises ImportRefused."""
    assert wanted.time is not None
    unit = wanted.time_unit
    if unit in _PER_SECOND:
        at_s = table.numbers(wanted.time, advice=_WRITTEN) / _PER_SECOND[unit]
    elif unit == "clock":
        at_s = table.numbers(wanted.time, _clock_seconds, _WRITTEN)
        at_s += _DAY_S * np.cumsum(np.diff(at_s, prepend=at_s[0]) < -_DAY_S / 2)
    else:
        read = iso_seconds if unit == "iso" else lambda cell: _date_seconds(cell, unit)
        at_s = table.numbers(wanted.time, read, _WRITTEN)
    if len(back := np.flatnonzero(np.diff(at_s) < 0)):
        by_s = at_s[back[0]] - at_s[back[0] + 1]
        what = f"line {table.lines[back[0] + 1]}: {wanted.time} goes back by {by_s:.6g} s"
        raise ImportRefused(table.file, f"{what}: cut the file there, or give --rate-hz and no --time")
    return at_s


def _hours(file: Path, at_s: Numbers | None, wanted: Wanted) -> Numbers:
    """The time of day. Raises ImportRefused where times are those of a stopwatch."""
    if at_s is None or (wanted.time_unit in _PER_SECOND and at_s[0] < _SINCE_1970_S):
        raise ImportRefused(file, "--hour: no column of dates, or of a clock, is given as --time")
    return at_s % _DAY_S / 3600


def _clock_seconds(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _date_seconds(text: str, form: str) -> float:
    told = datetime.strptime(text.strip(), form)
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _rate(file: Path, at_s: Numbers | None) -> float:
    if at_s is None:
        raise ImportRefused(file, "neither a rate nor a column of time is given: --rate-hz, or --time")
    step = float(np.median(np.diff(at_s))) if len(at_s) > 1 else 0.0
    if step <= 0:
        why = "most rows are at the time of the row before" if len(at_s) > 1 else "there is one row"
        raise ImportRefused(file, f"its times give no rate, {why}: --rate-hz says it")
    return float(f"{1 / step:.9g}")  # without what is only the rounding of its times


def _label(text: str, normal: tuple[str, ...]) -> str:
    """Text is taken as it is; of numbers 0 is normal, and every other a fault."""
    text = text.strip()
    if not text or text in normal:
        return text
    try:
        return FAULT if float(text) else NORMAL
    except ValueError:
        return text
