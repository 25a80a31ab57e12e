from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from gateway import detectors
from gateway.detectors.manifest import DataSource, channels_of
from gateway.runtime.rescoring import Model
from gateway.training.commission import Normal, Purpose, host_bundle

FEATURES = 3


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A real bundle for one channel, trained on noise around (100, 50, 200), and its detector."""
    rng = np.random.default_rng(7)
    windows = (np.array([100, 50, 200]) * 16 + rng.normal(0, 16, (900, FEATURES))).astype(np.int64)
    folder: Path = tmp_path_factory.mktemp("bundles") / "pump-host"
    source = DataSource(description="noise", sha256=hashlib.sha256(windows.tobytes()).hexdigest())
    purpose = Purpose("pump-host", channels_of("mg", "x"), 64, 100_000, "tests")
    bundle = host_bundle(folder, purpose, Normal(windows[:500], windows[500:700], windows[700:], (source,)))
    return Model(bundle, detectors.detector(bundle))
