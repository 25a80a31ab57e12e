"""The gateway as it is put together: reloads that fail, parts that hang or fail, keys that are gone."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway import app, configured
from gateway.app import Gateway
from gateway.core.entry import Configured, Report, decode
from gateway.runtime import decider as decider_module
from gateway.runtime.metrics import Metrics
from gateway.runtime.reload import Reloaded
from gateway.store.audit import audit
from gateway.store.keys import NodeKey, Registry
from gateway.store.reader import Reader
from gateway.training.commission import host_bundle
from tests.cli.test_cli import CONFIG, free_port
from tests.detectors.conftest import normal, purpose
from tests.runtime.house import PATIENCE_S, WireNode, until
from tests.runtime.test_decider import Failing


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "stethos.toml"
    udp = str(free_port(socket.SOCK_DGRAM))
    file.write_text(CONFIG.replace('"127.0.0.1:{metrics}"', '""').replace("{udp}", udp), encoding="utf-8")
    return file


@pytest.fixture
def registry(config: Path) -> Iterator[Registry]:
    with closing(Registry.open(config.parent / "state")) as opened:
        yield opened


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Gateway]:
    gateway = Gateway(config, configured.load_settings(config), Metrics())
    work = asyncio.create_task(gateway.run())
    await until(lambda: "link wifi" in gateway.parts.names or work.done())
    yield gateway
    gateway.parts.end()
    await asyncio.wait_for(work, PATIENCE_S)


def edit(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def plants(config: Path) -> list[Configured]:
    with closing(Reader.open(config.parent / "state")) as reader:
        bodies = [decode(row.kind, row.version, row.body) for row in reader.read(0, 10_000)]
    return [body for body in bodies if isinstance(body, Configured)]


def windows(config: Path) -> set[str]:
    with closing(Reader.open(config.parent / "state")) as reader:
        return set(reader.windows())


def port_of(config: Path) -> int:
    return int(configured.load_settings(config).link[0].bind.rpartition(":")[2])


async def hear(config: Path, key: NodeKey, partial_iv: int = 0) -> None:
    """A node's claim, sent until it is acknowledged."""
    claim = WireNode(key, partial_iv)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        peer.connect(("127.0.0.1", port_of(config)))
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    peer.send(claim.flag(0))
                    async with asyncio.timeout(0.2):
                        answer = await asyncio.get_running_loop().sock_recv(peer, 512)
                except TimeoutError:
                    continue
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
                    continue
                assert claim.hear(answer)[2].base == 0
                return


async def reload(gateway: Gateway) -> Reloaded:
    return await asyncio.wait_for(asyncio.shield(gateway._reloads.ask()), PATIENCE_S)


async def test_the_windows_of_keys_that_are_gone_leave_the_journal(config: Path, registry: Registry) -> None:
    n1, n2 = registry.add("n1", now_ms=0), registry.add("n2", now_ms=0)
    async with running(config):
        await hear(config, n1)
        await hear(config, n2)
        assert windows(config) == {"n1#0", "n2#0"}
        await hear(config, registry.rekey("n1"))
        await until(lambda: windows(config) == {"n1#1", "n2#0"})
        registry.remove("n2")
        await hear(config, registry.get("n1") or n1, partial_iv=100)  # something happens: the registry is looked at
        await until(lambda: windows(config) == {"n1#1"})


async def test_a_reload_while_the_journal_cannot_be_written_changes_nothing(
    config: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "Journal", Failing)
    monkeypatch.setattr(decider_module, "RETRY_S", 0.01)
    key = registry.add("n1", now_ms=0)
    async with running(config) as gateway:
        await hear(config, key)
        edit(config, "go to {asset}", "run to {asset}")
        edit(config, 'name = "wifi"', 'name = "wlan"')
        assert isinstance(gateway._journal, Failing)
        gateway._journal.failures = 1_000_000
        assert (await reload(gateway)).faults == (
            "the journal cannot be written, so the change cannot be entered in it",
        )
        assert "link wifi" in gateway.parts.names and "link wlan" not in gateway.parts.names
        gateway._journal.failures = 0
        await hear(config, key, partial_iv=100)
        assert len(plants(config)) == 1
        outcome = await reload(gateway)
        assert outcome.changed[:2] == ("link wifi: stopped", "link wlan: started")
        assert len(plants(config)) == 2
        assert "link wlan" in gateway.parts.names
    assert [plant.plant.alarms["anomaly"].action for plant in plants(config)] == ["go to {asset}", "run to {asset}"]


async def test_what_is_live_is_taken_over_in_place_and_journals_nothing(config: Path) -> None:
    async with running(config) as gateway:
        links = [task for task in asyncio.all_tasks() if task.get_name() == "link wifi"]
        config.write_text(config.read_text() + "[journal]\ngroup_ms = 0\nsnapshot_entries = 100\nkeep_days = 1\n")
        outcome = await reload(gateway)
        assert outcome == Reloaded(
            ("journal.group_ms: changed", "journal.keep_days: changed", "journal.snapshot_entries: changed")
        )
        assert await reload(gateway) == Reloaded()
        assert [task for task in asyncio.all_tasks() if task.get_name() == "link wifi"] == links
        assert len(plants(config)) == 1


