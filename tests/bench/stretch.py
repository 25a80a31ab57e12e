"""A stretch of load on a house, and whether the gateway kept up with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from tests.bench import load
from tests.bench.carriers import Carrier, Report
from tests.bench.house import House, lags
from tests.bench.load import Sent
from tests.bench.mix import Mix, births
from tests.bench.plant import SITE
from tests.bench.poller import EVERY_S

BEHIND_S = 1.0
BIRTHS_PER_S = 500.0
BIRTHS_S = 30.0  # within which all must be answered
ON_TIME = 0.98  # of the rate asked for: less, and it was the generator that did not keep up
SPARSE = 20  # reports apart, of which one at least changes a score that OPC UA shows
UNDER_WAY = 2  # Flags at either end whose alarm another stretch sees
CHANGED = 0.95  # of the bare Flags that must be seen to raise an alarm, or the mix was not as stated


@dataclass(slots=True)
class Site:
    """What is sent, and on what."""

    carrier: Carrier
    mix: Mix
    heard_until: int = 0  # how far the MQTT client's messages have been read


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stretch came to. `cpu_us`: CPU time of each process per acknowledged report. `behind`: every reason to
    say that there was a backlog. `notes`: what else there is to say.
    """

    rate: float
    reports: int
    acknowledged: int
    cpu_us: Mapping[str, float]
    behind: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def sustained(self) -> bool:
        """Every report acknowledged without a resend, no Output more than a second behind at the end."""
        return not self.behind

    @property
    def verdict(self) -> str:
        """Whether it kept up, and if not, why."""
        return "no backlog" if self.sustained else f"BACKLOG: {', '.join(self.behind)}"

    @property
    def in_words(self) -> str:
        """For people."""
        cost = ", ".join(f"{name} {us:.0f}" for name, us in self.cpu_us.items())
        return "; ".join([f"{self.reports} reports, {self.verdict}", *self.notes, f"CPU per report in us: {cost}"])


@dataclass(slots=True)
class Heard:
    """What the MQTT client has got in a stretch; times on CLOCK_MONOTONIC."""

    raised: int = 0
    last_event_s: float = 0
    last_s: float = 0
    messages: int = 0


@asynccontextmanager
async def introduced(house: House, link: str, *, incidents: bool = True) -> AsyncIterator[Site]:
    """Every node has said who it is, and has been answered. TimeoutError if one has not."""
    template, nodes = births(), house.plant.nodes
    carrier = house.carrier(link)
    try:
        reports = house.fleet.seal((node, template) for node in range(nodes))
        sent = await asyncio.to_thread(load.send, carrier, reports, BIRTHS_PER_S, nodes / BIRTHS_PER_S, linger_s=0)
        house.fleet.answer(sent.answers)
        end_s = time.monotonic() + BIRTHS_S
        while missing := house.fleet.unanswered():
            if time.monotonic() > end_s:
                raise TimeoutError(f"{len(missing)} of {nodes} nodes got no answer to their Birth")
            await asyncio.sleep(0.1)
            house.fleet.answer(carrier.answers())
        yield Site(carrier, Mix(house.plant, incidents=incidents))
    finally:
        carrier.close()


