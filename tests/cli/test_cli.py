import csv
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.core.entry import Report, Started, decode
from gateway.store.keys import NodeKey
from gateway.store.reader import Reader
from tests.runtime.house import WireNode

PATIENCE_S = 30.0
SAMPLE = Path(__file__).parents[2] / "deploy" / "stethos.toml"
TEXT = 'cause = "{asset}: why"\nconsequence = "what"\naction = "go to {asset}"\npriority = "high"\nresponse_s = 60\n'
CONFIG = f"""\
[gateway]
site = "works"
state_dir = "state"
metrics = "127.0.0.1:{{metrics}}"
[alarm.anomaly]
{TEXT}[alarm.node_lost]
{TEXT}[alarm.sensor_fault]
{TEXT}[[asset]]
name = "pump-1"
area = "north"
line = "line-3"
nodes = ["n1", "n2"]
k = 1
[[link]]
type = "udp"
name = "wifi"
bind = "127.0.0.1:{{udp}}"
"""


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "stethos.toml"
    udp, metrics = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    file.write_text(CONFIG.replace("{udp}", str(udp)).replace("{metrics}", str(metrics)), encoding="utf-8")
    return file


def stethos(*arguments: object, config: Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "-c", str(config)], catch_exceptions=False)


def good(*arguments: object, config: Path) -> str:
    result = stethos(*arguments, config=config)
    assert result.exit_code == 0, result.output
    return result.output


def test_nodes_are_registered_shown_rekeyed_and_removed(config: Path) -> None:
    kid, secret = good("node", "add", "n1", "--id", "0000000a", config=config).split()
    assert (kid, len(bytes.fromhex(secret))) == ("0000000a", 16)
    state = config.parent / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "nodes.sqlite3").stat().st_mode) == 0o600
    shown = good("node", "show", "n1", config=config)
    assert "0000000a" in shown and secret not in shown
    assert f"{kid} {secret}" in good("node", "show", "n1", "--secret", config=config).splitlines()
    listed = good("node", "list", config=config)
    assert re.search(r"n1.*0000000a.*pump-1", listed) and re.search(r"n2.*not registered", listed)
    assert secret not in listed
    renewed = good("node", "rekey", "n1", config=config).split()
    assert renewed[0] == kid and renewed[1] != secret
    assert "key generation 1" in good("node", "show", "n1", config=config)
    good("node", "remove", "n1", config=config)
    for refused in (("show", "n1"), ("remove", "n1"), ("rekey", "n1"), ("add", "N 1")):
        assert stethos("node", *refused, config=config).exit_code == 1
    assert stethos("node", "add", "n1", "--id", "xyz", config=config).exit_code == 2


def test_check_passes_the_sample_and_warns_of_nodes_that_nobody_registered() -> None:
    result = stethos("check", config=SAMPLE)
    assert result.exit_code == 0, result.output
    assert "warning: node 'pump-1-inlet' is not registered" in result.stdout and "good (1 assets" in result.stdout


def test_check_is_silent_about_registered_nodes(config: Path) -> None:
    good("node", "add", "n1", config=config)
    output = good("check", config=config)
    assert "'n2' is not registered" in output and "'n1'" not in output


def test_check_names_every_fault_and_ends_with_78(config: Path) -> None:
    config.write_text(config.read_text().replace("site =", "sight =").replace("k = 1", "k = 3"), encoding="utf-8")
    for command in ("check", "run", "tags"):
        result = stethos(command, config=config)
        assert result.exit_code == os.EX_CONFIG == 78
        for fault in ("gateway.site: is missing", "did you mean 'site'?", "asset[0].k: 3 of 2 nodes"):
            assert fault in result.stderr


