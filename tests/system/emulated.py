"""An STM32 that QEMU plays: its firmware, its flash as provisioning leaves it, the line to the gateway with a tap on
it, and whoever has the samples.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tty import setraw

import pytest

from gateway.links.serial import Deframer, frame
from gateway.store.keys import NodeKey
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import DownMessage, UpMessage, decode_down, decode_up
from tests.nodes.samples import Source
from tests.system.wired import Line

ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "c_tflm"
QEMU = "qemu-system-arm"
PIECE = 128  # values in an answer
START_S = 20.0


@dataclass(frozen=True)
class Machine:
    """A chip of ours and the board of QEMU's that has it."""

    chip: str
    board: str


@cache
def firmwares() -> Path:
    """The folder of the firmwares. Skips the test where there is no toolchain to build them with."""
    named = os.environ.get("STETHOS_STM32_BUILD")
    if named:
        return Path(named)
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed: no firmware can be built")
    build = ROOT / "build" / "node"
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make = ["make", "-C", str(NODE), "stm32", f"BUILD={build}", f"PYTHON={sys.executable}"]
        done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return build / "stm32"


def needs(machine: Machine) -> None:
    """Skips the test where QEMU cannot play it."""
    if shutil.which(QEMU) is None:
        pytest.skip(f"{QEMU} is not installed")
    known = subprocess.run([QEMU, "-M", "help"], capture_output=True, text=True, check=True).stdout
    if machine.board not in [line.split()[0] for line in known.splitlines()]:
        version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout.split()[3]
        pytest.skip(f"QEMU {version} does not have the board {machine.board}")


def provision(machine: Machine, key_file: Path, out: Path, *options: str) -> None:
    """The node's flash, beside its firmware, as a technician makes it; statistics and no learner unless told."""
    program = NODE / "ports" / "stm32" / "provision.py"
    plain = "--learn", "0", "--features", "statistics"
    command = [sys.executable, str(program), "--board", machine.chip, "--key-file", str(key_file), *plain, *options]
    subprocess.run([*command, str(out)], check=True, timeout=30)


@dataclass
class Emulated:
    """What has passed on the line, envelope by envelope, and how many windows were asked for."""

    passed: list[tuple[str, bytes]] = field(default_factory=list)  # ("up" or "down", envelope)
    windows: int = 0
    broken: list[str] = field(default_factory=list)  # what a Deframer had to drop
    deaf: bool = False  # what the gateway says does not reach the node

    def said(self, key: NodeKey) -> list[tuple[str, UpMessage | DownMessage]]:
        """All of it opened, in order. Raises what the envelope raises."""
        keys = NodeKeys(key.kid, key.secret)
        up, found = Cipher.up(keys), list[tuple[str, UpMessage | DownMessage]]()
        for direction, data in self.passed:
            sealed = parse(data, down=direction == "down")
            if direction == "up":
                found.append((direction, decode_up(up.open(sealed))))
            else:
                assert sealed.epoch is not None
                found.append((direction, decode_down(Cipher.down(keys, sealed.epoch).open(sealed))))
        return found

    def heard(self, direction: str, envelopes: list[bytes]) -> None:
        """Envelopes that have just passed."""
        self.passed += [(direction, envelope) for envelope in envelopes]


@asynccontextmanager
async def emulated(machine: Machine, flash: Path, tty: Path, spec: str, seed: int = 0) -> AsyncIterator[Emulated]:
    """The board runs while the context lasts. `tty`: where the gateway finds its line; `spec`, `seed`: its samples."""
    node, folder = Emulated(), flash.parent
    line, tasks = Line(tty), []
    _no_echo(tty)
    connected: asyncio.Queue[tuple[StreamReader, StreamWriter]] = asyncio.Queue()
    feeding: asyncio.Queue[tuple[StreamReader, StreamWriter]] = asyncio.Queue()
    radio = await asyncio.start_unix_server(lambda *ends: connected.put_nowait(ends), folder / "radio")
    feed = await asyncio.start_unix_server(lambda *ends: feeding.put_nowait(ends), folder / "feed")
    command = (
        QEMU, "-M", machine.board, "-nographic", "-monitor", "none",
        "-kernel", str(firmwares() / f"stethos-{machine.chip}-qemu.elf"), "-device", f"loader,file={flash}",
        "-serial", f"unix:{folder / 'radio'}", "-serial", f"unix:{folder / 'feed'}",
    )  # fmt: skip
    with (folder / "qemu.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(START_S):
            radio_ends, feed_ends = await connected.get(), await feeding.get()
        tasks = [
            asyncio.create_task(_up(node, line, radio_ends[0])),
            asyncio.create_task(_down(node, line, radio_ends[1])),
            asyncio.create_task(_feed(node, spec, seed, *feed_ends)),
        ]
        yield node
        failed = [task.exception() for task in tasks if task.done()]
        assert not failed, failed
        assert process.returncode is None, (folder / "qemu.log").read_text()
    finally:
        for task in tasks:
            task.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()
        radio.close()
        feed.close()
        line.close()


def _no_echo(path: Path) -> None:
    """A terminal that nobody has opened yet would send back what it hears."""
    device = os.open(path, os.O_RDWR | os.O_NOCTTY)
    setraw(device)
    os.close(device)


async def _up(node: Emulated, line: Line, reader: StreamReader) -> None:
    deframer = Deframer(node.broken.append)
    while data := await reader.read(4096):
        node.heard("up", deframer.feed(data))
        await line.write(data)


async def _down(node: Emulated, line: Line, writer: StreamWriter) -> None:
    deframer, ready = Deframer(node.broken.append), asyncio.Event()
    asyncio.get_running_loop().add_reader(line.fd, ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            data = line.read()
            node.heard("down", deframer.feed(data))
            if not node.deaf:
                writer.write(data)
                await writer.drain()
    finally:
        asyncio.get_running_loop().remove_reader(line.fd)


async def _feed(node: Emulated, spec: str, seed: int, reader: StreamReader, writer: StreamWriter) -> None:
    """Answers each question with a piece of a window, or that there is no more (ports/stm32/qemu/source.c)."""
    deframer = Deframer(node.broken.append)
    window: tuple[bytes, bytes] = (b"", b"")  # which, and its values
    with Source(spec, seed) as source:
        while data := await reader.read(4096):
            for question in deframer.feed(data):
                samples, channels, now_ms, at = struct.unpack("<HBIH", question)
                if question[:7] != window[0]:
                    window = question[:7], _window(source, now_ms / 1000, samples, channels)
                    node.windows += bool(window[1])
                writer.write(frame(struct.pack("<H", at) + window[1][2 * at : 2 * (at + PIECE)]))
                await writer.drain()


def _window(source: Source, seconds: float, samples: int, channels: int) -> bytes:
    try:
        return source.read(seconds, samples, channels).astype("<i2").tobytes()
    except IndexError:
        return b""
