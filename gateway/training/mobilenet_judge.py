"""What a classifier of spectrograms finds, float and int8, and the files that it is kept in.

    float.tflite, int8.tflite    inputs [1, rows, bands, 1]; outputs the logits of the classes and of none of them
    spectrogram.json             form, rows, rate, classes, the scalings of the bands, and the figures

The int8 network is run by the node's own engine; the score is how little it holds a window for its own asset, in output
steps (gateway/detectors/errors.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import interpreter
from numpy.typing import NDArray

from gateway.detectors import direct, errors
from gateway.detectors.scaling import quantise
from gateway.training import anatomy, metrics
from gateway.training.mobilenet import Trained, standardise
from gateway.training.spectrograms import Spectrograms

_Interpreter: Any = interpreter.Interpreter  # has no types


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one class on windows that were not learned from: how many are normal and faulty, and how well negative
    confidence in the class tells them apart, by the float and by the int8 network (None: one kind is not there).
    """

    name: str
    normal: int
    faulty: int
    auroc_float: float | None
    auroc_int8: float | None


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of the int8 file, bytes of memory that the node's engine asks for, and multiplications with addition."""

    flash: int
    memory: int
    macs: int


def by_int8(trained: Trained, x: NDArray[Any]) -> NDArray[np.int64]:
    """Outputs [n, classes + 1] of spectrograms [n, rows, bands], as a node computes them. Raises Refused,
    LibraryMissing.
    """
    network = direct.Network(trained.int8)
    features = x.reshape(len(x), -1).astype(np.int64)
    inputs = quantise(trained.int8_scaling * x.shape[1], features, network.input.zero_point)
    return network.run(inputs).astype(np.int64)


def by_float(trained: Trained, x: NDArray[Any]) -> NDArray[np.float64]:
    """Logits [n, classes + 1] of spectrograms [n, rows, bands], by LiteRT."""
    litert = _Interpreter(model_content=trained.tflite, num_threads=1)
    litert.allocate_tensors()
    first, last = litert.get_input_details()[0]["index"], litert.get_output_details()[0]["index"]
    found = np.empty((len(x), len(trained.names) + 1))
    for i, one in enumerate(standardise(trained.scaling, x)):
        litert.set_tensor(first, one[None, ..., None])
        litert.invoke()
        found[i] = litert.get_tensor(last)[0]
    return found


def figures(trained: Trained, seen: Spectrograms) -> list[Figures]:
    """Of each class, on what was not learned from and has a label. Raises Refused, LibraryMissing."""
    found = []
    for known, name in enumerate(trained.names):
        rows = (seen.label == known) & ~seen.learn & (seen.fault >= 0)
        fault, x = seen.fault[rows], seen.x[rows]
        scores = [-errors.margin(outputs(trained, x), known) for outputs in (by_float, by_int8)]
        areas = [metrics.auroc(fault, score.astype(np.float64)) for score in scores]
        found.append(Figures(name, int(np.sum(fault == 0)), int(np.sum(fault == 1)), *areas))
    return found


def size(trained: Trained) -> Size:
    """What it takes on a node, beside the spectrogram. Raises Refused, LibraryMissing."""
    memory = direct.Network(trained.int8).memory_size
    return Size(len(trained.int8), memory, anatomy.anatomy(trained.int8).macs)


def write(folder: Path, trained: Trained, seen: Spectrograms, found: list[Figures], takes: Size) -> None:
    """The three files, into a folder that is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "float.tflite").write_bytes(trained.tflite)
    (folder / "int8.tflite").write_bytes(trained.int8)
    about = {
        "form": asdict(seen.form),
        "rows": seen.rows,
        "rate_hz": seen.rate_hz,
        "classes": trained.names,
        "scaling": trained.scaling,
        "int8_scaling": trained.int8_scaling,
        "figures": [asdict(figure) for figure in found],
        "size": asdict(takes),
    }
    (folder / "spectrogram.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
