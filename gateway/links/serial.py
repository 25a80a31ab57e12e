"""Nodes on a serial line: COBS frames with a CRC-16, as nodes/wire/SPEC.md, "Links" has it."""

from __future__ import annotations

import asyncio
import binascii
import os
import select
import termios
from collections.abc import Callable
from typing import Literal

from cobs import cobs
from pydantic import BaseModel, Field
from serial.serialposix import Serial

from gateway.links import MAX_FRAME_BYTES, Address, Frame, LinkFailed
from gateway.links.fields import DEFAULT_QUEUE, Name, QueueLength
from gateway.links.inbox import Inbox

CRC_BYTES = 2
CRC_START = 0xFFFF
MAX_STUFFED_BYTES = cobs.max_encoded_length(MAX_FRAME_BYTES + CRC_BYTES)  # type: ignore[no-untyped-call]
READ_BYTES = 4096
UNSENT_BYTES = 8192  # 0.7 s at 115200 baud: an answer that waits longer than this finds nobody awake


def frame(envelope: bytes) -> bytes:
    """The bytes on the line for one envelope, ending in the one zero."""
    crc = binascii.crc_hqx(envelope, CRC_START)
    stuffed: bytes = cobs.encode(envelope + crc.to_bytes(CRC_BYTES, "big"))  # type: ignore[no-untyped-call]
    return stuffed + b"\0"


class Deframer:
    """Finds the envelopes in a stream of bytes, however it is cut into chunks.

    Counts what it drops, one each: `cobs` (not COBS), `crc` (wrong, or nothing but a CRC), `oversize`. Runs of zeros
    are idle line and count as nothing. Holds at most one frame's bytes.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._partial = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The envelopes that are complete with this chunk, in order."""
        *ends, rest = chunk.split(b"\0")
        envelopes = []
        for end in ends:
            self._extend(end)
            if self._too_long:
                self._count("oversize")
            elif self._partial and (envelope := self._unstuffed()) is not None:
                envelopes.append(envelope)
            self._partial.clear()
            self._too_long = False
        self._extend(rest)
        return envelopes

    def _extend(self, more: bytes) -> None:
        if self._too_long or len(self._partial) + len(more) > MAX_STUFFED_BYTES:
            self._too_long = True
            self._partial.clear()
        else:
            self._partial += more

    def _unstuffed(self) -> bytes | None:
        try:
            checked: bytes = cobs.decode(bytes(self._partial))  # type: ignore[no-untyped-call]
        except cobs.DecodeError:
            self._count("cobs")
            return None
        # Over an envelope and its own CRC the CRC is zero.
        if len(checked) <= CRC_BYTES or binascii.crc_hqx(checked, CRC_START):
            self._count("crc")
        elif len(checked) > MAX_FRAME_BYTES + CRC_BYTES:
            self._count("oversize")
        else:
            return checked[:-CRC_BYTES]
        return None


class Settings(BaseModel, frozen=True, extra="forbid", strict=True):
    """One `[[link]]` with `type = "serial"`: 8 data bits, no parity, 1 stop bit."""

    type: Literal["serial"]
    name: Name
    device: str = Field(
        min_length=1,
        description="The tty; the names under /dev/serial/by-id stay the same when the plug moves.",
    )
    baud: int = Field(default=115200, ge=300, le=4_000_000, description="Bits per second.")
    queue: QueueLength = DEFAULT_QUEUE


class Link:
    """A tty that the event loop reads and writes itself.

    Every node on the line hears every answer; the envelope says whose it is. Counts, besides those of every Link and
    of the Deframer: `unsendable` (an answer for which the line was too far behind; the node asks again).
    """

    def __init__(self, settings: Settings, count: Callable[[str], None]) -> None:
        self._settings = settings
        self._count = count
        self._inbox = Inbox(settings.queue, count)
        self._port: Serial | None = None
        self._fd = -1
        self._deframer = Deframer(count)
        self._unsent = bytearray()

    async def open(self) -> None:
        """Open and lock the tty. Raises LinkFailed if it is not there, not a tty or in use."""
        if self._port is not None:
            return
        try:
            self._port = Serial(  # type: ignore[no-untyped-call]
                self._settings.device, self._settings.baud, timeout=0, exclusive=True
            )
        except (OSError, ValueError, termios.error) as error:
            raise LinkFailed(self._named(error)) from error
        self._fd = self._port.fileno()  # type: ignore[no-untyped-call]
        self._deframer = Deframer(self._count)
        self._unsent.clear()
        self._inbox.open()
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    async def receive(self) -> list[Frame]:
        """As the contract says."""
        return await self._inbox.receive()

    async def send(self, address: Address, data: bytes) -> None:
        """Write one frame, or as much of it as the line takes now and the rest when it can; never waits."""
        if self._port is None:
            raise LinkFailed(self._named("not open"))
        stuffed = frame(data)
        if len(self._unsent) + len(stuffed) > UNSENT_BYTES:
            self._count("unsendable")
            return
        idle = not self._unsent
        self._unsent += stuffed
        if idle:
            self._write()
            if self._unsent:
                asyncio.get_running_loop().add_writer(self._fd, self._writable)
        self._count("sent")

    async def close(self) -> None:
        """Let go of the tty; what is unsent is dropped."""
        if self._port is None:
            return
        self._detach()
        try:
            # Otherwise closing waits for the line, up to half a minute if the other side holds it.
            termios.tcflush(self._fd, termios.TCOFLUSH)
        except termios.error:
            pass  # it is unplugged: there is no line to wait for
        finally:
            self._port.close()  # type: ignore[no-untyped-call]
            self._port, self._fd = None, -1
        self._inbox.fail(self._named("closed"))

    def _readable(self) -> None:
        try:
            chunk = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if not chunk and _hung_up(self._fd):
            self._fail("unplugged")
        for envelope in self._deframer.feed(chunk):
            self._inbox.put(envelope, self._settings.device)

    def _writable(self) -> None:
        try:
            self._write()
        except LinkFailed:
            return  # the receiver is told
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._fd)

    def _write(self) -> None:
        try:
            del self._unsent[: os.write(self._fd, self._unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)
            raise LinkFailed(self._named(error)) from error

    def _fail(self, why: object) -> None:
        self._detach()
        self._unsent.clear()
        self._inbox.fail(self._named(why))

    def _named(self, why: object) -> str:
        return f"{self._settings.name}: serial {self._settings.device}: {why}"

    def _detach(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)


def _hung_up(fd: int) -> bool:
    """Whether the device is gone: a tty that is merely idle may also read as nothing."""
    poll = select.poll()
    poll.register(fd, 0)
    return any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))
