"""A Bundle: a folder with a model and everything needed to run it.

    bundle.json    the Manifest below
    model.tflite   the model; its SHA-256 names it in the journal
    image.cbor     role "node" only: the `model-image` of nodes/wire/wire.cddl, as a node is given it

The digests in bundle.json find damage, not forgery.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import cbor2
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.detectors import feature_sets

VERSION = 1
MANIFEST, MODEL, IMAGE = "bundle.json", "model.tflite", "image.cbor"
IMAGE_VERSION = 2
AUTOENCODER, ROUNDING_TWICE = 0, 2
"""Of a model-image: its kind, and how its arithmetic rounds (nodes/wire/wire.cddl)."""

FeatureValue = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ScalingRow = tuple[FeatureValue, FeatureValue, Annotated[int, Field(ge=1, le=62)]]
Count = Annotated[int, Field(ge=0)]


class BundleBroken(ValueError):  # noqa: N818 - names a state of the bundle, as LinkFailed and OutputFailed do
    """A Bundle that cannot be used; `file` and `reason` say what is wrong with what."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class DataSource(_Strict):
    """Data a Bundle was made from."""

    description: str
    sha256: Digest


class Provenance(_Strict):
    """Where a Bundle comes from: enough to make it again."""

    data: tuple[DataSource, ...] = Field(min_length=1)
    code_version: str
    seed: int
    created_from: str


class Quality(_Strict):
    """False alarms per window on normal data, wanted and achieved, in millionths.

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


class Manifest(_Strict):
    """bundle.json. `threshold` is in millionths of the mean squared standardised reconstruction error."""

    version: Literal[1]
    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,63}$")
    role: Literal["node", "host"]
    detector: str = Field(pattern="^[a-z][a-z0-9_]{0,31}$")
    feature_set: int
    channels: Annotated[int, Field(ge=1, le=9)]
    samples: Annotated[int, Field(ge=32, le=1024)]
    scaling: tuple[ScalingRow, ...]
    threshold: Count
    node: NodePart | None
    quality: Quality
    provenance: Provenance
    licence: str
    files: dict[str, Digest]

    @property
    def features(self) -> int:
        """Features per window."""
        return feature_sets.size(self.feature_set, self.channels)

    @model_validator(mode="after")
    def _fits_together(self) -> Manifest:
        if self.feature_set not in feature_sets.NAMES:
            raise ValueError(f"feature set {self.feature_set} is unknown")
        if len(self.scaling) != self.features:
            raise ValueError(f"{len(self.scaling)} rows of scaling for {self.features} features")
        if (self.role == "node") != (self.node is not None):
            raise ValueError(f"a bundle of role {self.role!r} {'needs' if self.node is None else 'has no'} 'node'")
        wanted = {MODEL, IMAGE} if self.role == "node" else {MODEL}
        if set(self.files) != wanted:
            raise ValueError(f"'files' lists {sorted(self.files)}, not {sorted(wanted)}")
        return self


@dataclass(frozen=True)
class Bundle:
    """A Bundle as loaded: whole, and undamaged."""

    folder: Path
    manifest: Manifest
    model: bytes
    image: bytes | None = None

    @property
    def name(self) -> str:
        """The name that assets refer to."""
        return self.manifest.name

    @property
    def model_sha256(self) -> bytes:
        """What names the model in the journal."""
        return bytes.fromhex(self.manifest.files[MODEL])


def load(folder: Path) -> Bundle:
    """Read a Bundle and check all of it but the model's inside. Raises BundleBroken."""
    manifest = _manifest(folder / MANIFEST)
    contents = {name: _checked(folder / name, digest) for name, digest in manifest.files.items()}
    model = contents[MODEL]
    if model[4:8] != b"TFL3":
        raise BundleBroken(folder / MODEL, "not a .tflite file")
    image = contents.get(IMAGE)
    if image is not None:
        _check_image(folder / IMAGE, image, manifest, model)
    return Bundle(folder, manifest, model, image)


def image_fields(manifest: Manifest, model: bytes) -> list[object]:
    """The fields of the `model-image` (nodes/wire/wire.cddl) up to its self-test. `manifest.node` is there."""
    assert manifest.node is not None
    node = manifest.node
    head: list[object] = [IMAGE_VERSION, manifest.feature_set, manifest.channels, manifest.samples, node.generation]
    return [*head, [list(row) for row in manifest.scaling], node.threshold, model]


def _manifest(file: Path) -> Manifest:
    text = _read(file)
    try:
        fields: Any = json.loads(text)
    except ValueError as error:
        raise BundleBroken(file, f"not JSON: {error}") from error
    version = fields.get("version") if isinstance(fields, dict) else None
    if version != VERSION:
        raise BundleBroken(file, f"version {version!r}, where this gateway reads {VERSION}")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or 'bundle'}: {e['msg']}" for e in error.errors())
        raise BundleBroken(file, "; ".join(faults)) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise BundleBroken(file, "missing") from error
    except OSError as error:
        raise BundleBroken(file, f"cannot be read: {error.strerror}") from error


def _checked(file: Path, digest: str) -> bytes:
    data = _read(file)
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleBroken(file, f"damaged: its SHA-256 is not the one in {MANIFEST}")
    return data


def _check_image(file: Path, data: bytes, manifest: Manifest, model: bytes) -> None:
    try:
        image = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise BundleBroken(file, f"not CBOR: {error}") from error
    if not isinstance(image, list) or image[1:8] != image_fields(manifest, model)[1:]:
        raise BundleBroken(file, f"does not hold the model and the settings of {MANIFEST}")
    match [image[0], *image[8:]]:
        case [1, [list(features), int(found)]] if len(features) == manifest.features and 0 <= found < 2**32:
            return  # of releases up to 0.1: without what the network has to give
        case [2, [list(features), int(found), bytes(outputs)], int(kind), int(rounding), int(arena)] if (
            len(features) == len(outputs) == manifest.features
            and 0 <= found < 2**32
            and (kind, rounding) == (AUTOENCODER, ROUNDING_TWICE)
            and 0 <= arena < 2**32
        ):
            return
    raise BundleBroken(file, "has no usable self-test")