async def test_two_links_can_swap_their_ports(config: Path, registry: Registry) -> None:
    key = registry.add("n1", now_ms=0)
    first, second = port_of(config), free_port(socket.SOCK_DGRAM)
    config.write_text(config.read_text() + f'[[link]]\ntype = "udp"\nname = "b"\nbind = "127.0.0.1:{second}"\n')
    async with running(config) as gateway:
        await hear(config, key)
        for old, new in ((first, 0), (second, first), (0, second)):
            edit(config, f'"127.0.0.1:{old}"', f'"127.0.0.1:{new}"')
        assert await reload(gateway) == Reloaded(("link b: restarted", "link wifi: restarted"))
        await hear(config, key, partial_iv=100)
    with closing(Reader.open(config.parent / "state")) as reader:
        bodies = [decode(row.kind, row.version, row.body) for row in reader.read(0, 100)]
    assert [(body.link, body.seq) for body in bodies if isinstance(body, Report)] == [("wifi", 0)]


async def test_a_link_whose_port_is_taken_is_tried_again_and_is_no_refusal(config: Path, registry: Registry) -> None:
    key = registry.add("n1", now_ms=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        async with running(config) as gateway:
            await hear(config, key)
            edit(config, f"127.0.0.1:{port_of(config)}", f"127.0.0.1:{taken.getsockname()[1]}")
            assert await reload(gateway) == Reloaded(("link wifi: restarted",))
            labels = {"link": "wifi", "name": "failed"}
            await until(lambda: gateway._metrics.registry.get_sample_value("stethos_link_total", labels))
            taken.close()
            await hear(config, key, partial_iv=100)


async def test_a_bundle_with_other_contents_is_loaded_again(config: Path, tmp_path: Path) -> None:
    bundle = host_bundle(tmp_path / "bundles" / "fan-host", purpose("fan-host"), normal())
    edit(config, "k = 1", 'k = 1\nmodel = "fan-host"')
    config.write_text(config.read_text() + '[rescoring]\nbundles = "bundles"\n')
    async with running(config) as gateway:
        before = gateway._models["fan-host"]
        assert await reload(gateway) == Reloaded()
        assert gateway._models["fan-host"] is before
        manifest = bundle.folder / "bundle.json"
        manifest.write_text(re.sub(r'"threshold": *\d+', '"threshold": 77', manifest.read_text()))
        assert await reload(gateway) == Reloaded(("model fan-host: changed",))
        assert gateway._models["fan-host"].bundle.manifest.threshold == 77
        (bundle.folder / "model.tflite").write_bytes(b"damaged")
        assert "SHA-256" in (await reload(gateway)).faults[0]
        assert gateway._models["fan-host"].bundle.manifest.threshold == 77
        edit(config, 'model = "fan-host"', "")
        assert await reload(gateway) == Reloaded(("model fan-host: changed", "node n1: changed", "node n2: changed"))
    models = [dict(body.plant.rescoring.models) for body in plants(config)]
    assert models == [{"fan-host": bundle.model_sha256}, {}]


async def test_a_password_file_that_changes_restarts_whoever_it_is_of(config: Path) -> None:
    password = config.parent / "state" / "password"
    password.parent.mkdir(mode=0o700)
    password.write_text("one")
    port = free_port(socket.SOCK_STREAM)
    config.write_text(
        config.read_text() + f'[output.mqtt]\nbroker = "127.0.0.1:{port}"\nuser = "u"\npassword_file = "password"\n'
    )
    async with running(config) as gateway:
        assert await reload(gateway) == Reloaded()
        password.write_text("two")
        assert await reload(gateway) == Reloaded(("output mqtt: restarted",))
        edit(config, "[output.mqtt]", "[[link]]\ntype = 'mqtt'\nname = 'm'")
        assert await reload(gateway) == Reloaded(("output mqtt: stopped", "link m: started"))
        assert "output mqtt" not in gateway.parts.names


ODD_OUTPUT = """
import asyncio, sys
from gateway import extensions
from gateway.cli import main
from gateway.runtime import parts

class Output:
    def __init__(self, settings): pass
    async def open(self, host, present):
        print("open", flush=True)
        if sys.argv[2] == "fails":
            raise KeyError("what is this")
    async def write(self, batch): pass
    async def close(self):
        while sys.argv[2] == "hangs":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

extensions.output_modules()["modbus"].Output = Output
parts.CLOSE_S = parts.INTERRUPTED_S = 0.2
main(["run", "-c", sys.argv[1]])
"""


def run_oddly(config: Path, how: str) -> tuple[int, str]:
    """Exit code and log of a gateway whose Output is odd; it is told to stop once that has been opened."""
    config.write_text(config.read_text() + "[output.modbus]\n")
    command = [sys.executable, "-c", ODD_OUTPUT, str(config), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stdout.readline() == "open\n"
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return process.returncode, log


def test_an_output_that_hangs_in_its_close_does_not_block_the_end(config: Path) -> None:
    code, log = run_oddly(config, "hangs")
    assert code == os.EX_SOFTWARE
    assert '"part": "output modbus"' in log and "left behind" in log
    assert audit(config.parent / "state").unsigned == 0  # the journal was closed as it should be


def test_a_part_that_fails_is_told_in_one_line_and_the_exit_code(config: Path) -> None:
    code, log = run_oddly(config, "fails")
    assert code == 1
    assert log.splitlines()[-1] == "output modbus failed: KeyError: 'what is this'"
    assert "ExceptionGroup" not in log
    assert audit(config.parent / "state").unsigned == 0
