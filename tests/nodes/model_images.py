"""Model images of autoencoders that nobody has trained, with a self-test that the node's own engine computes."""

from __future__ import annotations

from itertools import pairwise

import cbor2
import numpy as np

from tests.nodes.direct_engine import Direct
from tests.nodes.tflite_networks import Layer, Network, tflite_of


def network(widths: tuple[int, ...]) -> bytes:
    rng = np.random.default_rng(8)
    layers = [
        Layer(rng.integers(-127, 128, (m, n)), rng.integers(-99, 99, m), [0.01], 0.05 if last else 0.1,
              -3 if last else -128, 0 if last else 1)
        for (n, m), last in zip(pairwise(widths), [False] * (len(widths) - 2) + [True], strict=True)
    ]  # fmt: skip
    return tflite_of(Network(0.05, -3, layers))


def image(widths: tuple[int, ...]) -> bytes:
    """A model image whose self-test was computed by the node's own engine, which is TFLite Micro's to the bit."""
    n = widths[0]
    tflite = network(widths)
    features = list(np.random.default_rng(9).integers(-100, 100, n))
    q = np.array([min(max(-3 + feature, -128), 127) for feature in features])  # the scaling below is 1
    error = int(((q - Direct(tflite).run(q).astype(int)) ** 2).sum())
    scaling = [[0, 1 << 24, 24]] * n
    return cbor2.dumps([1, 1, n // 3, 128, 5, scaling, 400, tflite, [[int(f) for f in features], error]])
