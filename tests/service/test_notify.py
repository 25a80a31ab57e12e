"""What the service manager hears, over a real socket and from a real pipeline."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.runtime import decider as decider_module
from gateway.runtime import service as service_module
from gateway.runtime.service import Service, status
from gateway.store.group import Group
from gateway.store.journal import Journal
from gateway.store.retention import Limits, Sizes
from gateway.store.schema import JournalFull
from tests.runtime.house import KEYS, House, WireNode, running, until
from tests.runtime.test_decider import Blocked

WATCHDOG_S = 0.02


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(address)
        self.heard: list[dict[str, str]] = []

    def listen(self) -> list[dict[str, str]]:
        """Everything heard so far."""
        while True:
            try:
                data = self._socket.recv(65_536)
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in data.decode().split("\n")))

    def count(self, name: str) -> int:
        return sum(name in message for message in self.listen())

    def close(self) -> None:
        self._socket.close()
        Path(self.address).unlink(missing_ok=True)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


@asynccontextmanager
async def attended(service: Service, house: House, settled: Iterable[asyncio.Event] = ()) -> AsyncIterator[None]:
    task = asyncio.create_task(service.attend(settled, house.decider.pulse, lambda: status(house.decider, [])))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Full(Journal):
    """A disk that is full while `full` says so."""

    full = False

    def commit(self, group: Group) -> None:
        if self.full:
            raise JournalFull("full, says the test")
        super().commit(group)


class Hung(Journal):
    """A disk that housekeeping does not come back from before `go`."""

    go, waiting = threading.Event(), threading.Event()

    def sizes(self) -> Sizes:
        self.waiting.set()
        assert self.go.wait(10)
        return super().sizes()


async def test_ready_comes_after_every_output_has_had_its_first_try(tmp_path: Path, manager: Manager) -> None:
    events = [asyncio.Event(), asyncio.Event()]
    async with running(tmp_path) as house, attended(Service(manager.address, WATCHDOG_S), house, events):
        events[1].set()
        for _ in range(5):  # time enough to say it too early
            await house.decider.pulse()
        assert manager.listen() == []
        events[0].set()
        await until(lambda: manager.count("WATCHDOG"))
    assert manager.heard[0]["READY"] == "1"
    assert manager.heard[0]["STATUS"] == "accepting; 0 of 2 nodes heard; 0 alarms active, 0 unacknowledged"


async def test_an_output_that_hangs_holds_up_readiness_no_longer_than_allowed(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "SETTLE_S", 0.01)
    async with running(tmp_path) as house, attended(Service(manager.address), house, [asyncio.Event()]):
        await until(lambda: manager.count("READY"))


async def test_the_watchdog_starves_while_the_journal_hangs(tmp_path: Path, manager: Manager) -> None:
    Blocked.go, Blocked.waiting = threading.Event(), threading.Event()
    Blocked.go.set()
    async with running(tmp_path, kind=Blocked) as house, attended(Service(manager.address, WATCHDOG_S), house):
        await until(lambda: manager.count("WATCHDOG") >= 2)
        Blocked.go.clear()
        Blocked.waiting.clear()
        await house.hand_in(WireNode(KEYS[0]).flag())
        await until(Blocked.waiting.is_set)
        fed = manager.count("WATCHDOG")
        await asyncio.sleep(20 * WATCHDOG_S)  # the loop runs; a watchdog fed by it alone would be fed 40 times
        assert manager.count("WATCHDOG") <= fed + 1  # one was perhaps on its way
        Blocked.go.set()
        fed = manager.count("WATCHDOG")
        await until(lambda: manager.count("WATCHDOG") >= fed + 3)
    assert "1 of 2 nodes heard; 1 alarms active, 1 unacknowledged" in manager.heard[-1]["STATUS"]


async def test_the_watchdog_starves_while_the_journals_thread_hangs_in_a_quiet_plant(
    tmp_path: Path, manager: Manager
) -> None:
    Hung.go.clear()
    async with running(tmp_path, kind=Hung) as house, attended(Service(manager.address, WATCHDOG_S), house):
        await until(lambda: manager.count("WATCHDOG") >= 2)
        pruning = asyncio.create_task(house.decider.prune(Limits()))
        await until(Hung.waiting.is_set)
        fed = manager.count("WATCHDOG")
        await asyncio.sleep(20 * WATCHDOG_S)
        assert manager.count("WATCHDOG") <= fed + 1
        Hung.go.set()
        await pruning
        fed = manager.count("WATCHDOG")
        await until(lambda: manager.count("WATCHDOG") >= fed + 3)


async def test_a_full_disk_is_told_and_is_no_reason_to_be_killed(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decider_module, "RETRY_S", 0.01)
    async with running(tmp_path, kind=Full) as house, attended(Service(manager.address, WATCHDOG_S), house):
        await house.decider.view()
        house.journal.full = True
        await house.hand_in(WireNode(KEYS[0]).flag())
        await until(lambda: sum("NOT ACCEPTING" in m.get("STATUS", "") for m in manager.listen()) >= 3)
        house.journal.full = False
        await house.hand_in(WireNode(KEYS[0], 10).flag(0))
        await until(lambda: manager.listen()[-1].get("STATUS", "").startswith("accepting; 1 of 2"))


async def test_a_reload_is_told_with_its_time_and_its_outcome(tmp_path: Path, manager: Manager) -> None:
    service = Service(manager.address, WATCHDOG_S)
    await service.reloading()
    await service.reloaded()
    assert manager.listen() == []  # part of the start
    async with running(tmp_path) as house, attended(service, house):
        await until(lambda: manager.count("WATCHDOG"))
        before = time.monotonic_ns() // 1000
        await service.reloading()
        after = time.monotonic_ns() // 1000
        await service.reloaded("refused:\nno such asset")
        (reload,) = [message for message in manager.listen() if "RELOADING" in message]
        assert before <= int(reload["MONOTONIC_USEC"]) <= after
        assert manager.heard[manager.heard.index(reload) + 1] == {"READY": "1", "STATUS": "refused: no such asset"}
        fed = manager.count("WATCHDOG")
        await until(lambda: manager.count("WATCHDOG") >= fed + 2)
        assert manager.heard[-1]["STATUS"].startswith("refused: no such asset; accepting")
        await service.reloading()
        await service.reloaded()
        fed = manager.count("WATCHDOG")
        await until(lambda: manager.count("WATCHDOG") >= fed + 2)
        assert manager.heard[-1]["STATUS"].startswith("accepting")
        await service.stopping()
    assert manager.listen()[-1]["STOPPING"] == "1"


async def test_a_manager_that_does_not_listen_is_counted_and_told_again(tmp_path: Path, manager: Manager) -> None:
    failed: list[str] = []
    manager.close()
    async with running(tmp_path) as house, attended(Service(manager.address, WATCHDOG_S, failed.append), house):
        await until(lambda: len(failed) >= 2)
        again = Manager(manager.address)
        await until(lambda: again.count("WATCHDOG"))
        again.close()
    assert set(failed) == {"notify_failed"}


async def test_without_a_manager_nothing_is_done(tmp_path: Path) -> None:
    failed: list[str] = []
    service = Service.of({}, failed.append)
    async with running(tmp_path) as house:
        await service.attend([asyncio.Event()], house.decider.pulse, lambda: "never")  # returns
    await service.stopping()
    assert not failed


async def test_the_manager_announces_itself_by_the_environment(manager: Manager) -> None:
    for watchdog, pause_s in (
        ({}, 10.0), ({"WATCHDOG_USEC": "4000000"}, 2.0), ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, 10.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}, 2.0), ({"WATCHDOG_USEC": "60000000"}, 10.0),
    ):  # fmt: skip
        service = Service.of({"NOTIFY_SOCKET": manager.address, **watchdog}, lambda name: None)
        assert service._pause_s == pause_s
    await service.stopping()
    assert manager.count("STOPPING") == 1


async def test_an_address_may_be_abstract() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind("")  # a free abstract address
        address = there.getsockname().decode()
        await Service("@" + address[1:]).stopping()
        assert there.recv(100).startswith(b"STOPPING=1")
