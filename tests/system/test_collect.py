"""A letter for a node that sleeps, and what it sends then: a dataset of a simulated machine, through a real gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from gateway.demo.processes import House, running
from gateway.detectors import feature_sets
from gateway.training import dataset
from tests.system import plants
from tests.system.plants import stethos


async def test_letters_are_read_and_windows_collected(tmp_path: Path, models: Path, node_program: Path) -> None:
    mote = plants.motor("mote", "motor", "udp", models, "sim:motor", 7000, 500)
    plant = plants.plant((plants.asset("motor", ("mote",), k=1),), (mote,), models)
    async with running(plant, plants.free_ports(), tmp_path / "house", node_program) as house:
        with pytest.raises(AssertionError, match="learn needs a number"):
            await stethos(house.config, "node", "tell", "mote", "learn")
        with pytest.raises(AssertionError, match="nobody: no node of this plant"):
            await stethos(house.config, "node", "tell", "nobody", "identify")
        assert "waits for mote" in await stethos(house.config, "node", "tell", "mote", "heartbeat", "1")
        await no_mail(house)

        raw, features = tmp_path / "raw", tmp_path / "features"
        said = await stethos(house.config, "collect", str(raw), "mote", "--windows", "3", "--label", "normal",
                             "--session", "s1", "--unit", "g", "--per-unit", "16384")  # fmt: skip
        assert "mote: 3 of 3 windows" in said
        await stethos(house.config, "collect", str(raw), "mote", "--windows", "2", "--label", "loose", "--fault",
                      "--session", "s1-loose")  # fmt: skip
        first, second = dataset.load(raw).recordings
        rows = first.read()
        assert rows.values.dtype == np.int16 and len(rows) % 3 == 0 and rows.values.std() > 0
        assert (first.run.asset, first.run.session) == ("motor", "s1")
        assert first.run.commission_s == pytest.approx(rows.at_s[-1] / 2)
        assert len(first.run.breaks) == 2 and not first.run.fault_at(rows.at_s).any()
        assert second.run.fault_at(second.read().at_s).all() and second.run.commission_s == 0

        said = await stethos(house.config, "collect", str(features), "mote", "--features", "--windows", "3",
                             "--unit", "g", "--context", "speed=1480 rpm")  # fmt: skip
        assert (
            "mote: 3 of 3 windows" in said
        )  # of a node that has a model, and says nothing by itself while all is well
        [found] = dataset.load(features).recordings
        read = found.read()
        assert (found.run.kind, found.run.samples) == ("features", first.run.breaks[0])
        assert found.run.feature_set is not None
        assert read.values.shape == (3, feature_sets.size(found.run.feature_set, len(first.run.channels)))
        assert read.context is not None and (read.context == 1480).all()

        with pytest.raises(AssertionError, match="6 channels, and 2 units"):
            await stethos(house.config, "collect", str(tmp_path / "no"), "mote", "--windows", "1", "--unit", "g,dps")


async def no_mail(house: House) -> None:
    """Wait until the node has said what became of its letters."""
    async with asyncio.timeout(30):
        while "mote" in await stethos(house.config, "node", "mail"):
            await asyncio.sleep(0.1)
