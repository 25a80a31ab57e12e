"""bundle.json: what a Bundle says of itself. Strict: an unknown key, or a value that makes no sense, is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.detectors import feature_sets

VERSION: Literal[2] = 2
NAME = "[a-z0-9][a-z0-9-]{0,63}"
MANIFEST, MODEL, IMAGE = "bundle.json", "model.tflite", "image.cbor"

FeatureValue = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ScalingRow = tuple[FeatureValue, FeatureValue, Annotated[int, Field(ge=1, le=62)]]
Count = Annotated[int, Field(ge=0)]
Word = Annotated[str, Field(min_length=1, max_length=64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

Kind = Literal["autoencoder", "classifier"]
Basis = Literal["p95", "p99", "event_1of1", "event_3of5"]
"""What a threshold follows from: a percentile of single windows, or a wanted number of events, an event being
one window above it, or three of the last five.
"""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Channel(_Strict):
    """One channel of the samples, and what a step of it is, such as "mg" or "16384/g"."""

    name: Word
    unit: Word


def channels_of(unit: str, *names: str) -> tuple[Channel, ...]:
    """Channels that have the same unit."""
    return tuple(Channel(name=name, unit=unit) for name in names)


class DataSource(_Strict):
    """Data a Bundle was made from."""

    description: str
    sha256: Digest


class Provenance(_Strict):
    """Where a Bundle comes from: enough to make it again. `metrics` are those of its evaluation, such as "auroc"."""

    data: tuple[DataSource, ...] = Field(min_length=1)
    code_version: str
    seed: int
    created_from: str
    metrics: dict[str, Finite] = {}


class Quality(_Strict):
    """False alarms per window on normal data, wanted and achieved, in millionths: windows above the threshold, or, of a
    calibration by events, events.

    `calibration_windows` gave the threshold; `windows` were touched by nothing before. `extrapolated`: the threshold
    lies beyond what the calibration windows could show, so the wanted rate is a fit's promise.
    """

    wanted_ppm: Count
    achieved_ppm: Count
    false_alarms: Count
    windows: Count
    calibration_windows: Count
    extrapolated: bool


class NodePart(_Strict):
    """What only a node's image has."""

    generation: Annotated[int, Field(ge=0, le=23)]
    threshold: Annotated[int, Field(ge=0, le=2**32 - 1)]  # of the int8 error, nodes/wire/SPEC.md "Score"


class Spectrogram(_Strict):
    """What a node's model looks at in the place of features: `rows` of feature set 4 (nodes/wire/SPEC.md) of a channel.
    The node computes `feature_set` of the last `samples` all the same, for its reports.
    """

    frame: Literal[64, 128, 256, 512]
    corner: Annotated[int, Field(ge=16, le=16 * 512)]
    bands: Annotated[int, Field(ge=4, le=64)]
    rows: Annotated[int, Field(ge=1, le=128)]
    channel: Annotated[int, Field(ge=0, le=8)]

    @property
    def samples(self) -> int:
        """Of one window, per channel."""
        return (self.rows + 1) * self.frame // 2

    @model_validator(mode="after")
    def _is_a_form(self) -> Spectrogram:
        if self.corner > 16 * self.frame or self.bands >= self.frame // 2:
            raise ValueError(f"no spectrogram has {self.bands} bands of {self.frame} samples and corner {self.corner}")
        return self


class Bin(_Strict):
    """Values of one context channel (a speed, a state, the hour of the day) from `low` to below `high`; None: open."""

    name: Word
    low: Finite | None
    high: Finite | None

    @model_validator(mode="after")
    def _runs_upwards(self) -> Bin:
        if self.low is not None and self.high is not None and self.high <= self.low:
            raise ValueError(f"high {self.high} is not above low {self.low}")
        return self

    def holds(self, context: Mapping[str, float]) -> bool:
        """Whether a context lies in it; a channel that is not known does not."""
        if self.name not in context:
            return False
        value = context[self.name]
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


class Entry(_Strict):
    """The threshold of a node, of all nodes of an asset, or of all (""), in some operating context or in any.

    `threshold` is the one of the four that is in force. `windows` normal windows gave them; with `extrapolated` those
    were too few to show what is wanted. Of `check_windows` windows that they were not made from, `check_above` lay
    above the threshold, in `check_events` events of its basis.
    """

    node: str
    asset: str
    context: tuple[Bin, ...]
    threshold: Count
    p95: Count
    p99: Count
    event_1of1: Count
    event_3of5: Count
    windows: Count
    extrapolated: bool
    check_windows: Count
    check_above: Count
    check_events: Count

    def fits(self, node: str, asset: str, context: Mapping[str, float]) -> bool:
        """Whether it is for this node in this context."""
        own = self.node in ("", node) and self.asset in ("", asset)
        return own and all(bin_.holds(context) for bin_ in self.context)

    @property
    def special(self) -> tuple[bool, bool, int]:
        """The greater, the more it is made for one case."""
        return bool(self.node), bool(self.asset), len(self.context)


