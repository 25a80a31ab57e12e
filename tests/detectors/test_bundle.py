"""A Bundle comes back as it was written, and every kind of damage is named with its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from gateway.detectors import detector, signature
from gateway.detectors.bundle import ANY, Bundle, BundleBroken, load
from tests.detectors.signing import KEY, TRUST


def test_round_trip(node: Bundle, host: Bundle) -> None:
    assert load(node.folder, ANY) == node
    assert load(host.folder, ANY) == host
    assert node.model_sha256 == hashlib.sha256(node.model).digest()
    assert (node.manifest.features, node.manifest.channels_n, node.manifest.outputs) == (6, 2, 6)
    assert [(c.name, c.unit) for c in node.manifest.channels] == [("x", "mg"), ("y", "mg")]
    assert host.image is None


def test_image_is_the_model_image_of_the_wire_contract(node: Bundle) -> None:
    assert node.image is not None
    version, feature_set, channels, samples, generation, scaling, threshold, tflite, *rest = cbor2.loads(node.image)
    m = node.manifest
    assert (version, feature_set, channels, samples) == (2, m.feature_set, m.channels_n, m.samples)
    assert m.node is not None
    assert (generation, threshold) == (m.node.generation, m.node.threshold)
    assert [tuple(row) for row in scaling] == list(m.scaling)
    assert tflite == node.model
    (features, _, outputs), kind, rounding, arena = rest
    assert len(features) == len(outputs) == m.features
    assert (kind, rounding, arena) == (0, 2, 0)
    assert cbor2.dumps(cbor2.loads(node.image), canonical=True) == node.image


def resign(folder: Path) -> None:
    """Whoever has the key has signed it, broken as it is."""
    (folder / signature.FILE).write_bytes(signature.sign(KEY, (folder / "bundle.json").read_bytes()))


def rewrite(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        fields = json.loads((folder / "bundle.json").read_text())
        change(fields)
        (folder / "bundle.json").write_text(json.dumps(fields))
        resign(folder)

    return damage


def manifest(text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "bundle.json").write_text(text)
        resign(folder)

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
        image[index : index + 1] = [value]
        return cbor2.dumps(image)

    return replace("image.cbor", change)


ENTRY = {
    "node": "", "asset": "", "context": [], "threshold": 5, "p95": 1, "p99": 2, "event_1of1": 5, "event_3of5": 3,
    "windows": 9, "extrapolated": True, "check_windows": 8, "check_above": 0, "check_events": 0,
}  # fmt: skip
DATA = [{"description": "drawn", "sha256": "0" * 64}]
UPSIDE_DOWN = ENTRY | {"context": [{"name": "speed", "low": 2.0, "high": 1.0}]}


def calibrated(outputs: str, entry: dict[str, Any]) -> Callable[[Path], None]:
    table = {"data": DATA, "outputs": outputs, "by": "event_1of1", "events_ppb": 2_000_000, "table": [entry]}
    return rewrite(lambda f: f.update(calibration=table))


DAMAGE: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "no manifest": ("bundle.json", "missing", lambda f: (f / "bundle.json").unlink()),
    "no model": ("model.tflite", "missing", lambda f: (f / "model.tflite").unlink()),
    "no image": ("image.cbor", "missing", lambda f: (f / "image.cbor").unlink()),
    "not JSON": ("bundle.json", "not JSON", manifest("{")),
    "deeper than anybody reads": ("bundle.json", "not JSON", manifest("[" * 200_000)),
    "a list": ("bundle.json", "version None", manifest("[]")),
    "of release 0.1": ("bundle.json", "make the bundle anew", rewrite(lambda f: f.update(version=1))),
    "of the future": ("bundle.json", "version 3", rewrite(lambda f: f.update(version=3))),
    "unknown field": ("bundle.json", "surprise", rewrite(lambda f: f.update(surprise=1))),
    "field gone": ("bundle.json", "threshold", rewrite(lambda f: f.pop("threshold"))),
    "number as text": ("bundle.json", "threshold", rewrite(lambda f: f.update(threshold="7"))),
    "unknown feature set": ("bundle.json", "feature set 77", rewrite(lambda f: f.update(feature_set=77))),
    "features missing": ("bundle.json", "5 rows of scaling for 6", rewrite(lambda f: f["scaling"].pop())),
    "another set of features": ("bundle.json", "6 rows of scaling for 15", rewrite(lambda f: f.update(feature_set=2))),
    "other channels": ("bundle.json", "6 rows of scaling for 3", rewrite(lambda f: f["channels"].pop())),
    "role": ("bundle.json", "role 'host'", rewrite(lambda f: f.update(role="host"))),
    "path outside": ("bundle.json", "files", rewrite(lambda f: f["files"].update({"../x": "0" * 64}))),
    "no licence": ("bundle.json", "licence", rewrite(lambda f: f.update(licence=""))),
    "classes of an autoencoder": ("bundle.json", "no classes", rewrite(lambda f: f.update(classes=["a", "b"]))),
    "a class": ("bundle.json", "1 classes", rewrite(lambda f: f.update(kind="classifier", classes=["a"]))),
    "known class": (
        "bundle.json", "known class 2 of 2",
        rewrite(lambda f: f.update(kind="classifier", classes=["a", "b"], known=2)),
    ),
    "other class in the image": (
        "image.cbor", "self-test", rewrite(lambda f: f.update(kind="classifier", classes=["a", "b"])),
    ),
    "other kind in the image": (
        "image.cbor", "of the kind", rewrite(lambda f: f.update(kind="classifier", classes=list("abcdef"))),
    ),
    "calibrated on something else": ("bundle.json", "calibrated on 'litert'", calibrated("litert", ENTRY)),
    "a bin upside down": ("bundle.json", "calibration.table.0.context.0", calibrated("direct", UPSIDE_DOWN)),
    "not a tflite": ("model.tflite", "not a .tflite", replace("model.tflite", lambda data: b"no model" + data[8:])),
    "image of release 0.1": ("image.cbor", "does not hold the model", image_field(0, 1)),
    "other model in the image": ("image.cbor", "does not hold the model", image_field(7, b"other")),
    "other threshold in the image": ("image.cbor", "does not hold the model", image_field(6, 1)),
    "no self-test": ("image.cbor", "self-test", image_field(8, [])),
    "other rounding": ("image.cbor", "of the kind", image_field(10, 1)),
    "something behind it": ("image.cbor", "of the kind", image_field(12, 0)),
    "image not CBOR": ("image.cbor", "not CBOR", replace("image.cbor", lambda _: b"\x9f\x01")),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(folder: Path, kind: str) -> None:
    file, reason, damage = DAMAGE[kind]
    damage(folder)
    with pytest.raises(BundleBroken) as raised:
        load(folder, TRUST)
    assert raised.value.file == folder / file
    assert reason in raised.value.reason


@pytest.mark.parametrize("name", ["bundle", "scaling", "nobody"])
def test_a_detector_that_does_not_exist_is_refused(host: Bundle, name: str) -> None:
    other = Bundle(host.folder, host.manifest.model_copy(update={"detector": name}), host.model)
    with pytest.raises(BundleBroken, match="no detector is called"):
        detector(other)


def test_the_threshold_is_that_of_the_most_special_entry(folder: Path) -> None:
    speed = {"name": "speed", "low": 10.0, "high": 20.0}
    cases = {
        5: {}, 6: {"asset": "fan"}, 7: {"node": "hub"}, 8: {"node": "hub", "context": [speed]},
        9: {"node": "hub", "context": [speed, {"name": "hour", "low": 0.0, "high": 6.0}]},
    }  # fmt: skip
    table = [ENTRY | special | {"threshold": threshold} for threshold, special in cases.items()]
    found = {"data": DATA, "outputs": "direct", "by": "p99", "events_ppb": 1, "table": table}
    rewrite(lambda f: f.update(calibration=found))(folder)
    own = load(folder, TRUST).manifest.threshold_for
    assert [own("rim", ""), own("rim", "fan"), own("hub", "fan")] == [5, 6, 7]
    assert [own("hub", "fan", {"speed": speed}) for speed in (9.9, 10.0, 19.9, 20.0)] == [7, 8, 8, 7]
    assert own("hub", "fan", {"speed": 12.0, "hour": 1.0}) == 9
    assert own("rim", "fan", {"speed": 12.0, "hour": 1.0}) == 6


def test_without_a_calibration_the_threshold_is_one_for_all(node: Bundle, host: Bundle) -> None:
    assert node.manifest.node is not None
    assert node.manifest.threshold_for("hub", "fan") == node.manifest.node.threshold
    assert host.manifest.threshold_for("hub", "fan", {"speed": 1.0}) == host.manifest.threshold
