"""A node tries its model at boot. The same, here, before it is signed or handed out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import direct, errors
from gateway.detectors.bundle import Bundle, BundleBroken
from gateway.detectors.manifest import IMAGE, Manifest
from gateway.detectors.scaling import quantise
from gateway.training.bundle_writer import NoiseTest, SelfTest, self_test_of
from gateway.training.features.mel import Form, spectrogram

_FACTOR, _TERM = 1664525, 1013904223
_SEED = 1
_SHIFTS = range(16)


def check(bundle: Bundle) -> None:
    """Raises BundleBroken if the node's engine computes other outputs, or another error, than the image says; Refused
    if it does not run the model; LibraryMissing. A Bundle for the gateway has no self-test.
    """
    if bundle.image is None:
        return
    manifest, expected = bundle.manifest, self_test_of(bundle)
    network = direct.Network(bundle.model)
    inputs = _inputs(manifest, expected, network.input.zero_point)
    outputs = network.run(inputs)
    error = int(errors.of(manifest.kind, inputs, outputs.astype(np.int64), manifest.known)[0])
    if error != expected.error:
        raise BundleBroken(bundle.folder / IMAGE, f"self-test: the node computes error {error}, not {expected.error}")
    if outputs.tobytes() != expected.outputs:
        raise BundleBroken(bundle.folder / IMAGE, "self-test: the node computes other outputs")


def noise(seed: int, shift: int, n: int) -> NDArray[np.int16]:
    """Samples [n] of the generator of nodes/wire/SPEC.md, "Self-test"."""
    found = np.empty(n, np.int64)
    for i in range(n):
        seed = (seed * _FACTOR + _TERM) % 2**32
        found[i] = seed
    signed = np.where(found < 2**31, found, found - 2**32)
    return (signed >> (16 + shift)).astype(np.int16)


def of_spectrogram(manifest: Manifest, model: bytes) -> NoiseTest:
    """For a model that looks at a spectrogram: of noise that is as loud as gives the network's inputs the most values.
    Raises Refused, LibraryMissing.
    """
    network = direct.Network(model)

    def inputs(shift: int) -> NDArray[np.int64]:
        return _inputs(manifest, NoiseTest(_SEED, shift, 0, b""), network.input.zero_point)

    shift = max(_SHIFTS, key=lambda shift: len(np.unique(inputs(shift))))
    outputs = network.run(inputs(shift))
    error = int(errors.of(manifest.kind, inputs(shift), outputs.astype(np.int64), manifest.known)[0])
    return NoiseTest(_SEED, shift, error, outputs.tobytes())


def _inputs(manifest: Manifest, test: SelfTest | NoiseTest, zero_point: int) -> NDArray[np.int64]:
    """[1, inputs of the network]"""
    look = manifest.spectrogram
    if isinstance(test, SelfTest) or look is None:
        assert isinstance(test, SelfTest)
        return quantise(manifest.scaling, np.array([test.features], np.int64), zero_point)
    samples = noise(test.seed, test.shift, look.samples)
    rows = spectrogram(Form(look.frame, look.bands, look.corner), samples[None])
    return quantise(list(manifest.scaling) * look.rows, rows.reshape(1, -1).astype(np.int64), zero_point)