class Calibration(_Strict):
    """Thresholds by place and context, from held-out normal windows.

    `outputs`: what computed the errors: "direct", the node's own arithmetic to the bit, in int8 errors; or "litert",
    in millionths. `events_ppb` false-alarm events are wanted in 10^9 windows. `data`: of which the windows are.
    """

    data: tuple[DataSource, ...] = Field(min_length=1)
    outputs: Literal["direct", "litert"]
    by: Basis
    events_ppb: Annotated[int, Field(ge=1, le=10**9)]
    table: tuple[Entry, ...] = Field(min_length=1)

    def find(self, node: str, asset: str, context: Mapping[str, float]) -> Entry | None:
        """The entry that is made for this case more than any other that fits."""
        fitting = [entry for entry in self.table if entry.fits(node, asset, context)]
        return max(fitting, key=lambda entry: entry.special, default=None)


class Manifest(_Strict):
    """bundle.json. `threshold` is the host's (gateway/detectors/litert.py says of what), in millionths.

    `classes` are the outputs of a classifier, in their order; `known` is the one that the Bundle's node is known to be
    in, None where none is known: then the last class is what is none of the others. `calibration`: None where the
    threshold is one for all. `spectrogram`: None for a model of features.
    """

    version: Literal[2]
    name: str = Field(pattern=f"^{NAME}$")
    role: Literal["node", "host"]
    kind: Kind
    classes: tuple[Word, ...] = Field(default=(), max_length=64)
    known: Annotated[int, Field(ge=0, le=63)] | None = None
    detector: str = Field(pattern="^[a-z][a-z0-9_]{0,31}$")
    feature_set: int
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=9)
    samples: Annotated[int, Field(ge=32, le=1024)]
    rate_millihz: Annotated[int, Field(ge=1, le=2**32 - 1)]
    scaling: tuple[ScalingRow, ...]
    threshold: Count
    node: NodePart | None
    quality: Quality
    calibration: Calibration | None = None
    spectrogram: Spectrogram | None = None
    provenance: Provenance
    licence: str = Field(min_length=1)
    files: dict[str, Digest]

    @property
    def channels_n(self) -> int:
        """How many channels a window has."""
        return len(self.channels)

    @property
    def features(self) -> int:
        """Features per window."""
        return feature_sets.size(self.feature_set, self.channels_n)

    @property
    def outputs(self) -> int:
        """Values that the network gives."""
        return len(self.classes) or self.features

    def threshold_for(self, node: str, asset: str, context: Mapping[str, float] | None = None) -> int:
        """What a window's value is held against, in the unit of the Bundle's role: a node's int8 error, or millionths.

        `context`: what is known of the machine just then, by the names of its channels.
        """
        entry = self.calibration.find(node, asset, context or {}) if self.calibration else None
        if entry is not None:
            return entry.threshold
        return self.threshold if self.node is None else self.node.threshold

    @model_validator(mode="after")
    def _fits_together(self) -> Manifest:
        if self.feature_set not in feature_sets.NAMES:
            raise ValueError(f"feature set {self.feature_set} is unknown")
        scaled, what = (self.spectrogram.bands, "bands") if self.spectrogram else (self.features, "features")
        if len(self.scaling) != scaled:
            raise ValueError(f"{len(self.scaling)} rows of scaling for {scaled} {what}")
        if (self.role == "node") != (self.node is not None):
            raise ValueError(f"a bundle of role {self.role!r} {'needs' if self.node is None else 'has no'} 'node'")
        if self.calibration and (self.calibration.outputs == "direct") != (self.role == "node"):
            raise ValueError(f"calibrated on {self.calibration.outputs!r}, which role {self.role!r} does not run")
        wanted = {MODEL, IMAGE} if self.role == "node" else {MODEL}
        if set(self.files) != wanted:
            raise ValueError(f"'files' lists {sorted(self.files)}, not {sorted(wanted)}")
        return self

    @model_validator(mode="after")
    def _spectrogram_fits(self) -> Manifest:
        if self.spectrogram is None:
            return self
        if self.role != "node" or self.kind != "classifier":
            raise ValueError(f"a spectrogram is for a node's classifier, not for a {self.role}'s {self.kind}")
        if self.spectrogram.channel >= self.channels_n:
            raise ValueError(f"a spectrogram of channel {self.spectrogram.channel} of {self.channels_n}")
        if self.samples % (self.spectrogram.frame // 2) or self.samples > self.spectrogram.samples:
            raise ValueError(f"{self.samples} samples are no whole half frames of {self.spectrogram.samples}")
        return self

    @model_validator(mode="after")
    def _classes_fit_its_kind(self) -> Manifest:
        if self.kind == "autoencoder" and (self.classes or self.known is not None):
            raise ValueError("an autoencoder has no classes")
        if self.kind == "classifier" and len(self.classes) < 2:
            raise ValueError(f"{len(self.classes)} classes, where a classifier has 2 to 64")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is named twice")
        if self.known is not None and self.known >= len(self.classes):
            raise ValueError(f"known class {self.known} of {len(self.classes)}")
        return self
