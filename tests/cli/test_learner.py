"""`stethos learner`, and what `stethos check` says of learners: from a journal, without a gateway."""

from __future__ import annotations

import itertools
import socket
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gateway import configured
from gateway.cli import main
from gateway.config import CONTEXT
from gateway.core.entry import Configured, Report, encode
from gateway.core.rescore import Pending
from gateway.detectors.feature_sets import INVARIANT, SLOW
from gateway.runtime.learning import Learners
from gateway.runtime.learning_how import How, Lessons
from gateway.store.group import Group
from gateway.store.journal import Journal, Row
from gateway.store.keys import NodeKey
from gateway.wire.messages import Features, Window
from gateway.wire.messages import encode as encode_message
from tests.cli.test_cli import PATIENCE_S, free_port, running
from tests.runtime.house import WireNode

START_MS, EVERY_MS, LEARN = 1_700_000_000_000, 10_000, 96
TEXT = 'cause = "why"\nconsequence = "what"\naction = "go"\npriority = "high"\nresponse_s = 60\n'
PLANT = f"""\
[gateway]
site = "works"
state_dir = "state"
[alarm.anomaly]
{TEXT}[alarm.node_lost]
{TEXT}[alarm.sensor_fault]
{TEXT}[[asset]]
name = "fan"
area = "north"
line = "one"
nodes = ["mote", "tacho", "later"]
model = {{ mote = "learner", later = "learner" }}
context = {{ mote = ["tacho/1"] }}
k = 1
[[link]]
type = "udp"
name = "wifi"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "stethos.toml"
    file.write_text(PLANT, encoding="utf-8")
    return file


def stethos(*arguments: object, config: Path, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*map(str, arguments), "-c", str(config)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def windows(rows: int) -> list[tuple[str, int, Features]]:
    """Of the tacho and, at the same time, of the mote: three speeds in turn."""
    rng, found = np.random.default_rng(1), []
    for i in range(rows):
        at_ms, speed = START_MS + EVERY_MS * i, 500 + 100 * (i % 3)
        values = [int(v) for v in 4096 * speed / 500 + rng.normal(0, 60, 16)]
        found += [
            ("tacho", at_ms, Features(SLOW, (16 * speed, 3, 40))),
            ("mote", at_ms, Features(INVARIANT, tuple(values))),
        ]
    return found


def journalled(config: Path, said: list[tuple[str, int, Features]], context: tuple[str, ...] = ("tacho/1",)) -> None:
    """As the gateway would have it that has heard these windows."""
    at = Learners({}, lambda node: 0, Lessons(How(LEARN, 1), {"mote": How(LEARN, 1, context=context)}))
    settings = configured.load_settings(config)
    plant = encode(Configured(configured.configured_plant(settings)))
    models = {"tacho": CONTEXT, "mote": "learner"}
    at.score({
        entry: Pending(node, models[node], at_ms, 2**60, *features, False)
        for entry, (node, at_ms, features) in enumerate(said, start=2)
    })  # fmt: skip
    rows = [Row(1, START_MS, *plant)]
    for entry, (node, at_ms, features) in enumerate(said, start=2):
        message = Window(entry, 0, 0, 0, features)
        body = encode(Report(node, "wifi", entry, 0, at_ms, encode_message(message), message))
        rows.append(Row(entry, at_ms, *body))
    with closing(Journal.open(settings.gateway.state_dir)) as journal:
        journal.commit(Group(rows=rows, places=at.states()))


def test_each_node_that_learns_is_listed_also_one_that_nobody_has_heard(config: Path) -> None:
    journalled(config, windows(LEARN + 8))
    later, mote = stethos("learner", "list", config=config).splitlines()[3:5]
    assert "later" in later and "waits for its first window" in later
    assert "watches" in mote and "given tacho/1" in mote and "tacho" not in later
    assert "waits for its first window" in stethos("learner", "show", "later", config=config, code=1)
    assert "nothing has been learned" in stethos("learner", "show", "tacho", config=config, code=1)


def test_what_stands_out_is_shown_by_name_and_with_what_the_machine_did(config: Path) -> None:
    odd = windows(LEARN + 8)
    values = [*odd[-1][2].values]
    values[3] += 9000
    odd[-1] = (*odd[-1][:2], Features(INVARIANT, tuple(values)))
    journalled(config, odd)
    said = stethos("learner", "show", "mote", config=config).splitlines()
    assert said[0] == "tacho/1 600 (given tacho/1)"
    assert said[4].split()[1] == "crest" and "spectral entropy" in "\n".join(said)


def test_of_a_window_whose_context_is_missing_nothing_is_explained(config: Path) -> None:
    said = windows(LEARN + 8)
    journalled(config, [*said, ("mote", START_MS + EVERY_MS * 999, said[-1][2])])
    assert "without tacho/1" in stethos("learner", "show", "mote", config=config, code=1)
    assert "1 not, for want of its context" in stethos("learner", "list", config=config)


def test_check_says_which_nodes_have_sent_no_window_yet(config: Path) -> None:
    said = stethos("check", config=config)
    assert "asset 'fan': no window yet of mote, tacho, later, which" in said and "window_every" in said
    journalled(config, windows(2))
    assert "no window yet of later, which" in stethos("check", config=config)


def test_check_refuses_the_time_of_day_for_a_machine(config: Path) -> None:
    text = config.read_text(encoding="utf-8").replace('mote = ["tacho/1"]', 'mote = ["time of day"]')
    config.write_text(text, encoding="utf-8")
    stethos("check", config=config)
    journalled(config, windows(2))
    said = stethos("check", config=config, code=78)
    assert "asset[0].context: the time of day is for slow readings, and the windows of mote are of" in said


def test_a_place_with_a_context_is_no_lesson_for_one_without(config: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.fleet", tmp_path / "two.fleet"
    journalled(config, windows(LEARN))
    stethos("learner", "export", one, "mote", config=config)
    config.write_text(config.read_text(encoding="utf-8").replace('"state"', '"state2"'), encoding="utf-8")
    journalled(config, windows(LEARN), context=())
    stethos("learner", "export", two, "mote", config=config)
    result = CliRunner().invoke(main, ["learner", "merge", str(tmp_path / "both"), str(one), str(two)])
    assert result.exit_code == 1 and "the context none, not tacho/1" in result.output


def test_a_running_gateway_learns_over_the_speed_that_another_node_tells_and_goes_on_after_a_restart(
    config: Path,
) -> None:
    udp, metrics = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    text = PLANT.replace('"later"]', '"later"]\nlearning = { windows = 48, false_alarms_a_week = 10000 }')
    text = text.replace('name = "wifi"', f'name = "wifi"\nbind = "127.0.0.1:{udp}"')
    config.write_text(text.replace('"state"', f'"state"\nmetrics = "127.0.0.1:{metrics}"'), encoding="utf-8")
    nodes = {}
    for name in ("mote", "tacho"):
        kid, secret = stethos("node", "add", name, config=config).split()
        nodes[name] = WireNode(NodeKey(name, bytes.fromhex(kid), bytes.fromhex(secret), 0, 0))
    said = itertools.count()

    def moments(wanted: str, *command: str, fault: int = 0) -> None:
        """Three speeds in turn, and what the mote hears then, until the gateway says what is wanted."""
        end, noise = time.monotonic() + PATIENCE_S, np.random.default_rng(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(PATIENCE_S)
            for number in said:
                speed = 500 + 100 * (number % 3)
                sound = 4096 * (speed + fault) / 500 + noise.normal(0, 60, 16)
                of_each = Features(SLOW, (16 * speed, 3, 40)), Features(INVARIANT, tuple(map(int, sound)))
                for name, features in zip(("tacho", "mote"), of_each, strict=True):
                    peer.sendto(nodes[name].say(Window(number, 0, 0, 0, features)), ("127.0.0.1", udp))
                    nodes[name].hear(peer.recv(512))
                if number % 10 == 0 and wanted in stethos(*command, config=config):
                    return
                assert time.monotonic() < end, "waited too long"

    with running(config):
        moments("given tacho/1", "learner", "list")
        assert "fan/anomaly" not in stethos("alarm", "list", config=config)
    with running(config):
        moments("fan/anomaly", "alarm", "list", fault=300)
    assert "byte-identical" in stethos("replay", config=config)
