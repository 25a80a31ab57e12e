"""Housekeeping: what nears its bound raises an alarm before the bound is reached, and returns with room to spare."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import config
from gateway.core.command import Command, CommandKind
from gateway.core.entry import EntryKind, Scored
from gateway.core.plant import AlarmId, AlarmKind, Scope
from gateway.core.update import AlarmChange
from gateway.outputs import modbus
from gateway.outputs.modbus import map as registers
from gateway.runtime import decider as decider_module
from gateway.runtime.housekeeping import MIB, Housekeeping, Watch
from gateway.runtime.memory import Memory
from gateway.runtime.pump import Pump
from gateway.store.reader import Reader
from gateway.store.schema import FILE_NAME
from tests.outputs.modbus.client import connected
from tests.runtime.house import KEYS, House, WireNode, running, until
from tests.runtime.test_decider import Failing

SPACE = AlarmId(Scope.GATEWAY, "gateway", AlarmKind.JOURNAL_SPACE)
ANOMALY = "asset/pump-1/anomaly"
BEHIND = AlarmId(Scope.GATEWAY, "gateway", AlarmKind.OUTPUT_BEHIND)


@dataclass
class Place:
    """Where an Output stands, as housekeeping sees a pump."""

    delivered: int | None = None


def settings(**keys: float) -> config.Journal:
    return config.Journal.model_validate({"reserve_mb": 0} | keys)


class Keeper:
    """Housekeeping of a house, that looks when it is told to."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.settings = settings()
        self.places: dict[str, Place] = {}
        self.memory = Memory(1, 100)
        self._keeping = Housekeeping(
            folder, house.decider, self.places, lambda: self.settings, house.metrics, house.clock,  # type: ignore[arg-type]
            lambda: self.memory,
        )  # fmt: skip

    async def look(self) -> dict[AlarmId, AlarmChange]:
        """Look once; the alarms of the gateway as they stand then."""
        await self._keeping.look()
        view = await self.house.decider.view()
        return {change.alarm: change for change in view.alarms if change.alarm.scope is Scope.GATEWAY}

    def gone(self) -> int:
        """Number of the last event that has been given up."""
        return self.house.journal.sizes().gone_event if self.house.counted("events_let_go") else 0

    def behind(self) -> str | None:
        """What the alarm output_behind says that stands in the journal."""
        active, said = self.house.decider.engine.noticed(AlarmKind.OUTPUT_BEHIND)
        return said if active else None

    def near(self, bound: str) -> float | None:
        return self.house.metrics.registry.get_sample_value("stethos_near_bound", {"bound": bound})


@asynccontextmanager
async def keeping(folder: Path, **more: object) -> AsyncIterator[Keeper]:
    async with running(folder, **more) as house:  # type: ignore[arg-type]
        await house.decider.view()
        yield Keeper(house, folder)


def test_a_watch_has_hysteresis() -> None:
    watch = Watch(0.8, 0.6)
    assert [watch.look(value, 100) for value in (79, 80, 79, 60, 59, 79, 80)] == [
        False, True, True, True, False, False, True,
    ]  # fmt: skip


