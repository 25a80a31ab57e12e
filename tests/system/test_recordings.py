"""A recorded machine, played by C nodes into a gateway: what arrives is what the training code says, to the bit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from gateway.core import entry as entries
from gateway.core.entry import Report
from gateway.demo.judge import summarise
from gateway.demo.plant import of_recordings
from gateway.demo.processes import running
from gateway.demo.recordings import ReplayNode, prepare
from gateway.detectors import direct
from gateway.store.reader import Reader
from gateway.training.features import Samples
from gateway.training.outcome import outcome, windows
from gateway.wire import score
from gateway.wire.messages import Flag, Window
from tests.system.plants import free_ports

FAN = Path(__file__).parents[3] / "shared" / "data" / "ceiling_fan_msa301"
SPEED = 100.0
PLAYED_S = 90.0


def reported(state_dir: Path, name: str) -> list[Flag | Window]:
    """What a node said of each window, in its own order."""
    reader = Reader.open(state_dir)
    said = []
    for row in reader.read(0, 1_000_000):
        body = entries.decode(row.kind, row.version, row.body)
        if isinstance(body, Report) and body.node == name and isinstance(body.message, Flag | Window):
            said.append((body.seq, body.message))
    reader.close()
    return [message for _, message in sorted(said, key=lambda pair: pair[0])]


def samples(node: ReplayNode) -> Samples:
    """What the node plays."""
    _, _, data = node.samples_file.read_bytes().partition(b"\n")
    return np.frombuffer(data, dtype="<i2").reshape(-1, node.node.manifest.channels_n)


@pytest.mark.skipif(not FAN.is_dir(), reason="no recordings of the ceiling fan in ../shared/data")
async def test_every_window_is_judged_as_the_training_code_would(tmp_path: Path, node_program: Path) -> None:
    replay = await asyncio.to_thread(prepare, FAN, tmp_path / "recordings")
    plant = of_recordings(replay, tmp_path, SPEED)
    async with running(plant, free_ports(), tmp_path, node_program) as house:
        async with asyncio.timeout(PLAYED_S):
            await asyncio.gather(*(node.wait() for node in house.nodes.values()))
        assert await house.end_gateway() == 0
    for node in replay.nodes:
        length, threshold = node.node.manifest.samples, node.node.manifest.node.threshold
        features = windows(samples(node), length, length)
        errors = direct.errors(direct.Network(node.node.model), node.node.manifest.scaling, features).tolist()
        said = reported(house.state_dir, node.name)
        assert [m.features.values for m in said] == [tuple(row) for row in features.tolist()]
        assert [isinstance(m, Flag) for m in said] == [error > threshold for error in errors]
        assert [m.score for m in said] == [score.encode(error, threshold) for error in errors]
    for node, judged in zip(replay.nodes, summarise(replay, house.state_dir).nodes, strict=True):
        length = node.node.manifest.samples
        offline = outcome(node.node, samples(node), node.labels, length)
        assert (judged.normal, judged.flagged_normal) == (offline.normal, offline.false_alarms)
        assert (judged.faulty, judged.faulty - judged.flagged_faulty) == (offline.faulty, offline.missed)
