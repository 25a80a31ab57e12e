"""Autoencoders and classifiers of features, run by LiteRT: float32 (the gateway's own) or int8 (a node's)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import interpreter
from numpy.typing import NDArray

from gateway.detectors import errors
from gateway.detectors.bundle import Bundle, BundleBroken
from gateway.detectors.manifest import MODEL
from gateway.detectors.scaling import quantise, standardise

_Interpreter: Any = interpreter.Interpreter  # has no types
PLAIN: Any = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
"""LiteRT's own kernels: XNNPACK gains microseconds with models so small, and says on stderr that it is there."""
_BATCH = 64
"""Rows the model is run on at a time; short batches are filled up. With one fixed shape a window's value does not
depend, even in its last bit, on what it was scored together with."""
_LARGEST = 2.0**53
"""What an error counts as that float32 cannot hold."""


class LiteRtDetector:
    """Of an autoencoder the mean squared standardised reconstruction error, in millionths; of a classifier
    `errors.millionths`. Not thread-safe: one per worker.

    LiteRT rounds int8 layers once where nodes round twice, so the value of a node's Bundle here is within a few steps
    of what the node computes, not equal to it.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._manifest = bundle.manifest
        self._features = bundle.manifest.features
        broken = bundle.folder / MODEL
        try:
            self._interpreter: Any = _Interpreter(
                model_content=bundle.model, num_threads=1, experimental_op_resolver_type=PLAIN
            )
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            for ends, values in ((inputs, self._features), (outputs, bundle.manifest.outputs)):
                if len(ends) != 1 or list(ends[0]["shape"]) != [1, values]:
                    shapes = [[int(n) for n in end["shape"]] for end in ends]
                    what = "features" if ends is inputs else "outputs"
                    raise BundleBroken(broken, f"shapes {shapes} where the bundle has {values} {what}")
            self._ends = _quantisation(inputs[0]), _quantisation(outputs[0])
            if bundle.manifest.kind == "autoencoder" and self._ends[0] != self._ends[1]:
                raise BundleBroken(broken, "input and output differ in type, scale or zero point")
            self._input, self._output = int(inputs[0]["index"]), int(outputs[0]["index"])
            self._interpreter.resize_tensor_input(self._input, [_BATCH, self._features])
            self._interpreter.allocate_tensors()
            if not np.isfinite(self._run(np.zeros((1, self._features), inputs[0]["dtype"]))).all():
                raise BundleBroken(broken, "its weights are not all numbers")
        except (RuntimeError, ValueError) as error:
            if isinstance(error, BundleBroken):
                raise
            raise BundleBroken(broken, f"LiteRT refuses it: {error}") from error

    def score(self, batch: Sequence[Sequence[int]]) -> list[int]:
        """Fits `gateway.detectors.Detector.score`."""
        for i, window in enumerate(batch):
            if len(window) != self._features:
                raise ValueError(f"window {i} has {len(window)} features, the model {self._features}")
        values: list[int] = []
        for start in range(0, len(batch), _BATCH):
            values += self._score(np.array(batch[start : start + _BATCH], dtype=np.int64))
        return values

    def _score(self, features: NDArray[np.int64]) -> list[int]:
        (step, zero_point), (output_step, _) = self._ends
        inputs: NDArray[Any]
        if step:
            inputs = quantise(self._manifest.scaling, features, zero_point)
        else:
            inputs = standardise(self._manifest.scaling, features)
        outputs = self._run(inputs.astype(np.int8 if step else np.float32)).astype(np.float64)
        if self._manifest.kind == "autoencoder":
            values = 1e6 * np.mean(((inputs - outputs) * (step or 1.0)) ** 2, axis=1)
        else:
            values = errors.millionths(errors.margin(outputs, self._manifest.known) * (output_step or 1.0))
        return [round(v) for v in np.nan_to_num(values, nan=_LARGEST, posinf=_LARGEST).clip(max=_LARGEST).tolist()]

    def _run(self, rows: NDArray[Any]) -> NDArray[Any]:
        full = np.zeros((_BATCH, self._features), rows.dtype)
        full[: len(rows)] = rows
        self._interpreter.set_tensor(self._input, full)
        self._interpreter.invoke()
        result: NDArray[Any] = self._interpreter.get_tensor(self._output)
        return result[: len(rows)]


Detector = LiteRtDetector


def _quantisation(details: dict[str, Any]) -> tuple[float, int]:
    """Scale and zero point of an int8 end, (0.0, 0) of a float32 one. ValueError for other types."""
    if details["dtype"] == np.float32:
        return 0.0, 0
    if details["dtype"] != np.int8:
        raise ValueError(f"its ends are {np.dtype(details['dtype']).name}, neither float32 nor int8")
    scale, zero_point = details["quantization"]
    return float(scale), int(zero_point)
