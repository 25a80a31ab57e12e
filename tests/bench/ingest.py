"""Ingest: how many reports a second the gateway sustains with no backlog, and what a report costs, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bench import profile
from tests.bench.figures import Figure
from tests.bench.house import BUDGET, House, running, settle
from tests.bench.plant import BenchPlant
from tests.bench.progress import say
from tests.bench.stretch import Outcome, Site, introduced, stretch

NODES = 1000
FIRST_RATE = 1000.0
CLOSE_ENOUGH = 1.06
STEP_DOWN = 0.95


async def highest(link: str, *, probe_s: float, seconds: float, first: float = FIRST_RATE) -> Mapping[str, Figure]:
    """Short probes find a candidate; then `seconds` at the candidate, stepping down until it holds."""
    async with running(BenchPlant(NODES), link=link, keep_messages=True) as house, introduced(house, link) as site:
        rate = await _candidate(house, site, probe_s, first)
        while not (outcome := await _tried(house, site, rate, seconds)).sustained:
            rate *= STEP_DOWN
    how = (
        f"mix M over {link}, {NODES} nodes, all outputs with their clients, for {seconds:.0f} s; {BUDGET}. "
        f"{outcome.in_words}"
    )
    return {
        f"ingest_reports_per_s_{link}": Figure(round(outcome.rate), "reports/s", how),
        f"ingest_gateway_us_per_report_{link}": Figure(
            round(outcome.cpu_us["gateway"], 1), "us", "CPU time of the gateway's process in that run, per report"
        ),
    }


async def stages(rate: float, seconds: float, nodes: int = NODES) -> Mapping[str, Figure]:
    """CPU per report by stage, under a sampling profiler, in a run of its own."""
    async with running(BenchPlant(nodes), module=profile.MODULE) as house, introduced(house, "udp") as site:
        with profile.of(house.gateway.pid, house.folder) as found:
            outcome = await stretch(house, site, rate, seconds)
    how = (
        f"mix M over udp, {nodes} nodes, at {outcome.rate:.0f} reports/s for {seconds:.0f} s: the main thread's CPU "
        f"time goes to the stage that its stack is in, asked {profile.PER_S} times a second; other threads as the "
        f"kernel counts them; {outcome.verdict}"
    )
    spent = sorted(found.items())
    return {
        f"ingest_cpu_us_per_report_{s}": Figure(round(t * 1e6 / max(1, outcome.acknowledged), 2), "us", how)
        for s, t in spent
    }


async def _candidate(house: House, site: Site, probe_s: float, first: float) -> float:
    """The highest rate that held for a short while: doubled until one does not, then halved in between."""
    good, bad = 0.0, 0.0
    rate = first
    while not bad or bad > good * CLOSE_ENOUGH:
        if (await _tried(house, site, rate, probe_s)).sustained:
            good = rate
        else:
            bad = rate
        if bad and not good and rate < 1:
            raise RuntimeError("not even one report a second is sustained")
        rate = (good * bad) ** 0.5 if good and bad else rate / 2 if bad else rate * 2
    return good


async def _tried(house: House, site: Site, rate: float, seconds: float) -> Outcome:
    outcome = await stretch(house, site, rate, seconds)
    say(f"{rate:7.0f} reports/s for {seconds:.0f} s: {outcome.in_words}")
    await settle(house, site.carrier)
    return outcome
