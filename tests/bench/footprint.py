"""What a running gateway costs: memory and CPU at a rate that is kept, by number of nodes and over time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import linear_regression

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.house import BUDGET, House, running
from tests.bench.plant import BenchPlant
from tests.bench.progress import say
from tests.bench.stretch import introduced, stretch

RATE = 2000.0
EVERY_S = 2.0
WARM_UP = 0.25  # of a soak: not part of the slope
LAST = 0.1  # of a long run: the part that the cost is taken from
SOAKED = 1000


@dataclass(slots=True)
class Memory:
    """Resident memory of the gateway over time."""

    at_s: list[float]
    mb: list[float]

    def slope_mb_per_h(self, after: float) -> float:
        """Least squares over what comes after this part of it."""
        start = int(len(self.at_s) * after)
        return linear_regression(self.at_s[start:], self.mb[start:]).slope * 3600


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
    how = f"VmRSS of the gateway after {seconds:.0f} s of {_load(nodes)}; {outcome.verdict}"
    return {f"rss_mb_{nodes}_nodes": Figure(round(rss_mb, 1), "MiB", how)}


async def cost_ratio(few: int, many: int, *, seconds: float) -> Mapping[str, Figure]:
    """CPU per report with many nodes over that with few, the rate being the same."""
    cost_us, held = {}, []
    for nodes in (few, many):
        # All bare Flags are sensor faults: three assets cannot raise and return forty anomalies a second.
        async with running(BenchPlant(nodes)) as house, introduced(house, "udp", incidents=False) as site:
            before = await stretch(house, site, RATE, seconds * (1 - LAST), sealed=False)
            outcome = await stretch(house, site, RATE, seconds * LAST, sealed=False)
        cost_us[nodes] = outcome.cpu_us["gateway"]
        held.append(f"{nodes} nodes: {cost_us[nodes]:.1f} us, {before.verdict}, then {outcome.verdict}")
        say(f"{nodes} nodes: {outcome.in_words}")
    how = (
        f"CPU time of the gateway per report in the last {seconds * LAST:.0f} of {seconds:.0f} s of mix M over udp at "
        f"{RATE:.0f} reports/s, its bare Flags being sensor faults that the next Health returns; "
        f"{'; '.join(held)}; {BUDGET}"
    )
    return {f"cost_ratio_{few}_to_{many}_nodes": Figure(round(cost_us[many] / cost_us[few], 3), "", how)}


async def soak(*, seconds: float) -> Mapping[str, Figure]:
    """Whether memory grows."""
    async with running(BenchPlant(SOAKED)) as house, introduced(house, "udp") as site, _watched(house) as rss:
        outcome = await stretch(house, site, RATE, seconds, sealed=False)
    slope = rss.slope_mb_per_h(WARM_UP)
    say(f"{rss.mb[0]:.0f} to {rss.mb[-1]:.0f} MiB, {slope:+.2f} MiB/h; {outcome.in_words}")
    how = (
        f"slope by least squares of the gateway's VmRSS, every {EVERY_S:.0f} s, after the first "
        f"{WARM_UP * seconds:.0f} of {seconds:.0f} s of {_load(SOAKED)}; "
        f"from {rss.mb[0]:.0f} to {rss.mb[-1]:.0f} MiB in all; {outcome.verdict}"
    )
    return {"soak_rss_growth_mb_per_h": Figure(round(slope, 2), "MiB/h", how)}


def _load(nodes: int) -> str:
    return f"mix M over udp at {RATE:.0f} reports/s, {nodes} nodes, all outputs with their clients; {BUDGET}"
