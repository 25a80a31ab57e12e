"""A MobileNetV2-like classifier over log-mel spectrograms of sound or vibration, with TensorFlow, an optional extra.

Inverted residuals with linear bottlenecks (Sandler et al., "MobileNetV2", CVPR 2018), few and narrow, after the
comparison of Grzymkowski, Cejrowski and Stefański, "Anomaly Detection on the Edge: Comparison of Reconstruction and
Classification Based Approaches": classes are machines or states that are normal, and how little the network holds a
window for its own class is the anomaly score. As in `classifier`, which says why, the network gives logits, and a last
one for what is none of the classes, learnt from strangers; nothing of a fault is ever seen.

    trained = train(spectrograms, labels, names, seed=1)
    trained.tflite        float32, of standardised values
    trained.int8          int8 at both ends, of values in steps of `trained.int8_scaling`
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated
from numpy.typing import NDArray

from gateway.training.classifier import check_classes
from gateway.training.dense import Progress, Unsuitable
from gateway.training.quantise import in_steps, standardisation

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Scaling = list[tuple[int, int, int]]

schema: Any = schema_py_generated  # generated without types

_MULTIPLE = 4  # channels: what a node's inner loop takes at once
_SMOOTHING = 0.05
_FARTHEST = 8.0  # standard deviations: where inputs saturate, and as far as strangers go
_NEAREST = 1.5
_REPRESENTATIVE = 100  # windows, and as many strangers, that int8 ranges are taken from


class NoTensorFlow(RuntimeError):  # noqa: N818 - it is the world's fault, not an error in the program
    """TensorFlow is not installed here."""

    def __init__(self) -> None:
        super().__init__(
            "classifiers of spectrograms are trained with TensorFlow, which is not installed: "
            "pip install 'stethos[tensorflow]'"
        )


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual: channels expanded by a factor, filtered in depth, and brought down to `channels`."""

    expansion: int
    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """`width` multiplies all channels, which are rounded to a multiple of 4 and are 4 at least; `stem` has stride 2."""

    stem: int = 8
    blocks: tuple[Block, ...] = (Block(1, 8, 1), Block(3, 12, 2), Block(3, 12, 1), Block(3, 16, 2), Block(3, 16, 1))
    head: int = 32
    width: float = 1.0

    def channels(self, wanted: int) -> int:
        """Of a layer, under the width multiplier."""
        return max(_MULTIPLE, round(wanted * self.width / _MULTIPLE) * _MULTIPLE)


NODE = Architecture()
"""For a microcontroller: about 300 000 multiplications for 32 rows of 32 bands."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, at least `steps` batches in whole epochs, and how fast; `strangers`: as many as there are windows, or,
    as in the paper, none at all.
    """

    steps: int = 360
    batch: int = 32
    rate: float = 0.003
    strangers: bool = True


@dataclass(frozen=True, slots=True)
class Trained:
    """Both networks. Inputs are [1, rows, bands, 1]; outputs the logits of `names` and of none of them. A scaling has a
    row for each band (gateway/detectors/scaling.py).
    """

    names: tuple[str, ...]
    scaling: Scaling
    tflite: bytes
    int8_scaling: Scaling
    int8: bytes


def available() -> bool:
    """Whether TensorFlow is installed."""
    return importlib.util.find_spec("tensorflow") is not None


