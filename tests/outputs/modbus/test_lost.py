"""A PLC that stops following the FIFO: what it loses is counted, and it counts as behind before."""

from __future__ import annotations

from gateway.outputs import Gap, OutputFailed
from gateway.outputs.modbus import map as m
from tests.outputs.host import MemoryHost
from tests.outputs.modbus.client import connected, serving
from tests.outputs.modbus.test_output import fifo


async def test_a_plc_that_stops_following_is_behind_and_what_it_loses_is_counted_once() -> None:
    host = MemoryHost()
    for _ in range(20):
        host.raised()
    for _ in range(2):  # across a restart
        async with serving(host, writes=True) as output, connected(output) as client:
            if host.marks.get("fifo") is None:
                assert output.taken is None, "nobody has ever followed"
                await client.write(m.TAKEN, 0, 5)
            assert output.taken == 5
            host.give_up(12)
            await output.write([host.raised()])
            assert host.counts["events_given_up"] == 7
        assert output.taken == 5, "also while it is down"
    async with serving(host, writes=True) as output, connected(output) as client:
        host.give_up(15)
        await output.write([Gap(10, 15)])  # it was down that long: no more than the PLC has lost
        assert host.counts["events_given_up"] == 10
        assert (await fifo(client))[0] == list(range(16, 23)), "it goes on where there is something"
        await client.write(m.TAKEN, 0, 22)
        assert output.taken is None, "nothing waits"
        host.skip_event()
        await output.write([host.raised()])
        assert output.taken == 22
    assert host.counts["events_given_up"] == 10
    async with serving(host) as output:
        assert output.taken is None, "no handshake, nobody to wait for"


async def test_what_nobody_follows_is_not_lost() -> None:
    host = MemoryHost()
    for _ in range(20):
        host.raised()
    host.give_up(12)
    async with serving(host, writes=True) as output, connected(output) as client:
        assert (await fifo(client))[0] == list(range(13, 21))
        assert output.taken is None
    assert not host.counts["events_given_up"]


async def test_a_loss_that_cannot_be_kept_is_counted_all_the_same() -> None:
    class Full(MemoryHost):
        async def set_mark(self, name: str, value: int) -> None:
            raise OutputFailed("full")

    host = Full()
    host.marks["fifo"] = 1
    for _ in range(9):
        host.raised()
    host.give_up(4)
    async with serving(host, writes=True):
        assert host.counts["events_given_up"] == 3