async def test_a_disk_with_less_than_the_reserve_free_raises_and_clears(tmp_path: Path) -> None:
    async with keeping(tmp_path) as keeper:
        assert await keeper.look() == {}
        free_mb = shutil.disk_usage(tmp_path).free // MIB
        keeper.settings = settings(reserve_mb=free_mb * 2)
        alarm = (await keeper.look())[SPACE]
        assert (alarm.active, alarm.acknowledged) == (True, False)
        assert "free on the disk" in alarm.comment
        assert keeper.near("disk") == 1
        keeper.settings = settings(reserve_mb=free_mb // 2)
        assert not (await keeper.look())[SPACE].active
        assert keeper.near("disk") == 0


async def test_what_stands_is_said_once_and_not_again_after_a_restart(tmp_path: Path) -> None:
    def noticed() -> int:
        reader = Reader.open(tmp_path)
        rows = reader.read(0, 1000)
        reader.close()
        return sum(row.kind == EntryKind.NOTICED for row in rows)

    for _ in range(2):
        async with keeping(tmp_path) as keeper:
            keeper.settings = settings(reserve_mb=10**9)
            await keeper.look()
            await keeper.look()
            assert noticed() == 1


async def storm(house: House, count: int, comment: str = "storm") -> None:
    """So many alarm events, behind an alarm that stands."""
    kinds = (CommandKind.OUT_OF_SERVICE, CommandKind.IN_SERVICE)
    commands = [Command(kinds[i % 2], "me", "test", ANOMALY, comment=comment) for i in range(count)]
    results = await asyncio.gather(*map(house.decider.command, commands))
    assert all(result.event for result in results)


async def alarmed(house: House) -> None:
    """An alarm of the plant, for a storm."""
    await house.hand_in(WireNode(KEYS[0]).flag())
    await house.answered(1)


async def test_an_output_that_nears_the_end_of_the_events_raises_by_name(tmp_path: Path) -> None:
    async with keeping(tmp_path) as keeper:
        await alarmed(keeper.house)
        await storm(keeper.house, 998)
        last = keeper.house.decider.committed_event
        keeper.settings = settings(keep_events=1000)
        keeper.places |= {"mqtt": Place(), "opcua": Place(last - 700), "modbus": Place()}
        assert await keeper.look() == {}  # where the others stand is not known
        keeper.places["mqtt"].delivered = last - 800
        assert (await keeper.look())[BEHIND].comment == "output mqtt"
        keeper.places["modbus"].delivered = last - 800
        alarm = (await keeper.look())[BEHIND]
        assert (alarm.active, alarm.transition, alarm.comment) == (True, "revised", "output mqtt; output modbus")
        keeper.places["mqtt"].delivered = last - 790  # what is said may wait, too
        del keeper.places["modbus"]  # by a reload
        assert (await keeper.look())[BEHIND].comment == "output mqtt"
        keeper.places["mqtt"].delivered = last - 590
        assert not (await keeper.look())[BEHIND].active


@pytest.mark.parametrize("bound", [{"keep_mb": 16}, {"keep_mb": 24, "keep_events": 1000}])
async def test_no_event_is_given_up_before_the_alarm_that_an_output_has_not_delivered_it(
    tmp_path: Path, bound: dict[str, float]
) -> None:
    """Whichever bound presses, and however much comes between two looks."""
    async with keeping(tmp_path, snapshot_entries=10**6) as keeper:
        keeper.settings = settings(**bound)
        keeper.places |= {"dead": Place(0), "well": Place(0)}
        await alarmed(keeper.house)
        before: list[bool] = []
        while not keeper.gone():
            assert len(before) < 20
            await storm(keeper.house, 2000, "x" * 1000)
            keeper.places["well"].delivered = keeper.house.decider.committed_event
            before.append(keeper.behind() == "output dead")
            await keeper.look()
        assert before[-1]
        assert not before[0]
        first = keeper.gone()
        for _ in range(3):  # it goes on as long as the output is dead, and the alarm with it
            await storm(keeper.house, 2000, "x" * 1000)
            keeper.places["well"].delivered = keeper.house.decider.committed_event
            await keeper.look()
            assert keeper.behind() == "output dead"
        assert keeper.gone() > first
        keeper.places["dead"].delivered = keeper.house.decider.committed_event
        await keeper.look()
        assert keeper.behind() is None


async def test_while_the_alarm_cannot_be_journalled_no_event_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decider_module, "RETRY_S", 0.01)
    async with keeping(tmp_path, kind=Failing) as keeper:
        journal = keeper.house.journal
        assert isinstance(journal, Failing)
        await alarmed(keeper.house)
        for _ in range(3):
            await storm(keeper.house, 2000, "x" * 1000)
        keeper.settings = settings(keep_mb=16, keep_events=1000)
        keeper.places["dead"] = Place(0)
        journal.failures = 10**6
        for _ in range(3):
            await keeper.look()
            assert keeper.behind() is None
            assert keeper.near("output dead") == 1
        assert journal.first_id > 1000
        assert keeper.gone() == 0
        journal.failures = 0
        await until(lambda: keeper.house.decider.accepting)
        await keeper.look()
        await keeper.look()
        assert keeper.behind() == "output dead"
        assert keeper.gone() > 0


