"""`stethos node battery --node`: what a node has counted, from a journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import battery as command
from gateway.cli import main
from gateway.store.reader import Reader
from tests.runtime.house import KEYS, WireNode, plant, running, until

HEALTHS = 30


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """A state folder with the Healths of n1, the newest of them `HEALTHS - 1`, and a Flag behind it."""
    async with running(tmp_path / "state", plant("pump-host", {})) as house:
        node = WireNode(KEYS[0])
        for number in range(HEALTHS):
            await house.hand_in(node.say_health(number))
        await house.hand_in(node.flag(HEALTHS, 1, 2, 3))
        await until(lambda: house.verdicts("accepted") == HEALTHS + 1)
    return tmp_path / "state"


@pytest.mark.parametrize("page", [1, 7, 1000])
async def test_the_newest_health_is_found_from_the_journals_end(state, page, monkeypatch):
    monkeypatch.setattr(command, "PAGE", page)
    reader = Reader.open(state)
    health = command.newest_health(reader, "n1")
    assert health is not None
    assert health.seq == HEALTHS - 1
    assert command.newest_health(reader, "n2") is None
    reader.close()


async def test_the_command_sets_it_beside_the_forecast(state, tmp_path):
    config = tmp_path / "stethos.toml"
    sample = Path(__file__).parents[2] / "deploy" / "stethos.toml"
    text = sample.read_text()
    config.write_text(text.replace('state_dir = "/var/lib/stethos"', f'state_dir = "{state}"'))
    assert str(state) in config.read_text()
    done = CliRunner().invoke(main, ["node", "battery", "--node", "n1", "-c", str(config)])
    assert done.exit_code == 0, done.output
    assert "the node's own ledger" in done.output
    missing = CliRunner().invoke(main, ["node", "battery", "--node", "n9", "-c", str(config)])
    assert missing.exit_code == 1
    assert "holds no Health" in missing.output
