"""A node tries its model at boot. The same, here, before it is signed or handed out."""

from __future__ import annotations

import numpy as np

from gateway.detectors import direct
from gateway.detectors.bundle import Bundle, BundleBroken
from gateway.detectors.manifest import IMAGE
from gateway.detectors.scaling import quantise
from gateway.training.bundle_writer import self_test_of


def check(bundle: Bundle) -> None:
    """Raises BundleBroken if the node's engine computes other outputs, or another error, than the image says; Refused
    if it does not run the model; LibraryMissing. A Bundle for the gateway has no self-test.
    """
    if bundle.image is None:
        return
    manifest, expected = bundle.manifest, self_test_of(bundle)
    network = direct.Network(bundle.model)
    features = np.array([expected.features], np.int64)
    error = int(direct.errors(network, manifest.scaling, features, manifest.kind, manifest.known)[0])
    if error != expected.error:
        raise BundleBroken(bundle.folder / IMAGE, f"self-test: the node computes error {error}, not {expected.error}")
    outputs = network.run(quantise(manifest.scaling, features, network.input.zero_point))
    if outputs.tobytes() != expected.outputs:
        raise BundleBroken(bundle.folder / IMAGE, "self-test: the node computes other outputs")