def train(
    spectrograms: NDArray[Any],
    labels: Labels,
    names: Sequence[str],
    seed: int,
    architecture: Architecture = NODE,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Fit to normal spectrograms [n, rows, bands] as feature set 4 gives them; `labels` [n] are numbers of `names`.
    The same for the same seed on the same computer. Raises NoTensorFlow; Unsuitable: fewer than two classes, one with
    too few windows.
    """
    tf, plan = _tensorflow(), plan or Plan()
    check_classes(labels, names)
    if spectrograms.ndim != 3 or len(spectrograms) != len(labels):
        raise Unsuitable(f"{len(labels)} labels for spectrograms of shape {spectrograms.shape}")
    scaling = standardisation(spectrograms.reshape(-1, spectrograms.shape[2]).astype(np.int64))
    x = standardise(scaling, spectrograms)
    tf.keras.utils.set_random_seed(seed)
    model = build(x.shape[1:], len(names) + 1, architecture)
    _fit(tf, model, *_examples(x, labels, len(names), seed, plan), plan, progress)
    one = build(x.shape[1:], len(names) + 1, architecture, batch=1)  # so that no shape is left to be computed
    one.set_weights(model.get_weights())
    tflite, int8 = _converted(tf, one, _representative(x, seed))
    return Trained(tuple(names), scaling, tflite, in_steps(scaling, input_scale(int8)), int8)


def standardise(scaling: Scaling, spectrograms: NDArray[Any]) -> Floats:
    """Spectrograms [n, rows, bands] as the float network's inputs, held within what int8 ones can be."""
    offset, multiplier, shift = np.array(scaling, np.int64).T
    values = (spectrograms - offset) * np.ldexp(multiplier.astype(np.float64), -shift)
    return np.asarray(np.clip(values, -_FARTHEST, _FARTHEST), np.float32)


def build(shape: Sequence[int], outputs: int, architecture: Architecture = NODE, batch: int | None = None) -> Any:
    """The Keras model, not trained, from [rows, bands] to logits; of any `batch`, or of one. Raises NoTensorFlow."""
    keras = _tensorflow().keras
    layers, a = keras.layers, architecture
    inputs = keras.Input(batch_shape=(batch, *shape, 1))
    x = _convolved(layers, inputs, a.channels(a.stem), 3, 2)
    for block in a.blocks:
        x = _residual(layers, x, block, a.channels(block.channels))
    x = _convolved(layers, x, a.channels(a.head), 1, 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(outputs)(x))


def strangers(x: Floats, seed: int) -> Floats:
    """As many spectrograms as there are, each with some neighbouring bands, for all rows or for some, louder or quieter
    than they were: by what spreads do not explain, up to the end of the range.
    """
    random = np.random.default_rng((seed, len(x)))
    found = x[random.integers(0, len(x), len(x))].copy()
    for one in found:
        for _ in range(random.integers(1, 4)):
            rows = _stretch(random, one.shape[0]) if random.random() < 0.5 else slice(None)
            size = np.exp(random.uniform(np.log(_NEAREST), np.log(_FARTHEST)))
            one[rows, _stretch(random, one.shape[1])] += random.choice([-1.0, 1.0]) * size
    return np.asarray(np.clip(found, -_FARTHEST, _FARTHEST), np.float32)


def input_scale(tflite: bytes) -> float:
    """Of an int8 network."""
    graph = schema.ModelT.InitFromPackedBuf(tflite, 0).subgraphs[0]
    return float(graph.tensors[graph.inputs[0]].quantization.scale[0])


def _representative(x: Floats, seed: int) -> Floats:
    """Normal spectrograms and strangers: with the ranges of the normal ones alone, int8 inputs would saturate where
    what is normal ends, and no fault could be louder.
    """
    some = np.random.default_rng(seed).permutation(len(x))[:_REPRESENTATIVE]
    return np.concatenate([x[some], strangers(x, seed)[some]])


def _stretch(random: np.random.Generator, n: int) -> slice:
    """At least one of n places, a quarter of them on average."""
    length = int(random.integers(1, n // 2 + 1))
    start = int(random.integers(0, n - length + 1))
    return slice(start, start + length)


def _convolved(layers: Any, x: Any, channels: int, kernel: int, stride: int) -> Any:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))


def _residual(layers: Any, x: Any, block: Block, channels: int) -> Any:
    inner = x
    if block.expansion > 1:
        inner = _convolved(layers, x, block.expansion * x.shape[-1], 1, 1)
    inner = layers.DepthwiseConv2D(3, block.stride, padding="same", use_bias=False)(inner)
    inner = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(inner))
    inner = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(channels, 1, use_bias=False)(inner))
    return layers.Add()([x, inner]) if block.stride == 1 and x.shape[-1] == channels else inner


def _examples(x: Floats, labels: Labels, classes: int, seed: int, plan: Plan) -> tuple[Floats, NDArray[Any], Floats]:
    """Inputs, targets [n, classes + 1], and weights such that every class weighs the same."""
    weights = len(labels) / (classes * np.bincount(labels, minlength=classes))[labels]
    if plan.strangers:
        x = np.concatenate([x, strangers(x, seed)])
        labels = np.concatenate([labels, np.full(len(labels), classes)])
        weights = np.concatenate([weights, np.ones(len(weights))])
    targets = np.full((len(labels), classes + 1), _SMOOTHING / (classes + 1))
    targets[np.arange(len(labels)), labels] += 1.0 - _SMOOTHING
    return x, targets, weights.astype(np.float32)


def _fit(
    tf: Any, model: Any, x: Floats, targets: NDArray[Any], weights: Floats, plan: Plan, progress: Progress | None
) -> None:
    batches = -(-len(x) // plan.batch)
    epochs = -(-plan.steps // batches)
    rate = tf.keras.optimizers.schedules.CosineDecay(plan.rate, epochs * batches)
    model.compile(tf.keras.optimizers.Adam(rate), tf.keras.losses.CategoricalCrossentropy(from_logits=True))

    def told(epoch: int, logs: dict[str, float]) -> None:
        if progress is not None:
            progress(epoch + 1, epochs, logs["loss"])

    callback = tf.keras.callbacks.LambdaCallback(on_epoch_end=told)
    model.fit(x[..., None], targets, plan.batch, epochs, 0, [callback], sample_weight=weights)


def _converted(tf: Any, model: Any, representative: Floats) -> tuple[bytes, bytes]:
    """The float network, and the int8 one with the ranges of the representative inputs [n, rows, bands]."""

    def windows() -> Iterator[list[Floats]]:
        for x in representative:
            yield [x[None, ..., None]]

    with TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        whole, converter = (tf.lite.TFLiteConverter.from_saved_model(folder) for _ in range(2))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = windows
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(whole.convert()), bytes(converter.convert())


def _tensorflow() -> Any:
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise NoTensorFlow from error
