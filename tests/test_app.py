"""The gateway as it is put together: reloads that fail, parts that hang or fail, keys that are gone."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway import app, configured, extensions
from gateway.app import Gateway
from gateway.core.command import Command, CommandKind, Outcome
from gateway.core.entry import Configured, EntryKind, Report, decode
from gateway.core.update import Update
from gateway.outputs import Gap, Host, OutputFailed, Present
from gateway.runtime import decider as decider_module
from gateway.runtime.metrics import Metrics
from gateway.runtime.reload import Reloaded
from gateway.store import identity
from gateway.store.audit import audit
from gateway.store.group import Group
from gateway.store.keys import NodeKey, Registry
from gateway.store.reader import Reader
from gateway.training import bundle_writer
from gateway.training.commission import host_bundle
from tests.cli.test_cli import CONFIG, free_port
from tests.detectors.conftest import normal, purpose
from tests.detectors.signing import KEY, TRUSTED
from tests.runtime.house import PATIENCE_S, WireNode, until
from tests.runtime.test_decider import Blocked, Failing


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


async def test_what_is_live_is_taken_over_in_place_and_journalled_once(config: Path) -> None:
    async with running(config) as gateway:
        links = [task for task in asyncio.all_tasks() if task.get_name() == "link wifi"]
        config.write_text(config.read_text() + "[journal]\ngroup_ms = 0\nsnapshot_entries = 100\nkeep_days = 1\n")
        outcome = await reload(gateway)
        assert outcome == Reloaded(
            ("journal.group_ms: changed", "journal.keep_days: changed", "journal.snapshot_entries: changed")
        )
        assert await reload(gateway) == Reloaded()
        assert [task for task in asyncio.all_tasks() if task.get_name() == "link wifi"] == links
        first, second = plants(config)
        assert first.plant == second.plant
        assert second.changes == outcome.changed
        lines = set(second.settings.splitlines())
        assert lines - set(first.settings.splitlines()) == {
            "journal.group_ms = 0", "journal.keep_days = 1.0", "journal.snapshot_entries = 100",
        }  # fmt: skip
        assert {'link.wifi.type = "udp"', 'gateway.site = "works"'} <= lines


async def test_a_file_changed_before_a_start_is_journalled_once(config: Path) -> None:
    for _ in range(2):
        async with running(config) as gateway:
            await gateway._decider.pulse()
            assert len(plants(config)) == 1
    edit(config, 'name = "wifi"', 'name = "wlan"')
    for _ in range(2):
        gateway = Gateway(config, configured.load_settings(config), Metrics())
        work = asyncio.create_task(gateway.run())
        await gateway._decider.pulse()
        gateway.parts.end()
        await asyncio.wait_for(work, PATIENCE_S)
        assert ['link.wlan.type = "udp"' in entered.settings for entered in plants(config)] == [False, True]


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
    bundle_writer.sign(bundle.folder, KEY)
    edit(config, "k = 1", 'k = 1\nmodel = "fan-host"')
    config.write_text(config.read_text() + f'[rescoring]\nbundles = "bundles"\ntrusted_keys = ["{TRUSTED}"]\n')
    async with running(config) as gateway:
        before = gateway._models["fan-host"]
        assert await reload(gateway) == Reloaded()
        assert gateway._models["fan-host"] is before
        manifest = bundle.folder / "bundle.json"
        manifest.write_text(re.sub(r'"threshold": *\d+', '"threshold": 77', manifest.read_text()))
        assert "forged" in (await reload(gateway)).faults[0]
        bundle_writer.sign(bundle.folder, KEY)
        assert await reload(gateway) == Reloaded(("model fan-host: changed",))
        assert gateway._models["fan-host"].bundle.manifest.threshold == 77
        (bundle.folder / "model.tflite").write_bytes(b"damaged")
        assert "SHA-256" in (await reload(gateway)).faults[0]
        assert gateway._models["fan-host"].bundle.manifest.threshold == 77
        edit(config, 'model = "fan-host"', "")
        assert await reload(gateway) == Reloaded(("model fan-host: changed", "node n1: changed", "node n2: changed"))
    models = [dict(body.plant.rescoring.models) for body in plants(config)]
    assert models == [{"fan-host": bundle.model_sha256}, {"fan-host": bundle.model_sha256}, {}]
    told = [re.findall('^model.fan-host = "(.*)"$', entered.settings, re.MULTILINE) for entered in plants(config)]
    assert [len(digests) for digests in told] == [1, 1, 0]
    assert told[0] != told[1]


async def test_whom_to_trust_is_taken_over_and_journalled(config: Path, tmp_path: Path) -> None:
    bundle = host_bundle(tmp_path / "bundles" / "fan-host", purpose("fan-host"), normal())
    bundle_writer.sign(bundle.folder, KEY)
    edit(config, "k = 1", 'k = 1\nmodel = "fan-host"')
    trusting = f'trusted_keys = ["{TRUSTED}"]\n'
    config.write_text(config.read_text() + f'[rescoring]\nbundles = "bundles"\n{trusting}')
    async with running(config) as gateway:
        edit(config, trusting, "")
        assert TRUSTED in (await reload(gateway)).faults[0]
        edit(config, '"bundles"\n', '"bundles"\nallow_unsigned = true\n')
        changed = ("rescoring.allow_unsigned: changed", "rescoring.trusted_keys: changed")
        assert await reload(gateway) == Reloaded(changed)
        (bundle.folder / "bundle.sig").unlink()
        assert await reload(gateway) == Reloaded(("model fan-host: changed",))
        bundle_writer.sign(bundle.folder, identity.load(config.parent / "state").key)
        edit(config, "allow_unsigned = true\n", "")
        assert (await reload(gateway)).faults == ()  # its own key needs no line
    told = [entered.settings.splitlines() for entered in plants(config)]
    assert [f'rescoring.trusted_keys = ["{TRUSTED}"]' in lines for lines in told] == [True, False, False, False]
    assert ["rescoring.allow_unsigned = true" in lines for lines in told] == [False, True, True, False]


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
    first, restarted, replaced = plants(config)
    assert (first.plant, first.settings) == (restarted.plant, restarted.settings)
    assert [entered.changes for entered in plants(config)] == [
        (), ("output mqtt: restarted",), ("output mqtt: stopped", "link m: started"),
    ]  # fmt: skip
    assert 'output.mqtt.password_file = "password"' in first.settings.splitlines()
    assert 'link.m.password_file = "password"' in replaced.settings.splitlines()
    assert "one" not in first.settings and "two" not in replaced.settings


class Slow(Blocked):
    """A slow disk that remembers what was written to it."""

    writing = threading.Lock()
    written: list[Group]

    def commit(self, group: Group) -> None:
        with self.writing:
            super().commit(group)
        self.written.append(group)

    @classmethod
    def configurations(cls) -> list[Group]:
        """The groups that brought one, as far as they are durable."""
        return [group for group in cls.written if any(row.kind == EntryKind.CONFIGURED for row in group.rows)]


class Follower:
    """An Output whose peer is not to be had while `down`; then it remembers the events that it is given."""

    down = True
    told: list[Update | Gap]

    def __init__(self, settings: object) -> None: ...

    async def open(self, host: Host, present: Present) -> None:
        if self.down:
            raise OutputFailed("nobody there, says the test")

    async def write(self, batch: Sequence[Update | Gap]) -> None:
        self.told += [update for update in batch if hasattr(update, "event") or isinstance(update, Gap)]

    async def close(self) -> None: ...


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> type[Slow]:
    Slow.go, Slow.waiting, Slow.written = threading.Event(), threading.Event(), []
    Slow.go.set()
    monkeypatch.setattr(app, "Journal", Slow)
    return Slow


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> type[Follower]:
    Follower.down, Follower.told = True, []
    monkeypatch.setattr(extensions.output_modules()["modbus"], "Output", Follower)
    return Follower


def as_the_power_leaves_it(config: Path, to: Path) -> Path:
    """Configuration and state as they are on the disk now, while nothing is being written."""
    shutil.copytree(config.parent, to, ignore=shutil.ignore_patterns("*.sock*", "control*", "journal.lock"))
    return to / config.name


async def test_an_output_that_a_reload_adds_misses_nothing_after_the_answer(
    config: Path,
    registry: Registry,
    slow: type[Slow],
    follower: type[Follower],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    key = registry.add("n1", now_ms=0)
    async with running(config) as gateway:
        await hear(config, key)  # events that it is not to be told
        before = gateway._decider.committed_event
        assert before > 0
        config.write_text(config.read_text() + "[output.modbus]\n")
        slow.go.clear()
        slow.waiting.clear()
        asking = asyncio.create_task(reload(gateway))
        acknowledged = Command(CommandKind.ACKNOWLEDGE, "me", "test", "asset/pump-1/anomaly")
        await until(slow.waiting.is_set)
        assert not asking.done() and "output modbus" not in gateway.parts.names
        slow.go.set()
        assert (await asking).changed == ("output modbus: started",)
        assert slow.configurations()[-1].marks["event/modbus"] == before  # durable with the entry that adds it
        event = (await gateway._decider.command(acknowledged)).event
        assert event == before + 1
        with slow.writing:
            crashed = as_the_power_leaves_it(config, tmp_path_factory.mktemp("crashed") / "box")
    follower.down = False
    async with running(crashed):
        await until(lambda: follower.told)
    first = follower.told[0]
    assert not isinstance(first, Gap) and first.event == event


async def test_what_an_acknowledgement_lets_learn_is_taken_over_by_a_reload(config: Path, registry: Registry) -> None:
    key, plain = registry.add("n1", now_ms=0), config.read_text()
    config.write_text(plain + '[learning]\nacknowledged = "learn"\n')
    acknowledged = Command(CommandKind.ACKNOWLEDGE, "me", "test", "asset/pump-1/anomaly")
    async with running(config) as gateway:
        await hear(config, key)
        result = await gateway._decider.command(acknowledged)
        assert (result.outcome, result.detail[:12]) == (Outcome.DONE, "learns anew:")
        config.write_text(plain)
        assert (await reload(gateway)).changed == ("learning.acknowledged: changed",)
        assert not gateway._decider._acknowledged_learns


async def test_an_output_that_comes_back_goes_on_where_it_was(
    config: Path, slow: type[Slow], follower: type[Follower]
) -> None:
    without = config.read_text()
    async with running(config) as gateway:
        for text, changed in (
            (without + "[output.modbus]\n", "output modbus: started"), (without, "output modbus: stopped"),
            (without + "[output.modbus]\n", "output modbus: started"),
        ):  # fmt: skip
            config.write_text(text)
            assert (await reload(gateway)).changed == (changed,)
        assert ["event/modbus" in group.marks for group in slow.configurations()] == [False, True, False, False]


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
