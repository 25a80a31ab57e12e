"""dataset.json, the manifest of a dataset: what each run is, and what is known about it.

Strict: a key that is not here, a wrong type or a value that makes no sense is a fault, and is named by the path of its
key. Optional keys have a default here.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.detectors import feature_sets

VERSION = 1
MANIFEST = "dataset.json"

UNLABELLED = -1
"""Of a row whose state nobody has noted; beside 0, normal, and 1, fault."""

CHANNELS_MAX = 64
"""Of a run; a node's sensor has nine at most."""

SAMPLES_MIN, SAMPLES_MAX = 32, 1024
"""Samples of a window (nodes/wire/SPEC.md, "Feature sets")."""

Name = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=2000)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Column = TypeVar("Column", "Channel", "ContextChannel")

NEVER_CONTEXT = {
    "anomaly", "date", "datetime", "elapsed", "elapsed_s", "fault", "index", "label", "row", "row_number", "seconds",
    "t", "t_ms", "t_s", "time", "time_ms", "time_s", "timestamp",
}  # fmt: skip
"""Names of what no detector may be told: labels, and how long a recording has been going on."""
NEVER_CHANNEL = NEVER_CONTEXT - {"t"}  # which may be a temperature
TIMES_OF_DAY = {"hour", "hour_of_day", "time_of_day", "day_of_week", "weekday"}
_SLOW_HZ = 1.0  # a sensor of temperature or the like; what is faster hears a machine, which does not know the hour