def test_check_misses_files_and_bundles_that_are_named(config: Path) -> None:
    text = config.read_text().replace("k = 1", 'k = 1\nmodel = "pump-host"') + (
        '[rescoring]\nbundles = "bundles"\n'
        '[[link]]\ntype = "mqtt"\nname = "m"\nuser = "u"\npassword_file = "secret"\ntls = true\nca_file = "ca.pem"\n'
        '[output.mqtt]\nuser = "u"\npassword_file = "there"\n'
    )
    config.write_text(text, encoding="utf-8")
    (config.parent / "state").mkdir(mode=0o700)
    (config.parent / "state" / "there").write_text("x")
    result = stethos("check", config=config)
    assert result.exit_code == 78
    found = [line.split(": ", 1)[1] for line in result.stderr.splitlines()]
    assert [fault.split(":")[0] for fault in found] == [
        "asset.model 'pump-host'", "link[1].ca_file", "link[1].password_file",
    ]  # fmt: skip


def test_check_finds_outputs_and_folders_that_cannot_be_addressed(config: Path) -> None:
    nodes = ", ".join(f'"n{i}"' for i in range(3000))
    text = config.read_text().replace('"n1", "n2"', nodes).replace('"state"', f'"{"s" * 120}"') + "[output.modbus]\n"
    config.write_text(text, encoding="utf-8")
    result = stethos("check", config=config)
    assert result.exit_code == 78
    assert "output.modbus: " in result.stderr and "gateway.state_dir: " in result.stderr


def test_tags_are_listed_with_their_addresses_as_table_csv_and_json(config: Path) -> None:
    config.write_text(config.read_text() + "[output.mqtt]\n[output.modbus]\n[output.opcua]\n", encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(good("tags", "--format", "json", config=config))
    assert list(csv.DictReader(io.StringIO(good("tags", "--format", "csv", config=config)))) == rows
    table = good("tags", config=config)
    assert len({row["tag"] for row in rows}) == len(rows) > 20
    for output in ("mqtt", "modbus", "opcua"):
        assert len({row[output] for row in rows}) == len(rows), output
        assert all(row[output] in table for row in rows)
    (state,) = [row for row in rows if row["tag"] == "asset/pump-1/state"]
    assert state["mqtt"] == "stethos/works/north/line-3/pump-1/state" and state["description"].endswith("incident)")


def test_the_modbus_map_is_listed_register_by_register(config: Path) -> None:
    config.write_text(config.read_text() + '[output.modbus]\nword_order = "little"\n', encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(good("tags", "--modbus-map", config=config))))
    where = {(row["name"], row["function_codes"]): row for row in rows}
    assert len(where) == len(rows)
    assert where["asset.pump-1.score", "4"]["pdu_address"] == "1008"
    assert where["asset.pump-1.score", "4"]["word_order"] == "little-endian"
    assert where["node.n2.node_lost.active", "2"]["pdu_address"] == "1028"
    owners = {".".join(row["name"].split(".")[:2]) for row in rows if row["name"].startswith(("asset.", "node."))}
    assert owners == {"asset.pump-1", "node.n1", "node.n2"}  # no rows of slots that nobody has


def test_the_modbus_map_needs_the_output(config: Path) -> None:
    result = stethos("tags", "--modbus-map", config=config)
    assert result.exit_code == 2
    assert "the configuration has no [output.modbus]" in result.stderr


