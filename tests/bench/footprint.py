"""What a running gateway costs: memory and CPU at a rate that is kept, by number of nodes and over time."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import linear_regression

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.house import BUDGET, House, running
from tests.bench.plant import BenchPlant
from tests.bench.progress import say
from tests.bench.stretch import Outcome, introduced, stretch

RATE = 2000.0
EVERY_S = 2.0
LAST = 0.1  # of a long run: the part that the cost is taken from
SOAKED = 1000


@dataclass(slots=True)
class Memory:
    """Resident memory of the gateway over time."""

    at_s: list[float]
    mb: list[float]

    def at(self, after_s: float) -> float:
        """So long after the beginning, in MiB."""
        return self.mb[self._index(after_s)]

    def slope_mb_per_h(self, after_s: float) -> float:
        """Least squares over what comes after so long."""
        start = self._index(after_s)
        return linear_regression(self.at_s[start:], self.mb[start:]).slope * 3600

    def _index(self, after_s: float) -> int:
        return bisect_left(self.at_s, self.at_s[0] + after_s)


@asynccontextmanager
async def _watched(house: House) -> AsyncIterator[Memory]:
    memory, loop = Memory([], []), asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            memory.at_s.append(loop.time())
            memory.mb.append(processes.rss_mb(house.gateway.pid))
            await asyncio.sleep(EVERY_S)

    task = asyncio.create_task(watch())
    try:
        yield memory
    finally:
        task.cancel()


async def memory(nodes: int, *, seconds: float) -> Mapping[str, Figure]:
    """Resident memory after so long."""
    async with running(BenchPlant(nodes)) as house, introduced(house, "udp") as site:
        outcome = await stretch(house, site, RATE, seconds, sealed=False)
        rss_mb = processes.rss_mb(house.gateway.pid)
    say(f"{nodes} nodes: {rss_mb:.0f} MiB; {outcome.in_words}")
    return {f"rss_mb_{nodes}_nodes": Figure(round(rss_mb, 1), "MiB", _size_after(seconds, nodes, outcome))}


async def cost_ratio(few: int, many: int, *, seconds: float) -> Mapping[str, Figure]:
    """CPU per report with many nodes over that with few, the rate being the same."""
    cost_us, held = {}, []
    for nodes in (few, many):
        # All bare Flags are sensor faults: three assets cannot raise and return forty anomalies a second.
        plant = BenchPlant(nodes, modbus=False)  # whose map has no room for so many
        async with running(plant) as house, introduced(house, "udp", incidents=False) as site:
            before = await stretch(house, site, RATE, seconds * (1 - LAST), sealed=False)
            outcome = await stretch(house, site, RATE, seconds * LAST, sealed=False)
        cost_us[nodes] = outcome.cpu_us["gateway"]
        held.append(f"{nodes} nodes: {cost_us[nodes]:.1f} us, {before.verdict}, then {outcome.verdict}")
        say(f"{nodes} nodes: {outcome.in_words}")
    how = (
        f"CPU time of the gateway per report in the last {seconds * LAST:.0f} of {seconds:.0f} s of mix M over udp at "
        f"{RATE:.0f} reports/s, its bare Flags being sensor faults that the next Health returns; MQTT and OPC UA with "
        f"their clients, no Modbus, whose map has room for 1,250 nodes; "
        f"{'; '.join(held)}; {BUDGET}"
    )
    return {f"cost_ratio_{few}_to_{many}_nodes": Figure(round(cost_us[many] / cost_us[few], 3), "", how)}


async def soak(*, steady_s: float, run_in_s: float, seconds: float) -> Mapping[str, Figure]:
    """Resident memory after `steady_s`, and whether it grows in the `seconds` that follow on `run_in_s`, in which what
    is bounded fills up.
    """
    async with running(BenchPlant(SOAKED)) as house, introduced(house, "udp") as site, _watched(house) as rss:
        outcome = await stretch(house, site, RATE, run_in_s + seconds, sealed=False)
    steady_mb, begun_mb, slope = rss.at(steady_s), rss.at(run_in_s), rss.slope_mb_per_h(run_in_s)
    say(f"{steady_mb:.0f}, {begun_mb:.0f}, {rss.mb[-1]:.0f} MiB, {slope:+.2f} MiB/h; {outcome.in_words}")
    growth = (
        f"slope by least squares of the gateway's VmRSS, every {EVERY_S:.0f} s, over {seconds:.0f} s of "
        f"{_load(SOAKED)}, after {run_in_s:.0f} s of the same, in which what is bounded fills up; "
        f"from {begun_mb:.0f} to {rss.mb[-1]:.0f} MiB; {outcome.verdict}"
    )
    return {
        f"rss_mb_{SOAKED}_nodes": Figure(round(steady_mb, 1), "MiB", _size_after(steady_s, SOAKED, outcome)),
        "soak_rss_growth_mb_per_h": Figure(round(slope, 2), "MiB/h", growth),
    }


def _size_after(seconds: float, nodes: int, outcome: Outcome) -> str:
    return f"VmRSS of the gateway after {seconds:.0f} s of {_load(nodes)}; {outcome.verdict}"


def _load(nodes: int) -> str:
    return f"mix M over udp at {RATE:.0f} reports/s, {nodes} nodes, all outputs with their clients; {BUDGET}"
