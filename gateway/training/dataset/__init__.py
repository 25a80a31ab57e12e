"""A dataset: recordings in one documented layout, which everything is trained on and evaluated with.

    FOLDER/dataset.json    the Manifest (manifest.py)
    FOLDER/<run>.npz       `values` [n, columns]: float32, int16 or int32; optional: `context` float32 [n, k];
                           `at_s` float64 [n], never falling, the same clock in all runs of a session

"samples" are int16 as the sensor gave them, or float32 in the channel's unit; "features" are int32 (or int16); "values"
are float32. A folder holds the same bytes whenever and wherever it is written, so that its hash names the data.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from gateway.training.dataset.clocks import in_steps, must_not_tell_the_time
from gateway.training.dataset.manifest import (
    MANIFEST,
    VERSION,
    Channel,
    ContextChannel,
    DatasetBroken,
    Label,
    Manifest,
    Run,
    faults_of,
)

__all__ = [
    "Channel",
    "ContextChannel",
    "Dataset",
    "DatasetBroken",
    "Label",
    "Recording",
    "Rows",
    "Run",
    "Writer",
    "load",
]

_VALUES, _CONTEXT, _AT = "values", "context", "at_s"
_DTYPES = {"samples": ("int16", "float32"), "features": ("int32", "int16"), "values": ("float32", "int16")}
_HEADS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_RATE_TOLERANCE, _RATE_ROWS = 1.5, 32
_FULL_SCALE = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a run's file holds: `values` [n, columns] as stored, `at_s` [n], `context` [n, k] or None."""

    values: NDArray[Any]
    at_s: NDArray[np.float64]
    context: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Recording:
    """One run of a dataset. Its file is read when asked for."""

    folder: Path
    run: Run

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    def read(self) -> Rows:
        """The rows. Raises DatasetBroken if the file is missing, damaged or not what the manifest says."""
        file = self.folder / self.run.file
        data = _bytes_of(file)
        if self.run.sha256 is not None and hashlib.sha256(data).hexdigest() != self.run.sha256:
            raise DatasetBroken(file, f"damaged: its SHA-256 is not the one in {MANIFEST}")
        try:
            with np.load(BytesIO(data), allow_pickle=False) as archive:
                arrays = dict(archive)
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
            raise DatasetBroken(file, f"not an .npz of plain arrays: {error}") from error
        rows = _checked(file, self.run, arrays)
        counters = [at for at, channel in enumerate(self.run.channels) if channel.counter]
        return replace(rows, values=in_steps(rows.values, counters, self.run.breaks)) if counters else rows

    def rows(self) -> int:
        """How many rows it has; only the head of the file is read. Raises DatasetBroken."""
        file = self.folder / self.run.file
        try:
            with zipfile.ZipFile(file) as archive, archive.open(f"{_VALUES}.npy") as values:
                head = _HEADS[np.lib.format.read_magic(values)]
                return int(head(values)[0][0])
        except (OSError, EOFError, KeyError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
            raise DatasetBroken(file, f"not an .npz of plain arrays: {error}") from error

    def samples(self) -> NDArray[np.int16]:
        """A run of kind "samples" as 16-bit steps [n, channels], saturated as a sensor does. ValueError for others."""
        return as_samples(self.run, self.read().values)


def as_samples(run: Run, values: NDArray[Any]) -> NDArray[np.int16]:
    """`values` of a run of kind "samples", as stored, in 16-bit steps. ValueError for a run of another kind."""
    if run.kind != "samples":
        raise ValueError(f"{run.name}: its rows are {run.kind}, not samples")
    if values.dtype == np.int16:
        return np.asarray(values, np.int16)
    steps = np.rint(values.astype(np.float64) * np.array([c.per_unit for c in run.channels]))
    return np.asarray(np.clip(steps, _FULL_SCALE.min, _FULL_SCALE.max), np.int16)


def fitting_per_unit(values: NDArray[Any], headroom: float = 8.0) -> float:
    """A power of two for `Channel.per_unit` at which `headroom` times the largest of `values` is within 16 bits."""
    largest = float(np.max(np.abs(values), initial=0.0)) * headroom
    return float(2.0 ** np.floor(np.log2(_FULL_SCALE.max / largest))) if largest > 0 else 1.0


@dataclass(frozen=True)
class Dataset:
    """A folder in the layout."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Its name."""
        return self.manifest.name

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Every run, in the order of the manifest."""
        return tuple(Recording(self.folder, run) for run in self.manifest.runs)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes, in the order in which they first occur."""
        return tuple(dict.fromkeys(run.node for run in self.manifest.runs))

    def of_node(self, node: str) -> tuple[Recording, ...]:
        """The runs of a node, in order."""
        return tuple(r for r in self.recordings if r.run.node == node)

    def sha256(self) -> str:
        """Names manifest and files together: 64 hexadecimal digits."""
        digest = hashlib.sha256(_bytes_of(self.folder / MANIFEST))
        for run in self.manifest.runs:
            digest.update(hashlib.sha256(_bytes_of(self.folder / run.file)).digest())
        return digest.hexdigest()


def load(folder: Path) -> Dataset:
    """Read the manifest of a dataset, and see that its files are there. Raises DatasetBroken."""
    file = folder / MANIFEST
    text = _bytes_of(file)
    try:
        fields: Any = json.loads(text)
    except ValueError as error:
        raise DatasetBroken(file, f"not JSON: {error}") from error
    version = fields.get("version") if isinstance(fields, dict) else None
    if version != VERSION:
        raise DatasetBroken(file, f"version: {version!r}, where {VERSION} is read here")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise DatasetBroken(file, faults_of(error)) from error
    for run in manifest.runs:
        if not (folder / run.file).is_file():
            raise DatasetBroken(folder / run.file, f"missing, and {MANIFEST} has it as a run")
    return Dataset(folder, manifest)


class Writer:
    """Writes a dataset: each run as it is added, and the manifest at the end; without that, there is no dataset.

    A context manager; when it is left by an exception, no manifest is written.
    """

    def __init__(self, folder: Path, *, name: str, licence: str = "", source: str = "", add: bool = False) -> None:
        """`add`: to a dataset that is there, which keeps its name, licence and source. Raises DatasetBroken if one is
        there and is not to be added to, or cannot be read.
        """
        self._folder = folder
        self._about: dict[str, Any] = {"name": name, "licence": licence, "source": source}
        self._runs: list[Run] = []
        if (folder / MANIFEST).exists():
            if not add:
                raise DatasetBroken(folder / MANIFEST, "a dataset is here already")
            there = load(folder).manifest
            self._about = {"name": there.name, "licence": there.licence, "source": there.source}
            self._runs = list(there.runs)
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self, run: Run, values: ArrayLike, *, at_s: ArrayLike | None = None, context: ArrayLike | None = None
    ) -> Run:
        """Write a run's arrays. Returns `run` as the manifest will have it, with its hash.

        Values that are neither int16 nor int32 are stored as float32. Raises DatasetBroken for what could not be read
        again.
        """
        file = self._folder / run.file
        if run.file in {r.file for r in self._runs}:
            raise DatasetBroken(file, "this dataset has a run of that name")
        array = np.asarray(values)
        arrays: dict[str, NDArray[Any]] = {
            _VALUES: array if array.dtype in (np.int16, np.int32) else array.astype(np.float32)
        }
        if context is not None:
            arrays[_CONTEXT] = np.asarray(context, np.float32)
        if at_s is not None:
            arrays[_AT] = np.asarray(at_s, np.float64)
        _checked(file, run, arrays)
        must_not_tell_the_time(file, run, array, None)  # of a great number a float32 holds no small steps
        data = _archive(arrays)
        file.write_bytes(data)
        run = run.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
        self._runs.append(run)
        return run

    def close(self) -> Dataset:
        """Write the manifest. Raises DatasetBroken if there is no run."""
        file = self._folder / MANIFEST
        try:
            manifest = Manifest(runs=tuple(self._runs), **self._about)
        except ValidationError as error:
            raise DatasetBroken(file, faults_of(error)) from error
        text = json.dumps(manifest.model_dump(mode="json", exclude_defaults=True) | {"version": VERSION}, indent=1)
        fresh = file.with_suffix(".new")
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(file)
        return Dataset(self._folder, manifest)

    @property
    def folder(self) -> Path:
        """Where it writes."""
        return self._folder

    @property
    def runs(self) -> tuple[Run, ...]:
        """Those that are there, or were added."""
        return tuple(self._runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()


def _checked(file: Path, run: Run, arrays: dict[str, NDArray[Any]]) -> Rows:
    """The arrays of a run's file as Rows. Raises DatasetBroken, which names the array and the row."""
    unknown = set(arrays) - {_VALUES, _CONTEXT, _AT}
    if _VALUES not in arrays or unknown:
        raise DatasetBroken(file, f"holds {sorted(arrays)}; wanted: values, and optional context and at_s")
    values = arrays[_VALUES]
    if values.dtype.name not in _DTYPES[run.kind]:
        raise DatasetBroken(file, f"values: {values.dtype}, where {run.kind} are {' or '.join(_DTYPES[run.kind])}")
    if values.ndim != 2 or values.shape[1] != run.columns or not len(values):
        of = f"feature set {run.feature_set} of {len(run.channels)} channels" if run.feature_set else "the manifest"
        raise DatasetBroken(file, f"values: shape {list(values.shape)}, where {of} has [n, {run.columns}]")
    _finite(file, _VALUES, values)
    n = len(values)
    if run.breaks and run.breaks[-1] >= n:
        raise DatasetBroken(file, f"breaks: row {run.breaks[-1]} of {n}")
    rows = Rows(values, _times(file, run, arrays.get(_AT), n), _context(file, run, arrays.get(_CONTEXT), n))
    must_not_tell_the_time(file, run, values, rows.context)
    return rows


def _times(file: Path, run: Run, at_s: NDArray[Any] | None, n: int) -> NDArray[np.float64]:
    if at_s is None:
        return np.arange(n) / run.rate_hz
    if at_s.dtype != np.float64 or at_s.shape != (n,):
        raise DatasetBroken(file, f"at_s: {at_s.dtype} {list(at_s.shape)}, wanted float64 [{n}]")
    _finite(file, _AT, at_s)
    falls = np.flatnonzero(np.diff(at_s) < 0)
    if len(falls):
        raise DatasetBroken(file, f"at_s: row {falls[0] + 1} is before the row above it")
    _rate_fits(file, run, at_s)
    return cast(NDArray[np.float64], at_s)


def _rate_fits(file: Path, run: Run, at_s: NDArray[np.float64]) -> None:
    """Raises DatasetBroken where rows come at quite another rate than rate_hz, whichever way it is counted: by the
    usual step, or on average, with and without the pauses. Clocks are coarse, and rows come in packets.
    """
    steps = np.diff(at_s)
    inside = np.delete(steps, np.array(run.breaks, np.intp) - 1)
    if len(inside) < _RATE_ROWS:
        return
    counted = [step for step in (np.median(inside), inside.mean(), steps.mean()) if step > 0]
    if not counted:
        raise DatasetBroken(file, "at_s: all rows are at one time")
    ratios = [max(step * run.rate_hz, 1 / (step * run.rate_hz)) for step in counted]
    if min(ratios) > _RATE_TOLERANCE:
        raise DatasetBroken(file, f"at_s: {1 / counted[0]:.4g} rows a second, where rate_hz is {run.rate_hz:g}")


def _context(file: Path, run: Run, context: NDArray[Any] | None, n: int) -> NDArray[np.float32] | None:
    if (context is not None) != bool(run.context):
        raise DatasetBroken(
            file, f"context: {len(run.context)} in the manifest, {int(context is not None)} in the file"
        )
    if context is None:
        return None
    if context.dtype != np.float32 or context.shape != (n, len(run.context)):
        raise DatasetBroken(
            file, f"context: {context.dtype} {list(context.shape)}, wanted float32 [{n}, {len(run.context)}]"
        )
    _finite(file, _CONTEXT, context)
    return cast(NDArray[np.float32], context)


def _finite(file: Path, name: str, array: NDArray[Any]) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise DatasetBroken(file, f"{name}: row {bad[0][0]} is not a number")


def _archive(arrays: dict[str, NDArray[Any]]) -> bytes:
    """An .npz that depends on nothing but the arrays: not compressed, and each member with the same date."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.create_system = 0
            array = arrays[name]
            with archive.open(member, "w", force_zip64=True) as stream:
                little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
                np.lib.format.write_array(stream, little, version=(1, 0), allow_pickle=False)
    return out.getvalue()


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise DatasetBroken(file, "missing") from error
    except OSError as error:
        raise DatasetBroken(file, f"cannot be read: {error.strerror}") from error
