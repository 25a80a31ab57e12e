import asyncio
import socket
from collections import Counter, deque

import pydantic
import pytest

from gateway.links import Address, LinkFailed
from gateway.links.udp import READS_PER_TURN, Link, Settings


def link_on(bind: str, counts: Counter[str], **more: int) -> Link:
    return Link(Settings(type="udp", name="net", bind=bind, **more), lambda name: counts.update([name]))


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:0"])
async def test_port_0_gives_a_real_port_and_an_answer_comes_from_it(bind: str) -> None:
    link = link_on(bind, Counter())
    await link.open()
    try:
        with socket.socket(socket.AF_INET6 if "::" in bind else socket.AF_INET, socket.SOCK_DGRAM) as node:
            node.setblocking(False)
            node.connect(link.address)
            node.send(b"up")
            [frame] = await link.receive()
            await link.send(frame.address, b"down")
            async with asyncio.timeout(10):
                assert await asyncio.get_running_loop().sock_recv(node, 100) == b"down"
    finally:
        await link.close()
    with pytest.raises(LinkFailed, match="not open"):
        _ = link.address


@pytest.mark.parametrize("bind", ["localhost:1", "127.0.0.1", "1.2.3:4", "0.0.0.0:70000"])
def test_a_bind_address_is_numeric_with_a_port(bind: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="bind"):
        Settings(type="udp", name="net", bind=bind)


async def test_an_answer_the_kernel_refuses_is_counted_and_the_link_lives_on() -> None:
    counts: Counter[str] = Counter()
    link = link_on("127.0.0.1:0", counts)
    await link.open()
    try:
        await link.send(("255.255.255.255", 9), b"broadcasts are not allowed")
        await link.send(("127.0.0.1", 9), bytes(70_000))
        assert counts == {"unsendable": 2}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as node:
            node.sendto(b"well", link.address)
        assert [frame.data for frame in await link.receive()] == [b"well"]
    finally:
        await link.close()


async def test_many_answers_go_in_order_or_not_at_all() -> None:
    counts: Counter[str] = Counter()
    link = link_on("127.0.0.1:0", counts)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as node:
        node.bind(("127.0.0.1", 0))
        node.settimeout(10)
        nobody: Address = ("255.255.255.255", 9)  # broadcasts are not allowed
        answers: deque[tuple[Address, bytes]] = deque((node.getsockname(), bytes([i])) for i in range(9))
        answers.insert(4, (nobody, b"refused"))
        with pytest.raises(LinkFailed, match="not open"):
            await link.send_many(answers)
        assert len(answers) == 10
        await link.open()
        try:
            await link.send_many(answers)
            assert [node.recv(100) for _ in range(9)] == [bytes([i]) for i in range(9)]
        finally:
            await link.close()
    assert not answers
    assert counts == {"sent": 9, "unsendable": 1}


async def test_one_turn_reads_many_but_leaves_the_loop_its_turn() -> None:
    counts: Counter[str] = Counter()
    link = link_on("127.0.0.1:0", counts)
    await link.open()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as node:
            for i in range(READS_PER_TURN + 10):  # while the loop stands still
                node.sendto(i.to_bytes(2, "big"), link.address)
        first = await link.receive()
        rest = await link.receive()
        assert [len(first), len(rest)] == [READS_PER_TURN, 10]
        assert [int.from_bytes(frame.data, "big") for frame in first + rest] == list(range(READS_PER_TURN + 10))
    finally:
        await link.close()


async def test_what_the_kernel_drops_is_counted() -> None:
    counts: Counter[str] = Counter()
    link = link_on("127.0.0.1:0", counts, receive_buffer=4096)
    await link.open()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as node:
            for _ in range(200):  # while the loop stands still
                node.sendto(bytes(500), link.address)
            got = len(await link.receive())
            assert got < 200
            node.sendto(b"the total comes with the next one", link.address)
            assert [frame.data[:9] for frame in await link.receive()] == [b"the total"]
        assert counts == {"received": got + 1, "kernel_overflow": 200 - got}
    finally:
        await link.close()
