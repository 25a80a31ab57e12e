"""Nodes that come back wrong, twice, or late: what was lost is counted where people look, and a bad key is named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gateway.store.keys import NodeKey, Registry
from gateway.wire.messages import Birth, Health
from tests.faults.gateway import Gateway
from tests.faults.protocol import Mote, clear, contents, dead, gateway_alone, judged, reports, verdicts
from tests.nodes.conftest import library, node_build  # noqa: F401 - fixtures
from tests.system.plants import until

NAMED = "numbers of this key come twice"
GONE_WAKES = 300  # a ring holds about sixty messages


def sent(*motes: Mote) -> int:
    """Transmissions so far."""
    return sum(len(mote.station.frames) for mote in motes)


async def named(gateway: Gateway, words: str, node: str) -> None:
    """A line of the gateway's log says so of that node."""
    log = gateway.log
    await until(lambda: any(words in line and node in line for line in log.read_text().splitlines()), words)


async def test_a_node_whose_flash_went_back_is_named_and_heard_in_full_only_with_a_new_key(
    tmp_path: Path, library  # noqa: F811
) -> None:  # fmt: skip
    async with gateway_alone(tmp_path) as gateway:
        mote = Mote(library, gateway.keys[0], gateway.ports.udp)
        mote.wake(2)
        old = list(mote.station.flash.slots)
        mote.node.reboot()
        mote.wake(5)
        mote.station.flash.slots = old
        mote.node.reboot()
        mote.station.patient = False
        mote.station.said.clear()
        mote.station.acks.clear()
        mote.wake(20)
        names = await judged(gateway, sent(mote))
        assert names["n-0", "cloned"] > 0
        await named(gateway, NAMED, "n-0")
        durable = contents(gateway)
        assert all(message in durable for message in mote.acknowledged()), "acknowledged for something else"
        assert len({message.seq for message in durable}) == len(durable), "one number, two messages"

        new = Mote(library, rekeyed(gateway), gateway.ports.udp)
        new.wake(3)
        new.deliver()
        held = Counter(report.seq for report in reports(gateway) if report.key_generation == new.key.key_generation)
        assert set(held) == new.numbers()
        assert set(held.values()) == {1}
        for station in (mote.station, new.station):
            station.close()


def rekeyed(gateway: Gateway) -> NodeKey:
    """What the technician does: another key for the first node."""
    registry = Registry.open(gateway.state_dir)
    try:
        return registry.rekey("n-0")
    finally:
        registry.close()


async def test_two_nodes_with_one_key_are_named_and_lose_nothing_in_silence(tmp_path: Path, library) -> None:  # noqa: F811
    """What is acknowledged to either is in the journal as said; the rest stays with the node, which counts it."""
    async with gateway_alone(tmp_path) as gateway:
        motes = [Mote(library, gateway.keys[0], gateway.ports.udp) for _ in range(2)]
        motes[1].looks = 500  # it watches another machine
        for mote in motes:
            mote.station.patient = False
        for _ in range(40):
            for mote in motes:
                mote.wake()
        names = await judged(gateway, sent(*motes))
        assert names["n-0", "cloned"] > 5
        await named(gateway, NAMED, "n-0")
        for mote in motes:
            kept = mote.node.flush()
            acknowledged, durable = mote.acknowledged(), contents(gateway)
            assert all(message in durable for message in acknowledged)
            assert len(mote.numbers()) <= len({message.seq for message in acknowledged}) + kept + mote.given_up
            mote.station.close()


async def test_a_clone_far_behind_is_told_of_too(tmp_path: Path, library) -> None:  # noqa: F811
    """Below the window nothing can be proved: a recording that is played back looks the same."""
    async with gateway_alone(tmp_path) as gateway:
        ahead = Mote(library, gateway.keys[0], gateway.ports.udp, started_at=5000)
        behind = Mote(library, gateway.keys[0], gateway.ports.udp)
        ahead.wake(2)
        behind.station.patient = False
        behind.wake(20)
        names = await judged(gateway, sent(ahead, behind))
        assert names["n-0", "replayed"] == sent(behind)
        await named(gateway, "old frames keep coming", "n-0")
        ahead.wake(2)
        ahead.deliver()
        assert {report.seq for report in reports(gateway)} == ahead.numbers()
        for mote in (ahead, behind):
            mote.station.close()


async def test_what_a_ring_could_not_hold_is_counted_and_seen_at_the_gateway(tmp_path: Path, library) -> None:  # noqa: F811
    async with gateway_alone(tmp_path) as gateway:
        mote = Mote(library, gateway.keys[0], gateway.ports.udp)
        mote.wake()
        mote.station.up = dead
        mote.wake(GONE_WAKES)
        lost = mote.given_up
        assert lost > GONE_WAKES // 2
        mote.station.up = clear
        mote.deliver()
        mote.station.now_ms += 25 * 3_600_000
        mote.wake()
        mote.deliver()
        told = [m.ring_drops for m in mote.station.said if isinstance(m, Health)][-1]
        assert told == lost
        assert await gateway.metric("stethos_node_reported", "ring_drops", "n-0") == lost
        held = {report.seq for report in reports(gateway)}
        assert held <= mote.numbers()
        assert len(mote.numbers() - held) == lost
        mote.station.close()


async def test_a_node_that_lost_its_record_says_nothing_and_is_heard_with_a_new_key(tmp_path: Path, library) -> None:  # noqa: F811
    async with gateway_alone(tmp_path) as gateway:
        mote = Mote(library, gateway.keys[0], gateway.ports.udp)
        mote.wake(2)
        mote.station.flash.slots = [b"\xff" * 40] * len(mote.station.flash.slots)
        said = sent(mote)
        mote.node.reboot()
        mote.wake(5)
        assert sent(mote) == said
        assert ("no_record", 0) in mote.station.events
        mote.station.close()
        again = Mote(library, rekeyed(gateway), gateway.ports.udp)
        again.wake()
        again.deliver()
        assert isinstance(again.station.said[0], Birth)
        assert verdicts(gateway)["n-0", "accepted"] == len(reports(gateway)) > said
        again.station.close()
