"""models.json for the scripts in `board`: networks of all operators, and what TensorFlow Lite Micro makes of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import ai_edge_litert.schema_py_generated as schema
import cbor2
import numpy as np

from tests.nodes import model_images
from tests.nodes.ops.cases import GRAPHS, OPERATORS
from tests.nodes.ops.comparison import interpret, interpreter_of
from tests.nodes.tflite_networks import Layer, Network, model_of, pack

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


def images() -> list[dict[str, Any]]:
    found = []
    for widths in WIDTHS:
        image = model_images.image(widths)
        fields = cbor2.loads(image)
        _, feature_set, channels, samples, generation, _, threshold, tflite, _ = fields
        interpreter = interpreter_of(tflite)
        scores = []
        for features in np.random.default_rng(3).integers(-150, 150, (20, widths[0])):
            q = np.clip(features - 3, -128, 127)
            terms = (q - interpret(interpreter, q.astype(np.int8).reshape(1, -1)).astype(int)) ** 2
            error = int(terms.sum())
            anomalous = error > threshold
            why = 64 + int(terms.argmax()) if anomalous else 0
            scores.append([features.tolist(), [error, score_code(error, threshold), why, anomalous]])
        about = [
            feature_set,
            channels,
            samples,
            generation,
            widths[0],
            hashlib.sha256(image).digest()[:8].hex(),
            threshold,
        ]
        found.append({"name": str(widths), "image": image.hex(), "about": about, "scores": scores})
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
