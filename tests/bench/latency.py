"""From the frame that decides to the callback of an OPC UA client in another process."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.bench.carriers import Carrier, Report
from tests.bench.figures import Figure
from tests.bench.house import BUDGET, endpoint, running
from tests.bench.plant import BenchPlant
from tests.bench.progress import say
from tests.bench.stretch import introduced, stretch
from tests.system.clients import Line, Stream, streaming

NODES = 1000
RATE = 500.0
WINDOW_S = 2.0  # at this rate an asset's turn comes every 25 s
PUBLISHING_MS = 10
PATIENCE_S = 10.0  # for alarms of the last Flags, after the stretch; what has not come then never comes


class Stamped:
    """A carrier that notes when each report that decides is handed to the kernel, by asset."""

    def __init__(self, carrier: Carrier, plant: BenchPlant) -> None:
        self._carrier = carrier
        self._plant = plant
        self.sent_ns: dict[str, list[int]] = defaultdict(list)

    def send(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if report[2]:
                self.sent_ns[self._plant.asset_of(report[0])].append(time.monotonic_ns())
            self._carrier.send([report])

    def answers(self) -> list[bytes]:
        return self._carrier.answers()

    def close(self) -> None:
        self._carrier.close()


async def alarm(*, seconds: float) -> Mapping[str, Figure]:
    """Latency of alarms at 500 reports/s. What is never seen is infinitely late, and counts. RuntimeError if so much is
    not seen that a figure would be infinite.
    """
    async with running(BenchPlant(NODES, WINDOW_S)) as house, introduced(house, "udp") as site:
        stamped = Stamped(site.carrier, house.plant)
        command = ("-m", "tests.bench.watch_opcua", endpoint(house.ports), str(PUBLISHING_MS), "0")
        async with streaming(sys.executable, *command) as listener:
            await listener.first(lambda line: "ready" in line, "subscription")
            outcome = await stretch(house, site, RATE, seconds, carrier=stamped)
            took_ms = await _all_seen(stamped, listener)
    seen = sum(map(math.isfinite, took_ms))
    say(f"{seen} of {len(took_ms)} alarms seen; {outcome.in_words}")
    p50_ms, p99_ms = quantile(took_ms, 0.50), quantile(took_ms, 0.99)
    if not math.isfinite(p99_ms):
        raise RuntimeError(f"the client saw {seen} of {len(took_ms)} alarms raised; {outcome.verdict}")
    how = (
        f"{len(took_ms)} alarms, of which the client saw {seen} (what it did not see counts as infinitely late), each "
        f"raised by the bare Flag that was the k-th of k = 2, in {seconds:.0f} s of mix M at {RATE:.0f} reports/s over "
        f"udp, {NODES} nodes: from just before that Flag was handed to the kernel (so the send is included) to "
        "the event's callback in an asyncua client in another process, publishing interval "
        f"{PUBLISHING_MS} ms, on-delay 0, both on CLOCK_MONOTONIC, beside the clients of the mix; {outcome.verdict}; "
        f"{BUDGET}"
    )
    return {
        "alarm_latency_p50_ms": Figure(round(p50_ms, 2), "ms", how),
        "alarm_latency_p99_ms": Figure(round(p99_ms, 2), "ms", how),
    }


async def _all_seen(stamped: Stamped, listener: Stream) -> list[float]:
    """Latencies, as soon as no alarm is missing any more, or when one has not come in all that time."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        took_ms = list(latencies_ms(stamped.sent_ns, [line for line in listener.lines if line.get("active")]))
        if all(map(math.isfinite, took_ms)) or time.monotonic() > end_s:
            return took_ms
        await asyncio.sleep(0.1)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so great a share of them does not exceed; infinite if there are none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else math.inf


def latencies_ms(sent_ns: Mapping[str, Sequence[int]], events: Sequence[Line]) -> Iterator[float]:
    """For each report that decided: how long until its asset's alarm was first seen active, before the next such
    report. What was not seen is infinitely late.
    """
    seen_ns: dict[str, list[int]] = defaultdict(list)
    for event in events:
        seen_ns[event["source"]].append(event["ns"])
    for asset, moments in sent_ns.items():
        for began, until in zip(moments, [*moments[1:], sys.maxsize], strict=True):
            first = next((ns for ns in seen_ns[asset] if began <= ns < until), math.inf)
            yield (first - began) / 1e6