class DatasetBroken(ValueError):  # noqa: N818 - names a state of the dataset, as BundleBroken does
    """A dataset that cannot be used; `file` and `reason` say what is wrong with what."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Channel(_Strict):
    """One column of `values`. `per_unit`: how many steps of a 16-bit sample are one `unit`; kind "samples" needs it.

    `counter`: a meter that only rises, such as one of energy. It is read as its steps from row to row: how far it has
    come would tell a detector how long the recording has been going on. Of kind "values" only.
    """

    name: Name
    unit: Text = ""
    per_unit: Positive | None = None
    counter: bool = False

    @field_validator("name")
    @classmethod
    def _is_measured(cls, name: str) -> str:
        if name.lower() in NEVER_CHANNEL:
            raise ValueError(f"{name!r} is no channel: a detector must see neither labels nor elapsed time")
        return name


class ContextChannel(_Strict):
    """One column of `context`: what the machine was told or is known to do (speed, state), or the hour of the day.

    Never a label, and never how long a recording has been going on. The time of day is for slow sensors alone.
    """

    name: Name
    unit: Text = ""

    @field_validator("name")
    @classmethod
    def _may_be_known(cls, name: str) -> str:
        if name.lower() in NEVER_CONTEXT:
            raise ValueError(f"{name!r} is no context: a detector must see neither labels nor elapsed time")
        return name


class Label(_Strict):
    """A stretch of a run, from `start_s` to before `end_s`, in the run's own time: at_s, or row / rate_hz without it.

    `label` is what it was ("normal", "imbalance", …); `fault` whether an alarm is wanted there.
    """

    start_s: Seconds
    end_s: Seconds
    label: Name
    fault: bool

    @model_validator(mode="after")
    def _runs_forwards(self) -> Label:
        if self.end_s <= self.start_s:
            raise ValueError(f"end_s {self.end_s} is not after start_s {self.start_s}")
        return self


class Run(_Strict):
    """One recording of one node, and the file that holds it.

    `kind`: "samples" are raw samples of a sensor; "features" are feature vectors of `feature_set`, of windows of
    `samples` samples, whole numbers as the set gives them; "values" are slow process values, one row a reading.
    `rate_hz`: rows a second. `session`: runs of one session share mounting and conditions. `commission_s`: so much of
    its start a detector may learn from, taken to be normal whatever the labels say; 0: it goes on from the run before
    it of the same node. `breaks`: the first row after each gap in the recording. What no label covers is unlabelled.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,120}\.npz$")
    node: Name
    asset: Name
    sensor: Text = ""
    kind: Literal["samples", "features", "values"]
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=CHANNELS_MAX)
    rate_hz: Positive
    session: Name
    commission_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    feature_set: int | None = None
    samples: Annotated[int, Field(ge=SAMPLES_MIN, le=SAMPLES_MAX)] | None = None
    context: tuple[ContextChannel, ...] = Field(default=(), max_length=16)
    breaks: tuple[Annotated[int, Field(ge=1)], ...] = ()
    labels: tuple[Label, ...] = ()
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @property
    def name(self) -> str:
        """The run's name: its file's, without the ending."""
        return self.file.removesuffix(".npz")

    @property
    def columns(self) -> int:
        """How many columns `values` has."""
        if self.kind == "features" and self.feature_set is not None:
            return feature_sets.size(self.feature_set, len(self.channels))
        return len(self.channels)

    @field_validator("breaks")
    @classmethod
    def _in_order(cls, breaks: tuple[int, ...]) -> tuple[int, ...]:
        if any(b <= a for a, b in pairwise(breaks)):
            raise ValueError("rows must rise")
        return breaks

    @field_validator("labels")
    @classmethod
    def _one_after_the_other(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        for i, (a, b) in enumerate(pairwise(labels), start=1):
            if b.start_s < a.end_s:
                raise ValueError(f"label {i} begins at {b.start_s} s, before label {i - 1} ends at {a.end_s} s")
        return labels

    @field_validator("channels", "context")
    @classmethod
    def _called_differently(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        names = [c.name for c in columns]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is there twice")
        return columns

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Run:
        if self.kind == "features":
            if self.feature_set not in feature_sets.NAMES:
                raise ValueError(f"feature_set: kind 'features' needs one of {sorted(feature_sets.NAMES)}")
        elif self.feature_set is not None or self.samples is not None:
            raise ValueError(f"feature_set and samples belong to kind 'features', not to {self.kind!r}")
        if self.kind == "samples" and any(c.per_unit is None for c in self.channels):
            raise ValueError("channels: kind 'samples' needs the per_unit of each, 16-bit steps per unit")
        if self.kind != "values" and any(c.counter for c in self.channels):
            raise ValueError(f"channels: a counter is of kind 'values', not of {self.kind!r}")
        if self.kind != "values" and len(self.channels) > 9:
            raise ValueError(f"channels: a node's sensor has 9 at most, not {len(self.channels)}")
        return self

    @model_validator(mode="after")
    def _only_slow_sensors_know_the_hour(self) -> Run:
        slow = self.kind == "values" or self.feature_set == feature_sets.SLOW or self.rate_hz < _SLOW_HZ
        for channel in self.context:
            if channel.name.lower() in TIMES_OF_DAY and not slow:
                raise ValueError(f"context: {channel.name!r} is for slow sensors only, not for {self.kind}")
        return self

    def fault_at(self, at_s: NDArray[np.float64]) -> NDArray[np.int8]:
        """1, 0 or UNLABELLED for each time."""
        kinds = np.array([*(label.fault for label in self.labels), UNLABELLED], np.int8)
        return np.asarray(kinds[self.label_number(at_s)])

    def label_at(self, at_s: NDArray[np.float64]) -> tuple[str, ...]:
        """The text of the label at each time, "" where there is none."""
        names = [*(label.label for label in self.labels), ""]
        return tuple(names[i] for i in self.label_number(at_s))

    def label_number(self, at_s: NDArray[np.float64]) -> NDArray[np.intp]:
        """The number of the label at each time, as an index of `labels`; -1 for none."""
        if not self.labels:
            return np.full(len(at_s), -1, np.intp)
        found = np.searchsorted([label.start_s for label in self.labels], at_s, side="right") - 1
        ended = at_s >= np.array([label.end_s for label in self.labels])[np.maximum(found, 0)]
        return np.asarray(np.where(ended | (found < 0), -1, found))


class Manifest(_Strict):
    """dataset.json."""

    version: Literal[1] = 1
    name: Name
    licence: Text = ""
    source: Text = ""
    runs: tuple[Run, ...] = Field(min_length=1)

    @field_validator("runs")
    @classmethod
    def _files_differ(cls, runs: tuple[Run, ...]) -> tuple[Run, ...]:
        files = [run.file for run in runs]
        for file in files:
            if files.count(file) > 1:
                raise ValueError(f"{file} is there twice")
        return runs


def faults_of(error: ValidationError) -> str:
    """Every fault, each behind the path of its key: "runs.2.rate_hz: …"."""
    return "; ".join(
        ": ".join([*filter(None, [".".join(map(str, e["loc"]))]), e["msg"].removeprefix("Value error, ")])
        for e in error.errors()
    )
