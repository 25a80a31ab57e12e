"""models.json for the scripts in `board`: networks of all operators, and what TensorFlow Lite Micro makes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ai_edge_litert.schema_py_generated as schema
import cbor2
import numpy as np
from numpy.typing import NDArray

from tests.nodes import model_images
from tests.nodes.ops.cases import GRAPHS, OPERATORS
from tests.nodes.ops.comparison import interpret, interpreter_of
from tests.nodes.tflite_networks import Layer, Network, model_of, pack

Ints = NDArray[np.int64]
WIDTHS = ((9, 6, 9), (18, 12, 8, 12, 18))
SEEDS = (1, 2)


def networks() -> list[dict[str, Any]]:
    found = []
    for name, make in (GRAPHS | OPERATORS).items():
        for seed in SEEDS if name in GRAPHS else SEEDS[:1]:
            case = make(np.random.default_rng(seed))
            interpreter = interpreter_of(case.tflite)
            outputs = [interpret(interpreter, x).tobytes().hex() for x in case.inputs]
            found.append({
                "name": f"{name} {seed}", "tflite": case.tflite.hex(), "size": int(case.inputs[0].size),
                "inputs": [x.tobytes().hex() for x in case.inputs], "outputs": outputs,
            })  # fmt: skip
    return found


def score_code(error: int, threshold: int) -> int:
    """nodes/wire/SPEC.md, "Score", in the numbers of a computer that has logarithms."""
    sixteenths = [-128 - 512 if x == 0 else int(np.floor(16 * np.log2(float(x)) + 1e-12)) for x in (error, threshold)]
    return min(max(128 + sixteenths[0] - sixteenths[1], 0), 255)


def distance(q: Ints, out: Ints) -> tuple[int, int]:
    """Of an autoencoder: error, and why if that is too much."""
    terms = (q - out) ** 2
    return int(terms.sum()), 64 + int(terms.argmax())


def doubt(known: int | None, _q: Ints, out: Ints) -> tuple[int, int]:
    """The same of a classifier: nodes/wire/SPEC.md, "Score"."""
    apart = len(out) - 1 if known is None else known
    ahead = int(out[apart] - np.delete(out, apart).max())
    return 255 + (ahead if known is None else -ahead), 1


def classifier(known: int | None) -> bytes:
    """An image of four classes, and of what is none of them, that nobody has trained."""
    tflite = model_images.network((9, 12, 5))
    features = np.random.default_rng(9).integers(-100, 100, 9)
    out = output(interpreter_of(tflite), features)
    self_test = [features.tolist(), doubt(known, features, out)[0], out.astype(np.int8).tobytes()]
    scaling = [[0, 1 << 24, 24]] * 9
    image = [2, 1, 3, 128, 5, scaling, 200, tflite, self_test, 1, 2, 0]
    return cbor2.dumps(image if known is None else [*image, known])


def quantised(features: Ints) -> Ints:
    """The scaling of all these images is 1."""
    return np.clip(features - 3, -128, 127)


def output(interpreter: Any, features: Ints) -> Ints:
    return interpret(interpreter, quantised(features).astype(np.int8).reshape(1, -1)).astype(int).ravel()


def image_case(name: str, image: bytes, judged: Callable[[Ints, Ints], tuple[int, int]]) -> dict[str, Any]:
    fields = cbor2.loads(image)
    _, feature_set, channels, samples, generation, scaling, threshold, tflite = fields[:8]
    fields[8][1] += 1  # the error of its self-test
    damaged = cbor2.dumps(fields)
    interpreter = interpreter_of(tflite)
    scores = []
    for features in np.random.default_rng(3).integers(-150, 150, (20, len(scaling))):
        error, leading = judged(quantised(features), output(interpreter, features))
        anomalous = error > threshold
        why = leading if anomalous else 0
        scores.append([features.tolist(), [error, score_code(error, threshold), why, anomalous]])
    id_ = hashlib.sha256(image).digest()[:8].hex()
    about = [feature_set, channels, samples, generation, len(scaling), id_, threshold]
    return {"name": name, "image": image.hex(), "damaged": damaged.hex(), "about": about, "scores": scores}


def images() -> list[dict[str, Any]]:
    found = [image_case(str(widths), model_images.image(widths), distance) for widths in WIDTHS]
    for known in (None, 1):
        found.append(image_case(f"classifier, {known}", classifier(known), partial(doubt, known)))
        assert {score[-1] for _, score in found[-1]["scores"]} == {False, True}, "some belong to a class"
    return found


def refused() -> list[dict[str, Any]]:
    """Networks that the engine refuses: status of network.h, operator of the schema, its place in the file."""
    layer = Layer(np.ones((3, 3), int), np.zeros(3, int), [0.01], 0.1, 0)
    tanh = model_of(Network(0.05, 0, [layer]))
    tanh.operatorCodes[0].builtinCode = tanh.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.TANH
    no_scale = model_of(Network(0.05, 0, [layer, layer]))
    no_scale.subgraphs[0].tensors[-1].quantization = None
    cases = (("TANH", tanh, [3, 28, 0]), ("no scale", no_scale, [8, 9, 1]))
    return [{"name": name, "tflite": pack(model).hex(), "numbers": numbers} for name, model, numbers in cases]


def write(path: Path) -> None:
    path.write_text(json.dumps({"networks": networks(), "images": images(), "refused": refused()}))
