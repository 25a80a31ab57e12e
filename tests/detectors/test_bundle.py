"""A Bundle comes back as it was written, and every kind of damage is named with its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from gateway.detectors import detector
from gateway.detectors.bundle import Bundle, BundleBroken, load


def test_round_trip(node: Bundle, host: Bundle) -> None:
    assert load(node.folder) == node
    assert load(host.folder) == host
    assert node.model_sha256 == hashlib.sha256(node.model).digest()
    assert node.manifest.features == 6
    assert host.image is None


def test_image_is_the_model_image_of_the_wire_contract(node: Bundle) -> None:
    assert node.image is not None
    version, feature_set, channels, samples, generation, scaling, threshold, tflite, *rest = cbor2.loads(node.image)
    m = node.manifest
    assert (version, feature_set, channels, samples) == (2, m.feature_set, m.channels, m.samples)
    assert m.node is not None
    assert (generation, threshold) == (m.node.generation, m.node.threshold)
    assert [tuple(row) for row in scaling] == list(m.scaling)
    assert tflite == node.model
    (features, _, outputs), kind, rounding, arena = rest
    assert len(features) == len(outputs) == m.features
    assert (kind, rounding, arena) == (0, 2, 0)
    assert cbor2.dumps(cbor2.loads(node.image), canonical=True) == node.image


def rewrite(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        fields = json.loads((folder / "bundle.json").read_text())
        change(fields)
        (folder / "bundle.json").write_text(json.dumps(fields))

    return damage


def replace(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change a file and its digest with it."""

    def damage(folder: Path) -> None:
        data = change((folder / name).read_bytes())
        (folder / name).write_bytes(data)
        rewrite(lambda f: f["files"].update({name: hashlib.sha256(data).hexdigest()}))(folder)

    return damage


def image_field(index: int, value: object) -> Callable[[Path], None]:
    def change(data: bytes) -> bytes:
        image = cbor2.loads(data)
        image[index] = value
        return cbor2.dumps(image)

    return replace("image.cbor", change)


DAMAGE: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "no manifest": ("bundle.json", "missing", lambda f: (f / "bundle.json").unlink()),
    "no model": ("model.tflite", "missing", lambda f: (f / "model.tflite").unlink()),
    "no image": ("image.cbor", "missing", lambda f: (f / "image.cbor").unlink()),
    "not JSON": ("bundle.json", "not JSON", lambda f: (f / "bundle.json").write_text("{") and None),
    "a list": ("bundle.json", "version None", lambda f: (f / "bundle.json").write_text("[]") and None),
    "a bit of the model": (
        "model.tflite",
        "damaged",
        lambda f: (f / "model.tflite").write_bytes((f / "model.tflite").read_bytes()[:-1] + b"\x01") and None,
    ),
    "a bit of the image": (
        "image.cbor",
        "damaged",
        lambda f: (f / "image.cbor").write_bytes((f / "image.cbor").read_bytes()[:-1]) and None,
    ),
    "of the future": ("bundle.json", "version 2", rewrite(lambda f: f.update(version=2))),
    "unknown field": ("bundle.json", "surprise", rewrite(lambda f: f.update(surprise=1))),
    "field gone": ("bundle.json", "threshold", rewrite(lambda f: f.pop("threshold"))),
    "number as text": ("bundle.json", "threshold", rewrite(lambda f: f.update(threshold="7"))),
    "unknown feature set": ("bundle.json", "feature set 77", rewrite(lambda f: f.update(feature_set=77))),
    "features missing": ("bundle.json", "5 rows of scaling for 6", rewrite(lambda f: f["scaling"].pop())),
    "other channels": ("bundle.json", "6 rows of scaling for 9", rewrite(lambda f: f.update(channels=3))),
    "role": ("bundle.json", "role 'host'", rewrite(lambda f: f.update(role="host"))),
    "path outside": ("bundle.json", "files", rewrite(lambda f: f["files"].update({"../x": "0" * 64}))),
    "not a tflite": ("model.tflite", "not a .tflite", replace("model.tflite", lambda data: b"no model" + data[8:])),
    "other model in the image": ("image.cbor", "does not hold the model", image_field(7, b"other")),
    "other threshold in the image": ("image.cbor", "does not hold the model", image_field(6, 1)),
    "no self-test": ("image.cbor", "self-test", image_field(8, [])),
    "image not CBOR": ("image.cbor", "not CBOR", replace("image.cbor", lambda _: b"\x9f\x01")),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(folder: Path, kind: str) -> None:
    file, reason, damage = DAMAGE[kind]
    damage(folder)
    with pytest.raises(BundleBroken) as raised:
        load(folder)
    assert raised.value.file == folder / file
    assert reason in raised.value.reason


@pytest.mark.parametrize("name", ["bundle", "scaling", "nobody"])
def test_a_detector_that_does_not_exist_is_refused(host: Bundle, name: str) -> None:
    other = Bundle(host.folder, host.manifest.model_copy(update={"detector": name}), host.model)
    with pytest.raises(BundleBroken, match="no detector is called"):
        detector(other)
