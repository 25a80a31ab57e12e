"""A Bundle: a folder with a model and everything needed to run it.

    bundle.json    the Manifest (manifest.py)
    model.tflite   the model; its SHA-256 names it in the journal
    image.cbor     role "node" only: the `model-image` of nodes/wire/wire.cddl, as a node is given it
    bundle.sig     who answers for it (signature.py)

bundle.json holds the digests of the others, and bundle.sig signs bundle.json: whoever changes a byte of any of them
needs a key that the gateway trusts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
from pydantic import ValidationError

from gateway.detectors import signature
from gateway.detectors.manifest import IMAGE, MANIFEST, MODEL, VERSION, Manifest
from gateway.detectors.signature import Trust

IMAGE_VERSION, IMAGE_LOOKING = 2, 3
KINDS = {"autoencoder": 0, "classifier": 1}
ROUNDING_TWICE = 2
"""Of a model-image: its version, the second of a model that looks at a spectrogram; its kind; and how its arithmetic
rounds (nodes/wire/wire.cddl).
"""

NOBODY = Trust()
ANY = Trust(allow_unsigned=True)
"""For one's own work on a Bundle: whole and undamaged, whoever has made it."""


class BundleBroken(ValueError):  # noqa: N818 - names a state of the bundle, as LinkFailed and OutputFailed do
    """A Bundle that cannot be used; `file` and `reason` say what is wrong with what."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


@dataclass(frozen=True)
class Bundle:
    """A Bundle as loaded: whole, undamaged, and signed by the owner of a public key, or by nobody."""

    folder: Path
    manifest: Manifest
    model: bytes
    image: bytes | None = None
    signed_by: bytes | None = None

    @property
    def name(self) -> str:
        """The name that assets refer to."""
        return self.manifest.name

    @property
    def model_sha256(self) -> bytes:
        """What names the model in the journal."""
        return bytes.fromhex(self.manifest.files[MODEL])


def load(folder: Path, trust: Trust = NOBODY) -> Bundle:
    """Read a Bundle and check all of it but the model's inside. Raises BundleBroken, also for one that is not signed by
    somebody trusted.
    """
    text = _read(folder / MANIFEST)
    _check_version(folder / MANIFEST, text)
    signed_by = _signer(folder / signature.FILE, text)
    if why := signature.untrusted(trust, signed_by):
        raise BundleBroken(folder / signature.FILE, why)
    manifest = _manifest(folder / MANIFEST, text)
    contents = {name: _checked(folder / name, digest) for name, digest in manifest.files.items()}
    model = contents[MODEL]
    if model[4:8] != b"TFL3":
        raise BundleBroken(folder / MODEL, "not a .tflite file")
    image = contents.get(IMAGE)
    if image is not None:
        _check_image(folder / IMAGE, image, manifest, model)
    return Bundle(folder, manifest, model, image, signed_by)


def image_fields(manifest: Manifest, model: bytes) -> list[object]:
    """The fields of the `model-image` (nodes/wire/wire.cddl) up to its self-test. `manifest.node` is there."""
    assert manifest.node is not None
    node = manifest.node
    version = IMAGE_LOOKING if manifest.spectrogram else IMAGE_VERSION
    head: list[object] = [version, manifest.feature_set, manifest.channels_n, manifest.samples, node.generation]
    return [*head, [list(row) for row in manifest.scaling], node.threshold, model]


def image_tail(manifest: Manifest, arena: int) -> list[object]:
    """The fields behind the self-test. `arena`: bytes that TensorFlow Lite Micro needs, 0 if that is not measured."""
    known = () if manifest.known is None else (manifest.known,)
    look = manifest.spectrogram
    looked = () if look is None else ([look.frame, look.corner, look.bands, look.rows, look.channel],)
    return [KINDS[manifest.kind], ROUNDING_TWICE, arena, *looked, *known]


def _check_version(file: Path, text: bytes) -> None:
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleBroken(file, f"not JSON: {error}") from error
    version = fields.get("version") if isinstance(fields, dict) else None
    if version == 1:
        raise BundleBroken(file, "version 1, of release 0.1, which nobody has signed: make the bundle anew")
    if version != VERSION:
        raise BundleBroken(file, f"version {version!r}, where this gateway reads {VERSION}")


def _signer(file: Path, manifest: bytes) -> bytes | None:
    try:
        return signature.signer(_read(file), manifest) if file.exists() else None
    except ValueError as error:
        raise error if isinstance(error, BundleBroken) else BundleBroken(file, str(error)) from error


def _manifest(file: Path, text: bytes) -> Manifest:
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
    except (cbor2.CBORDecodeError, ValueError, RecursionError) as error:
        raise BundleBroken(file, f"not CBOR: {error}") from error
    wanted = image_fields(manifest, model)
    if not isinstance(image, list) or image[: len(wanted)] != wanted:
        raise BundleBroken(file, f"does not hold the model and the settings of {MANIFEST}")
    match image[len(wanted) :]:
        case [list(test), int(), int(), int(arena), *_] if _is_self_test(test, manifest) and 0 <= arena < 2**32:
            if image[len(wanted) + 1 :] != image_tail(manifest, arena):
                raise BundleBroken(file, f"is not of the kind and class of {MANIFEST}")
            return
    raise BundleBroken(file, "has no usable self-test")


def _is_self_test(fields: list[Any], manifest: Manifest) -> bool:
    match fields:
        case [list(features), int(error), bytes(outputs)] if manifest.spectrogram is None:
            given = len(features) == manifest.features
        case [int(seed), int(shift), int(error), bytes(outputs)] if manifest.spectrogram is not None:
            given = 0 <= seed < 2**32 and 0 <= shift < 16
        case _:
            return False
    return given and len(outputs) == manifest.outputs and 0 <= error < 2**32