@contextmanager
def running(config: Path, *, killed: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A gateway of its own process, up as soon as it says so; unless it is killed it has to end well."""
    command = [sys.executable, "-m", "gateway", "run", "-c", str(config)]
    log = config.parent / "log"
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr, text=True) as process:
        try:
            until(lambda: '"link up"' in log.read_text() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield process
            process.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
            assert process.wait(PATIENCE_S) == (-signal.SIGKILL if killed else 0), log.read_text()
        finally:
            process.kill()


def until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_running_gateway_is_asked_and_its_journal_replayed_explained_and_audited(config: Path) -> None:
    kid, secret = good("node", "add", "n1", config=config).split()
    node = WireNode(NodeKey("n1", bytes.fromhex(kid), bytes.fromhex(secret), 0, 0))
    text = config.read_text()
    port = int(re.search(r'bind = "127.0.0.1:(\d+)"', text)[1])  # type: ignore[index]
    metrics = re.search(r'metrics = "(.*)"', text)[1]  # type: ignore[index]
    state = config.parent / "state"
    with running(config), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert stat.S_IMODE((state / "control.sock").stat().st_mode) == 0o600
        peer.settimeout(PATIENCE_S)
        peer.sendto(node.flag(), ("127.0.0.1", port))
        assert node.hear(peer.recv(512))[2].base == 0
        assert "go to pump-1" in good("alarm", "list", config=config)
        assert good("alarm", "ack", "asset/pump-1/anomaly", "-m", "belt", config=config).startswith("done (event")
        again = stethos("alarm", "ack", "asset/pump-1/anomaly", config=config)
        assert again.exit_code == 1 and again.output.startswith("already")
        good("alarm", "shelve", "asset/pump-1/anomaly", "--minutes", 5, "-m", "spare part", config=config)
        assert "shelved" in good("alarm", "list", config=config)
        assert "byte-identical" in good("replay", config=config)  # beside the running gateway
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=PATIENCE_S) as answer:
            assert b'stethos_frames_total{node="n1",verdict="accepted"} 1.0' in answer.read()
        # A node that is registered now is heard at once.
        kid, secret = good("node", "add", "n2", config=config).split()
        other = WireNode(NodeKey("n2", bytes.fromhex(kid), bytes.fromhex(secret), 0, 0))
        peer.sendto(other.flag(), ("127.0.0.1", port))
        assert other.hear(peer.recv(512))[2].base == 0
    assert stethos("alarm", "ack", "asset/pump-1/anomaly", config=config).exit_code == os.EX_TEMPFAIL
    assert "entries hold" in good("audit", config=config)
    assert "byte-identical" in good("replay", config=config)
    tree = good("explain", 1, config=config)
    for part in ("incident 1 at works", "1 of 2 nodes within 60 s", "node n1", "configuration of entry 2", "(cli uid"):
        assert part in tree
    assert stethos("explain", 99, config=config).exit_code == 1
    assert '"incident opened"' in (config.parent / "log").read_text()


def test_a_gateway_that_is_killed_again_and_again_loses_and_doubles_nothing(config: Path) -> None:
    kid, secret = good("node", "add", "n1", config=config).split()
    node = WireNode(NodeKey("n1", bytes.fromhex(kid), bytes.fromhex(secret), 0, 0))
    port = int(re.search(r'bind = "127.0.0.1:(\d+)"', config.read_text())[1])  # type: ignore[index]
    acknowledged: set[int] = set()
    used: list[int] = []
    lives = 0  # that were long enough to acknowledge something
    for target in (5, 25, 45, 60):
        with running(config, killed=True), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(PATIENCE_S)
            for seq in sorted(set(range(60)) - acknowledged):
                peer.sendto(node.flag(seq), ("127.0.0.1", port))
            lives += len(acknowledged) < target
            while len(acknowledged) < target:
                _, partial_iv, ack = node.hear(peer.recv(512))
                used.append(partial_iv)
                acknowledged |= {ack.base, *(ack.base + 1 + i for i in range(32) if ack.bitmap >> i & 1)}
    assert acknowledged == set(range(60)) and len(set(used)) == len(used)
    with closing(Reader.open(config.parent / "state")) as reader:
        bodies = [decode(row.kind, row.version, row.body) for row in reader.read(0, 10_000)]
    assert sorted(body.seq for body in bodies if isinstance(body, Report)) == list(range(60))
    assert lives <= sum(isinstance(body, Started) for body in bodies) <= 4
    assert "byte-identical" in good("replay", config=config)
    assert "entries hold" in good("audit", config=config)


def test_without_a_journal_there_is_nothing_to_tell(config: Path) -> None:
    for command in (("replay",), ("audit",), ("explain", 1), ("alarm", "list")):
        result = stethos(*command, config=config)
        assert result.exit_code == 1 and "no journal here" in result.stderr
