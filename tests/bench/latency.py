"""From the frame that decides to the callback of an OPC UA client in another process."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import quantiles

from tests.bench.carriers import Carrier, Report
from tests.bench.figures import Figure
from tests.bench.house import BUDGET, endpoint, running
from tests.bench.plant import BenchPlant
from tests.bench.progress import say
from tests.bench.stretch import introduced, stretch
from tests.system.clients import Line, streaming

NODES = 1000
RATE = 500.0
WINDOW_S = 2.0  # at this rate an asset's turn comes every 25 s
PUBLISHING_MS = 10
SEEN = 0.98  # of the alarms raised that the client must have been told, or the figure is of something else


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
    """Latency of alarms at 500 reports/s. RuntimeError if they did not reach the client."""
    async with running(BenchPlant(NODES, WINDOW_S)) as house, introduced(house, "udp") as site:
        stamped = Stamped(site.carrier, house.plant)
        command = ("-m", "tests.bench.watch_opcua", endpoint(house.ports), str(PUBLISHING_MS), "0")
        async with streaming(sys.executable, *command) as listener:
            await listener.first(lambda line: "ready" in line, "subscription")
            outcome = await stretch(house, site, RATE, seconds, carrier=stamped)
            events = [line for line in listener.lines if line.get("active")]
    took_ms = list(latencies_ms(stamped.sent_ns, events))
    flags = sum(map(len, stamped.sent_ns.values()))
    say(f"{len(took_ms)} of {flags} alarms seen; {outcome.in_words}")
    if len(took_ms) < SEEN * flags or len(took_ms) < 2:
        raise RuntimeError(f"the client saw {len(took_ms)} of {flags} alarms raised")
    how = (
        f"{len(took_ms)} alarms, each raised by the bare Flag that was the k-th of k = 2, in {seconds:.0f} s of mix M "
        f"at {RATE:.0f} reports/s over udp, {NODES} nodes: from just before that Flag was handed to the kernel (so the "
        "send is included) to the event's callback in an asyncua client in another process, publishing interval "
        f"{PUBLISHING_MS} ms, on-delay 0, both on CLOCK_MONOTONIC, beside the clients of the mix; {BUDGET}"
    )
    cuts = quantiles(took_ms, n=100, method="inclusive")
    return {
        "alarm_latency_p50_ms": Figure(round(cuts[49], 2), "ms", how),
        "alarm_latency_p99_ms": Figure(round(cuts[98], 2), "ms", how),
    }


def latencies_ms(sent_ns: Mapping[str, Sequence[int]], events: Sequence[Line]) -> Iterator[float]:
    """For each report that decided: how long until its asset's alarm was first seen active, before the next such
    report. What was not seen is left out.
    """
    seen_ns: dict[str, list[int]] = defaultdict(list)
    for event in events:
        seen_ns[event["source"]].append(event["ns"])
    for asset, moments in sent_ns.items():
        for began, until in zip(moments, [*moments[1:], sys.maxsize], strict=True):
            if first := next((ns for ns in seen_ns[asset] if began <= ns < until), None):
                yield (first - began) / 1e6
