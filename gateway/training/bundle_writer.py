"""Writes a Bundle's folder (`gateway.detectors.bundle` says what is in it); the same contents give the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cbor2

from gateway.detectors.bundle import (
    AUTOENCODER,
    IMAGE,
    MANIFEST,
    MODEL,
    ROUNDING_TWICE,
    Bundle,
    Manifest,
    image_fields,
    load,
)

_ARENA_UNKNOWN = 0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A window's features, and what the node must compute from them at boot: the network's int8 outputs, as bytes, and
    the error.
    """

    features: Sequence[int]
    error: int
    outputs: bytes


def write(folder: Path, manifest: Manifest, model: bytes, self_test: SelfTest | None) -> Bundle:
    """Write the Bundle and read it back. `manifest.files` is filled in here; a self-test goes with role "node" only.

    The manifest is written last, so that a folder which was not finished has none. Raises OSError.
    """
    contents = {MODEL: model}
    if self_test is not None:
        contents[IMAGE] = model_image(manifest, model, self_test)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    complete = Manifest.model_validate({**manifest.model_dump(), "files": digests})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=1) + "\n")
    return load(folder)


def model_image(manifest: Manifest, model: bytes, self_test: SelfTest) -> bytes:
    """The `model-image` of nodes/wire/wire.cddl in preferred serialisation."""
    expected = [list(self_test.features), self_test.error, self_test.outputs]
    fields = [*image_fields(manifest, model), expected, AUTOENCODER, ROUNDING_TWICE, _ARENA_UNKNOWN]
    return cbor2.dumps(fields, canonical=True)
