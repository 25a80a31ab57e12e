"""The model of a room's node: it knows the room's regimes, of simulated rooms and of a recording, and its faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.detectors import detector, direct
from gateway.detectors.bundle import Bundle
from gateway.training import room
from gateway.training.dataset import Channel, Run, Writer, load
from gateway.training.dense import Unsuitable
from gateway.training.room import Sampling
from tests.nodes.conftest import node_build  # noqa: F401
from tests.nodes.test_direct_model import opened

SAMPLING = Sampling(32, 120.0)
PARTS = range(100, 108), range(200, 204), range(300, 304)
FAULTS = ("heating", "door", "leak")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    return room.make(tmp_path_factory.mktemp("rooms"), room.simulated(SAMPLING, PARTS), SAMPLING)


@pytest.mark.usefixtures("node_build")
def test_faults_of_rooms_never_seen_are_seen_and_healthy_rooms_are_not(bundles: tuple[Bundle, Bundle]) -> None:
    node, host = bundles
    engine, judge = direct.Network(node.model), detector(host)
    for fault in ("", *FAULTS):
        spec = f"sim:room?fault={fault}" if fault else "sim:room"
        windows = np.concatenate([SAMPLING.windows(room.day(spec, seed, SAMPLING)) for seed in (400, 401)])
        errors = direct.errors(engine, node.manifest.scaling, windows, node.manifest.kind, node.manifest.known)
        shares = (
            np.mean(errors > node.manifest.node.threshold),
            np.mean(np.array(judge.score(windows.tolist())) > host.manifest.threshold),
        )
        assert all(share >= 0.8 if fault else share <= 0.05 for share in shares), (fault, shares)


@pytest.mark.usefixtures("node_build")
def test_a_node_takes_the_image(bundles: tuple[Bundle, Bundle]) -> None:
    manifest = bundles[0].manifest
    text, model, _kept = opened(bundles[0].image)
    assert text == "ok"
    assert (model.feature_set, model.channels, model.samples, model.kind) == (3, 2, 32, 1)
    assert (manifest.kind, manifest.known, manifest.rate_millihz) == ("classifier", None, 8)
    assert 2 <= len(manifest.classes) <= 8


def office(seed: int, days: int = 6) -> np.ndarray:
    """Temperature and humidity each minute: warm and dry by day, cool and damp by night."""
    random = np.random.default_rng(seed)
    by_day = (np.arange(1440 * days) // 720 % 2)[:, None]
    slow = np.cumsum(random.normal(0, 0.002, (1440 * days, 2)), axis=0)
    return np.where(by_day, [22.0, 35.0], [18.0, 45.0]) + slow + random.normal(0, 0.05, (1440 * days, 2))


def written(folder: Path, values: np.ndarray, names: tuple[str, ...], breaks: tuple[int, ...] = ()) -> Path:
    channels = tuple(Channel(name=name, unit="-") for name in names)
    run = Run(
        file="office.npz", node="climate", asset="office", kind="values", channels=channels, rate_hz=1 / 60,
        session="one", breaks=breaks,
    )  # fmt: skip
    with Writer(folder, name="office") as writer:
        writer.add(run, values)
    return folder


def test_a_recording_becomes_bundles_by_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path / "office", office(1)[:, ::-1], ("humidity", "temperature"))
    assert room.main([str(tmp_path / "out"), "--recording", str(folder)]) == 0
    assert "regimes" in capsys.readouterr().out
    manifest = load_manifest(tmp_path / "out" / "room-node")
    assert manifest.provenance.data[0].sha256 == load(folder).sha256()
    assert manifest.scaling[0][0] == pytest.approx(16 * 2000, rel=0.02)  # between the two temperatures, in 0.01 degC


def load_manifest(folder: Path):
    from gateway.detectors.bundle import ANY
    from gateway.detectors.bundle import load as load_bundle

    return load_bundle(folder, ANY).manifest


def test_no_window_reaches_across_a_break(tmp_path: Path) -> None:
    """Where the recording paused the room was another: a window across that has a slope that nothing ever had."""
    values = np.where(np.arange(1200)[:, None] < 400, [18.0, 40.0], [25.0, 60.0])
    sampling = Sampling(32, 60.0)
    for breaks, steepest in (((), 100), ((400,), 0)):
        folder = written(tmp_path / str(len(breaks)), values, ("temperature", "humidity"), breaks)
        normal = room.recorded(load(folder), "climate", sampling)
        assert np.abs(normal.fit[:, 1]).max() >= steepest
        assert (np.abs(normal.fit[:, 1]).max() == 0) == (steepest == 0)


REFUSED = {
    "another node": (("temperature", "humidity"), 6000, "hall", Sampling(), "too little of node 'hall'"),
    "no humidity": (("temperature", "light"), 6000, "climate", Sampling(), "humidity are needed, as such"),
    "too seldom": (("temperature", "humidity"), 6000, "climate", Sampling(32, 10.0), "one every 10 s"),
    "too short": (("temperature", "humidity"), 100, "climate", Sampling(), "no window in one of its three parts"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_recording_that_is_no_room_is_refused_by_name(name: str, tmp_path: Path) -> None:
    names, rows, node, sampling, reason = REFUSED[name]
    folder = written(tmp_path, office(1)[:rows], names)
    with pytest.raises(Unsuitable, match=reason):
        room.recorded(load(folder), node, sampling)
