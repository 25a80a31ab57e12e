"""The Modbus output as clients see it that nobody here wrote: modbus-serial (npm) and mbpoll (Debian)."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from gateway.core.plant import Scope
from gateway.outputs.modbus import Output
from gateway.outputs.modbus import map as m
from tests.outputs.host import FAULT, T0_MS, MemoryHost, tag
from tests.outputs.modbus.client import connected, serving

PEERS = Path(__file__).parents[2] / "system" / "peers"

with_node = pytest.mark.skipif(
    not (PEERS / "node_modules" / "modbus-serial").is_dir(), reason="npm peers are not installed (make peers)"
)
with_mbpoll = pytest.mark.skipif(not shutil.which("mbpoll"), reason="mbpoll is not installed")


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode() + out.decode()
    return out.decode()


async def peer(script: str, output: Output, *arguments: object) -> list[dict]:
    """JSON lines that a peer prints."""
    out = await run("node", str(PEERS / script), "127.0.0.1", str(output.port), *map(str, arguments))
    return [json.loads(line) for line in out.splitlines()]


@with_node
async def test_modbus_serial_reads_at_once() -> None:
    async with serving(MemoryHost()) as output:
        assert await peer("modbus_concurrent.mjs", output, 50) == [{"asked": 50, "right": 50, "errors": []}]


@with_node
async def test_modbus_serial_reads_header_and_fifo() -> None:
    host = MemoryHost()
    event = host.raised(FAULT, incident=7)
    async with serving(host) as output:
        await output.write([tag(Scope.GATEWAY, "gateway", "alarms_active", 3)])
        [report] = await peer("modbus_read.mjs", output)
    header, fifo = report["header"], report["fifo"]
    assert (header["magic"], header["mapVersion"], header["alarmsActive"]) == (m.MAGIC, m.MAP_VERSION, 3)
    assert header["newestEvent"] == event.event
    assert fifo["records"] == [
        {
            "event": event.event, "alarm": 1029, "slot": 1, "kind": 3, "transition": 1, "state": 1, "severity": 500,
            "sourceMs": T0_MS, "incident": 7, "flags": 5,
        }
    ]  # fmt: skip


@with_node
async def test_modbus_serial_follows_the_fifo_across_a_restart_of_the_gateway() -> None:
    host = MemoryHost()
    for _ in range(45):
        host.raised()
        host.skip_event()
    async with serving(host, writes=True) as output:
        first = await peer("modbus_follow.mjs", output, host.events[20].event)
        await output.write([host.raised()])
    async with serving(host, writes=True) as output:
        second = await peer("modbus_follow.mjs", output)
    assert [r["event"] for r in first + second] == [e.event for e in host.events]
    assert first
    assert second


@with_node
async def test_modbus_serial_acknowledges() -> None:
    host = MemoryHost()
    event = host.raised().event
    async with serving(host, writes=True) as output:
        assert await peer("modbus_acknowledge.mjs", output, event) == [
            {"taken": 0, "result": 1, "count": 1, "event": event, "caused": event + 1}
        ]
        [again] = await peer("modbus_acknowledge.mjs", output, event)
        assert again["result"] == m.RESULT_CODES["unknown_event"]
    assert host.events[-1].acknowledged


@with_mbpoll
async def test_mbpoll_reads_values_and_bits() -> None:
    host = MemoryHost()
    host.raised(FAULT)
    host.tags = {t.tag: t for t in [tag(Scope.ASSET, "pump-1", "score", 70_000)]}
    poll = ["mbpoll", "-m", "tcp", "-a", "1", "-0", "-1", "-q"]
    async with serving(host) as output:
        to = ["-p", str(output.port)]
        out = await run(*poll, *to, "-t", "3:int", "-B", "-r", str(m.ASSET_BASE + 8), "-c", "1", "127.0.0.1")
        assert "70000" in out
        out = await run(*poll, *to, "-t", "1", "-r", "1028", "-c", "3", "127.0.0.1")
        assert [line.split()[-1] for line in out.splitlines() if line.startswith("[10")] == ["0", "1", "0"]


@with_mbpoll
async def test_mbpoll_writes_a_coil() -> None:
    host = MemoryHost()
    host.raised()
    async with serving(host, writes=True) as output, connected(output) as client:
        await run(
            "mbpoll", "-m", "tcp", "-a", "1", "-0", "-q", "-p", str(output.port), "-t", "0", "-r", "0", "127.0.0.1", "1"
        )
        assert host.events[-1].acknowledged
        assert (await client.registers(3, m.RESULT, 2)) == [1, 1]