async def stretch(
    house: House, site: Site, rate: float, seconds: float, *, sealed: bool = True, carrier: Carrier | None = None
) -> Outcome:
    """Load, then the account. `sealed`: all reports beforehand, so that they cost nothing meanwhile; else one by one,
    and answers are opened as they come, which a long stretch needs. `carrier`: another one than the site's.
    """
    fleet, flags = house.fleet, site.mix.flags
    fleet.answer(site.carrier.answers())  # what came too late for the stretch before
    if house.keeps_messages:
        await asyncio.to_thread(_read_messages, house, site)
    missing = len(fleet.unanswered())
    reports: Iterable[Report] = fleet.seal(islice(site.mix, round(rate * seconds)))
    if sealed:
        reports = await asyncio.to_thread(list, reports)
    before, own_s = house.cpu_s(), time.process_time()
    sent = await asyncio.to_thread(
        load.send, carrier or site.carrier, reports, rate, seconds, linger_s=BEHIND_S,
        answered=None if sealed else fleet.answer,
    )  # fmt: skip
    own_s = time.process_time() - own_s
    spent = {name: at_s - before[name] for name, at_s in house.cpu_s().items()} | {"generator": own_s}
    behind = [f"output {name} {value:.0f} behind" for name, value in lags(house.metrics()).items() if value]
    behind += await _left_behind(house, sent, max(BEHIND_S, SPARSE / rate))
    await asyncio.to_thread(fleet.answer, sent.answers)
    missing = len(fleet.unanswered()) - missing
    if missing:
        behind.insert(0, f"{missing} reports not acknowledged")
    if sent.rate < ON_TIME * rate:
        behind.append(f"only {sent.rate:.0f} reports/s were sent")
    notes = await _clients(house, site, sent, site.mix.flags - flags, behind)
    acknowledged = sent.reports - missing
    cpu_us = {name: value_s * 1e6 / max(1, acknowledged) for name, value_s in spent.items()}
    return Outcome(sent.rate, sent.reports, acknowledged, cpu_us, tuple(behind), tuple(notes))


async def _left_behind(house: House, sent: Sent, allowed_s: float) -> list[str]:
    """What the OPC UA and the Modbus client have not got yet, a second after the end: asked before anything else is
    done, for later they may have caught up.
    """
    found, wall_s, asked_s = [], time.time() - time.monotonic(), time.monotonic()
    if house.scores is not None:
        late_s = sent.ended_s - ((await house.seen())["newest_s"] - wall_s)
        if late_s > allowed_s:
            found.append(f"the OPC UA client has no value that was sent in the last {late_s:.1f} s")
    if house.poller is not None:
        late_s = asked_s - house.poller.read_s - EVERY_S
        if late_s > allowed_s:
            found.append(f"the Modbus client waits for its registers, {late_s:.1f} s longer than its round may take")
    return found


async def _clients(house: House, site: Site, sent: Sent, flags: int, behind: list[str]) -> list[str]:
    """What the clients say; adds to `behind` where they were not told in time."""
    notes = []
    if house.scores is not None:
        seen = await house.seen()
        notes.append(f"last OPC UA value {seen['last_ns'] / 1e9 - sent.ended_s:+.1f} s from the end")
    if house.poller is not None and house.poller.failure:
        behind.append(f"the Modbus client has given up: {house.poller.failure}")
    if house.keeps_messages:
        heard = await asyncio.to_thread(_read_messages, house, site)
        late_s = heard.last_event_s - sent.ended_s
        if late_s > BEHIND_S:
            behind.append(f"alarm events reached the MQTT client until {late_s:.1f} s after the end")
        if heard.raised < CHANGED * flags - UNDER_WAY:
            behind.append(f"{heard.raised} of {flags} bare Flags raised an alarm")
        notes.append(
            f"{heard.raised} alarms raised by {flags} bare Flags, {heard.messages} MQTT messages, the last "
            f"{heard.last_s - sent.ended_s:+.1f} s from the end"
        )
    return notes


def _read_messages(house: House, site: Site) -> Heard:
    """The lines `time topic payload` that have come since the last look."""
    heard, wall_s = Heard(), time.time() - time.monotonic()
    events = f"stethos/{SITE}/events/alarms"
    with house.messages.open("rb") as lines:
        lines.seek(site.heard_until)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            site.heard_until += len(line)
            at_s, topic, *payload = line.split(b" ", 2)
            heard.messages += 1
            heard.last_s = float(at_s) - wall_s
            if topic == events.encode():
                heard.last_event_s = heard.last_s
                heard.raised += json.loads(payload[0])["transition"] == "raised"
    return heard
