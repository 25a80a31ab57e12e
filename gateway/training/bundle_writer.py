"""Writes a Bundle's folder (`gateway.detectors.bundle` says what is in it); the same contents give the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.detectors import signature
from gateway.detectors.bundle import ANY, Bundle, image_fields, image_tail, load
from gateway.detectors.manifest import IMAGE, MANIFEST, MODEL, Manifest

_ARENA_UNKNOWN = 0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A window's features, and what the node must compute from them at boot: the network's int8 outputs, as bytes, and
    the error.
    """

    features: Sequence[int]
    error: int
    outputs: bytes


@dataclass(frozen=True, slots=True)
class NoiseTest:
    """The same of a model that looks at a spectrogram: of noise (`self_test.noise`) of this seed and shift."""

    seed: int
    shift: int
    error: int
    outputs: bytes


def write(folder: Path, manifest: Manifest, model: bytes, self_test: SelfTest | NoiseTest | None) -> Bundle:
    """Write the Bundle, unsigned, and read it back. `manifest.files` is filled in here; a self-test goes with role
    "node" only.

    The manifest is written last, so that a folder which was not finished has none. Raises OSError.
    """
    contents = {MODEL: model}
    if self_test is not None:
        contents[IMAGE] = model_image(manifest, model, self_test)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    complete = Manifest.model_validate({**manifest.model_dump(), "files": digests})
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, signature.FILE):
        (folder / name).unlink(missing_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=1) + "\n")
    return load(folder, ANY)


def sign(folder: Path, key: Ed25519PrivateKey) -> Bundle:
    """Sign the Bundle in a folder, in the place of whoever has signed it before, and read it back.

    Raises BundleBroken if it is not whole, and OSError: nothing that is broken gets a signature.
    """
    signed = folder / signature.FILE
    signed.unlink(missing_ok=True)
    load(folder, ANY)
    signed.write_bytes(signature.sign(key, (folder / MANIFEST).read_bytes()))
    return load(folder, signature.Trust(frozenset({signature.public_bytes(key)})))


def self_test_of(bundle: Bundle) -> SelfTest | NoiseTest:
    """The self-test in a node's Bundle. ValueError if it is not a node's."""
    if bundle.image is None:
        raise ValueError(f"{bundle.name} is not a node's bundle")
    fields = cbor2.loads(bundle.image)[len(image_fields(bundle.manifest, bundle.model))]
    return NoiseTest(*fields) if bundle.manifest.spectrogram else SelfTest(*fields)


def model_image(manifest: Manifest, model: bytes, self_test: SelfTest | NoiseTest) -> bytes:
    """The `model-image` of nodes/wire/wire.cddl in preferred serialisation."""
    given = [list(self_test.features)] if isinstance(self_test, SelfTest) else [self_test.seed, self_test.shift]
    expected = [*given, self_test.error, self_test.outputs]
    fields = [*image_fields(manifest, model), expected, *image_tail(manifest, _ARENA_UNKNOWN)]
    return cbor2.dumps(fields, canonical=True)
