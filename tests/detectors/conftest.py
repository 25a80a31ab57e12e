from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.detectors.bundle import Bundle
from gateway.detectors.manifest import DataSource, channels_of
from gateway.training import bundle_writer
from gateway.training.commission import Features, Normal, Purpose, host_bundle, node_bundle
from tests.detectors.signing import KEY

CHANNELS = 2


def normal_windows(seed: int, count: int) -> Features:
    """Features of a two-channel machine: one hidden cause, six readings, some noise."""
    cause = np.random.default_rng(0).normal(size=(1, 3 * CHANNELS))
    random = np.random.default_rng(seed)
    values = 3000 + 400 * random.normal(size=(count, 1)) @ cause + 40 * random.normal(size=(count, 3 * CHANNELS))
    return np.rint(values).astype(np.int64)


def normal() -> Normal:
    source = DataSource(description="drawn from one cause", sha256="0" * 64)
    return Normal(normal_windows(1, 400), normal_windows(2, 300), normal_windows(3, 300), (source,))


def purpose(name: str) -> Purpose:
    return Purpose(name, channels_of("mg", "x", "y"), 64, 100_000, "tests")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return node_bundle(tmp_path_factory.mktemp("node"), purpose("fan-node"), normal())


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return host_bundle(tmp_path_factory.mktemp("host"), purpose("fan-host"), normal())


@pytest.fixture
def folder(node: Bundle, tmp_path: Path) -> Path:
    """A copy of the node's Bundle, signed, to be damaged."""
    for file in node.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return bundle_writer.sign(tmp_path, KEY).folder