async def test_a_plc_that_has_stopped_following_is_behind_and_one_that_never_has_is_not(tmp_path: Path) -> None:
    async with keeping(tmp_path) as keeper:
        house, output = keeper.house, modbus.Output(modbus.Settings(port=0, writes=True))
        pump = Pump("modbus", lambda: output, house.decider, tmp_path, house.journal.gateway_id, house.metrics)
        keeper.places["modbus"] = pump  # type: ignore[assignment]
        keeper.settings = settings(keep_events=1000)
        work = asyncio.create_task(pump.session())
        await pump.settled.wait()
        await alarmed(house)
        await storm(house, 900)
        await until(lambda: pump.cursor == house.decider.committed_event)
        await keeper.look()
        assert keeper.behind() is None
        async with connected(output) as plc:
            await plc.write(registers.TAKEN, *await plc.registers(4, registers.RECORD, 2))  # the first, and no more
        await keeper.look()
        assert keeper.behind() == "output modbus"
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_memory_is_told_before_its_bound(tmp_path: Path) -> None:
    async with keeping(tmp_path) as keeper:
        for resident, near in ((799, None), (800, 1), (700, 1), (699, 0)):
            keeper.memory = Memory(resident * MIB, 1000 * MIB)
            await keeper.look()
            assert keeper.near("memory") == near
        figure = keeper.house.metrics.registry.get_sample_value
        assert figure("stethos_memory_bytes") == 699 * MIB
        assert figure("stethos_memory_bound_bytes") == 1000 * MIB


async def test_the_journal_stays_within_its_size_while_outputs_are_dead_and_keeps_every_event(tmp_path: Path) -> None:
    async with keeping(tmp_path, snapshot_entries=10**6) as keeper:
        keeper.settings = settings(keep_mb=16)
        keeper.places["mqtt"] = Place(0)
        await keeper.house.hand_in(WireNode(KEYS[0]).flag())  # an incident and an alarm
        for _ in range(40):
            for _ in range(500):
                await keeper.house.decider.put(Scored(10**9, 0, 0, b"", "x" * 1000))
            await keeper.house.decider.pulse()
            alarms = await keeper.look()
            assert SPACE not in alarms
            on_disk = sum(f.stat().st_size for f in tmp_path.glob("journal.sqlite3*") if f.suffix != ".sqlite3-shm")
            assert on_disk <= 18 * MIB
        assert keeper.house.counted("entries_let_go") > 0
        assert keeper.house.counted("events_let_go") == 0
        assert [number for number, *_ in keeper.house.journal.events(0, 9)] == [1, 2]
        assert keeper.house.journal.first_id > 1


async def test_a_damaged_page_is_told_and_does_not_stop_the_gateway(tmp_path: Path) -> None:
    async with keeping(tmp_path) as keeper:
        for _ in range(5000):
            await keeper.house.decider.put(Scored(10**9, 0, 0, b"", "x" * 100))
    file = tmp_path / FILE_NAME
    data = bytearray(file.read_bytes())
    leaves = [at for at in range(0, len(data), 4096) if data[at] == 0x0D and b"x" * 100 in data[at : at + 4096]]
    page = leaves[len(leaves) // 2]  # neither the newest entries nor those that were pruned already
    data[page : page + 4096] = b"\xff" * 4096
    file.write_bytes(data)
    async with keeping(tmp_path) as keeper:
        keeper.settings = settings(keep_days=10**-9)
        await asyncio.sleep(0)
        await keeper.look()
        assert keeper.house.counted("prune_failed") == 1
        await keeper.house.hand_in(WireNode(KEYS[0]).flag())
        await keeper.house.answered(1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 24 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_the_alarm_comes_before_the_disk_is_full_and_goes_when_there_is_room(small_disk: Path) -> None:
    state = small_disk / "state"
    async with keeping(state) as keeper:
        keeper.settings = settings(reserve_mb=4)
        assert await keeper.look() == {}
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 2 * MIB))
        assert (await keeper.look())[SPACE].active  # while it can still be journalled
        with pytest.raises(OSError, match="No space"):
            (small_disk / "more").write_bytes(bytes(8 * MIB))
        await keeper.house.hand_in(WireNode(KEYS[0]).flag())
        await until(lambda: not keeper.house.decider.accepting)
        assert keeper.near("disk") == 1
        for file in ("ballast", "more"):
            (small_disk / file).unlink()
        assert not (await keeper.look())[SPACE].active
        assert keeper.house.decider.accepting
