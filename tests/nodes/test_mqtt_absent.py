"""A node, a gateway's Link, and no broker: both find it when it comes, and the node's messages arrive."""

from __future__ import annotations

import asyncio
import getpass
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from gateway.links import LinkFailed
from gateway.links.mqtt import Link, Settings
from gateway.wire.messages import Birth
from tests.nodes.test_core_program import KID, SECRET, Peer
from tests.system.broker import Broker


async def opened_at_last(link: Link) -> None:
    """As intake does it."""
    while True:
        try:
            await link.open()
        except LinkFailed:
            await link.close()
            await asyncio.sleep(0.05)
        else:
            return


async def test_a_broker_that_comes_last_is_found_by_both(program: Path, tmp_path: Path) -> None:
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "libmosquitto" not in linked:
        pytest.skip("built without libmosquitto")
    tried = asyncio.Event()

    def turn_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.set()
        writer.close()

    absent = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    port = absent.sockets[0].getsockname()[1]
    command = [
        program, "--id", KID, "--key", SECRET, "--state", tmp_path / "flash", "--link", f"mqtt:127.0.0.1:{port}",
        "--source", "sim:motor", "--wake-ms", "100", "--listen-ms", "50",
    ]  # fmt: skip
    node = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    broker = Broker(tmp_path, port, ["allow_anonymous true", f"user {getpass.getuser()}"])
    counts: Counter[str] = Counter()
    link = Link(Settings(type="mqtt", name="air", broker=broker.address), lambda name: counts.update([name]))
    try:
        async with asyncio.timeout(60):
            await tried.wait()
            with pytest.raises(LinkFailed):
                await link.open()
            absent.close()
            await absent.wait_closed()
            await broker.start()
            await opened_at_last(link)
            peer = Peer()
            while len(peer.received) < 3:
                for frame in await link.receive():
                    await link.send(frame.address, peer.answer(frame.data))
        assert isinstance(peer.received[0], Birth)
        assert frame.address == KID
    finally:
        await link.close()
        node.kill()
        await node.wait()
        await broker.stop()
