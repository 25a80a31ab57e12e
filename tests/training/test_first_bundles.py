"""Models made from the C simulator tell its faults from its healthy machines, on machines they have never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.detectors import detector
from gateway.detectors.manifest import DataSource
from gateway.training import first_bundles, reference_int8, tflite_file
from gateway.training.commission import Normal, Purpose, host_bundle, level_features, node_bundle
from gateway.training.simulator import NoSimulator, Simulation, build

FAULTS = {"motor": ("imbalance", "misalignment", "looseness"), "pump": ("imbalance", "cavitation", "blockage")}


@pytest.fixture(scope="module", params=sorted(FAULTS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def normal(kind: str) -> Normal:
    parts = [first_bundles.windows(f"sim:{kind}", range(at, at + 5), 128, 24) for at in (100, 200, 300)]
    return Normal(*parts, sources=(DataSource(description=kind, sha256="0" * 64),))


def share_of_alarms(scores: object, limit: int) -> float:
    return float(np.mean(np.asarray(scores) > limit))


def test_faults_are_seen_and_healthy_machines_are_not(kind: str, normal: Normal, tmp_path: Path) -> None:
    channels = next(known.channels for known in first_bundles.KINDS if known.name == kind)
    purpose = Purpose(kind, channels, 128, 200_000, "tests", level_features(len(channels)))
    node = node_bundle(tmp_path / "node", purpose, normal)
    host = host_bundle(tmp_path / "host", purpose, normal)
    network, model = tflite_file.read(node.model), detector(host)
    assert node.manifest.node is not None
    for fault in ("", *FAULTS[kind]):
        windows = first_bundles.windows(f"sim:{kind}" + (f"?fault={fault}" if fault else ""), (400, 401), 128, 10)
        errors = reference_int8.errors(network, node.manifest.scaling, windows)
        shares = (
            share_of_alarms(errors, node.manifest.node.threshold),
            share_of_alarms(model.score(windows.tolist()), host.manifest.threshold),
        )
        assert all(s >= 0.9 if fault else s <= 0.05 for s in shares), (fault, shares)


def test_a_simulated_window_is_a_function_of_seed_and_time() -> None:
    with Simulation("sim:motor", 1) as a, Simulation("sim:motor", 1) as b, Simulation("sim:motor", 2) as c:
        assert (a.channels, a.rate_millihz) == (6, 200_000)
        b.window(5_000_000, 32)
        assert np.array_equal(a.window(7_000_000, 32), b.window(7_000_000, 32))
        assert not np.array_equal(a.window(7_000_000, 32), c.window(7_000_000, 32))


def test_a_specification_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="sim"):
        Simulation("sim:teapot", 1)


def test_missing_sources_and_compilers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSimulator, match="sources are not here"):
        build(tmp_path, tmp_path / "sim.so")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(NoSimulator, match="needs a C compiler"):
        build(library=tmp_path / "sim.so")


def test_sources_that_do_not_compile_are_named(tmp_path: Path) -> None:
    (tmp_path / "sim.c").write_text("this is not C")
    with pytest.raises(NoSimulator, match=r"sim\.c:1"):
        build(tmp_path, tmp_path / "sim.so")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["sim.c"]
