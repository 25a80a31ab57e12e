"""NPZ, or one array as NPY: [rows], [rows, channels], or [recordings, rows, channels] with a break after each."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset.manifest import CHANNELS_MAX
from gateway.training.importing import ImportRefused, Piece, Wanted, labels_wanted, make_run

_RATES = ("rate_hz", "fs_hz", "fs")
_TIMES = "at_s"
_ONE = "values"  # what a single array is called


def pieces(source: Path, wanted: Wanted) -> Iterator[Piece]:
    """The one run of an archive; `wanted.array` names the array, where it holds more than one with rows."""
    arrays = _read(source)
    values = _values(source, arrays, wanted.array)
    breaks: tuple[int, ...] = ()
    if values.ndim == 3:
        recordings, rows, _ = values.shape
        values, breaks = values.reshape(-1, values.shape[2]), tuple(range(rows, recordings * rows, rows))
    if values.shape[1] > CHANNELS_MAX and not wanted.channels:
        shape = f"{values.shape[1]} channels of {len(values)} rows"
        raise ImportRefused(source, f"{shape}: rows come first, and at most {CHANNELS_MAX} channels are taken")
    names = [str(n) for n in range(1, values.shape[1] + 1)]
    channels = wanted.channels or tuple(names)
    if unknown := [c for c in channels if c not in names]:
        raise ImportRefused(source, f"no channel {unknown[0]!r}: they are numbered 1 to {len(names)}")
    values = values[:, [names.index(c) for c in channels]]
    if len(bad := np.argwhere(~np.isfinite(values))):
        raise ImportRefused(source, f"row {bad[0][0]} is not a number")
    at_s = _times(source, arrays, len(values))
    rate_hz = wanted.rate_hz or _rate(source, arrays)
    begin_s, last_s = (0.0, (len(values) - 1) / rate_hz) if at_s is None else (float(at_s[0]), float(at_s[-1]))
    labels = labels_wanted(source, wanted, begin_s, last_s + 1 / rate_hz)
    run = make_run(source, wanted, values, channels, rate_hz=rate_hz, breaks=breaks, labels=labels)
    yield Piece(run, values if values.dtype == np.int16 else values.astype(np.float32), at_s)


def _read(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with file.open("rb") as opened:
            single = opened.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX
        if not single and not zipfile.is_zipfile(file):
            raise ValueError("it begins like neither")
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            return {_ONE: archive}
        with archive:
            return dict(archive)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ImportRefused(file, f"not an .npz of plain arrays, nor an .npy: {error}") from error


def _values(file: Path, arrays: dict[str, NDArray[Any]], name: str | None) -> NDArray[Any]:
    numbers = [n for n, a in arrays.items() if a.dtype.kind in "fiu" and a.size > 1 and n not in (*_RATES, _TIMES)]
    if name is not None and name not in numbers:
        raise ImportRefused(file, f"no array {name!r} with rows; there are {', '.join(arrays)}")
    with_rows = [n for n in numbers if arrays[n].ndim in (2, 3)] or [n for n in numbers if arrays[n].ndim == 1]
    if name is None and len(with_rows) != 1:
        raise ImportRefused(
            file, f"which array is meant? There are {', '.join(with_rows or arrays) or 'none'}; --array names it"
        )
    values = arrays[name or with_rows[0]]
    if values.ndim not in (1, 2, 3):
        raise ImportRefused(file, f"{name} has {values.ndim} dimensions, where rows and channels are two")
    return values[:, None] if values.ndim == 1 else values


def _times(file: Path, arrays: dict[str, NDArray[Any]], rows: int) -> NDArray[np.float64] | None:
    if _TIMES not in arrays:
        return None
    told = arrays[_TIMES]
    if told.dtype.kind not in "fiu" or told.shape != (rows,):
        raise ImportRefused(file, f"{_TIMES} is {told.dtype} {list(told.shape)}, where there are {rows} rows")
    at_s = told.astype(np.float64)
    if len(bad := np.flatnonzero(~np.isfinite(at_s))):
        raise ImportRefused(file, f"{_TIMES}: row {bad[0]} is not a number")
    if len(back := np.flatnonzero(np.diff(at_s) < 0)):
        raise ImportRefused(file, f"{_TIMES}: row {back[0] + 1} is before the row above it")
    return at_s


def _rate(file: Path, arrays: dict[str, NDArray[Any]]) -> float:
    name = next((n for n in _RATES if n in arrays), None)
    if name is None:
        raise ImportRefused(file, f"neither a rate is given (--rate-hz), nor one of {', '.join(_RATES)} in it")
    told = arrays[name]
    if told.dtype.kind not in "fiu" or told.size != 1 or not (np.isfinite(told) & (told > 0)).all():
        raise ImportRefused(file, f"{name} is no rate")
    return float(told.item())
