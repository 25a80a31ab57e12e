"""`stethos demo`, with and without a terminal: an alarm within a minute, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.plant import Ports
from tests.system.clients import lines, opcua
from tests.system.plants import free_ports

FIRST_ALARM_S = 60.0
END_S = 20.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def command(folder: Path, ports: Ports) -> list[str]:
    return [
        sys.executable, "-m", "gateway", "demo", "--folder", str(folder), "--mqtt-port", str(ports.mqtt),
        "--udp-port", str(ports.udp), "--modbus-port", str(ports.modbus), "--opcua-port", str(ports.opcua),
        "--metrics-port", str(ports.metrics),
    ]  # fmt: skip


def children(pid: int) -> dict[int, str]:
    """Process id -> command line of everything that a process has started, and what that has started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= new
    return {child: _command_line(child) for child in found}


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@asynccontextmanager
async def demo(folder: Path, ports: Ports, models: Path, stdin: int, stdout: int) -> AsyncIterator[Process]:
    """The demo in the checkout that `models` were made in; whatever happens, it does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        *command(folder, ports), cwd=models.parents[1], stdin=stdin, stdout=stdout, stderr=STDOUT,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "160", "LINES": "60"},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), END_S)


async def interrupted(process: Process) -> None:
    """Ctrl-C ends everything that was started, with exit code 0."""
    started = children(process.pid)
    names = " ".join(started.values())
    assert "mosquitto" in names
    assert "gateway run" in names
    assert names.count("stethos-node") == 12
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), END_S) == 0
    assert {pid: line for pid, line in started.items() if line and _command_line(pid) == line} == {}


async def test_without_a_terminal_it_logs_an_alarm_within_a_minute_and_ends_cleanly(
    tmp_path: Path, models: Path, node_program: Path, pki: Path
) -> None:
    ports = free_ports()
    async with demo(tmp_path, ports, models, DEVNULL, PIPE) as process:
        assert process.stdout
        said = []
        async with asyncio.timeout(FIRST_ALARM_S):
            async for line in process.stdout:
                said.append(line.decode())
                if "alarm asset/motor-1/anomaly raised" in said[-1]:
                    break
        assert any("opc.tcp://127.0.0.1:" in line for line in said)
        assert not any("\x1b[" in line for line in said)
        anonymous = opcua("opcua_alarms.mjs", ports.opcua, ("", ""), pki, "--policy", "none")
        [told] = await lines(*anonymous)
        assert "asset/motor-1/anomaly" in [alarm["name"] for alarm in told["alarms"]]
        await interrupted(process)


async def test_with_a_terminal_it_draws_every_node_and_the_alarm(
    tmp_path: Path, models: Path, node_program: Path
) -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    screen = ""

    async def shows(*words: str) -> None:
        nonlocal screen
        while not all(word in screen for word in words):
            try:
                screen += CONTROL.sub("", os.read(ours, 65536).decode(errors="replace"))
                screen = screen[-100_000:]
            except BlockingIOError:
                await asyncio.sleep(0.05)

    async with demo(tmp_path, free_ports(), models, theirs, theirs) as process:
        async with asyncio.timeout(FIRST_ALARM_S):
            await shows("Stethos: riverside", "motor-1-de", "pump-1-bearing", "room-1-ceiling", "on_time")
            await shows("motor-1: incident", "asset/motor-1/anomaly: unacknowledged", "Listen at motor-1")
        draining = asyncio.create_task(shows("Everything is stopped."))
        await interrupted(process)
        await asyncio.wait_for(draining, END_S)
    os.close(theirs)
    os.close(ours)
