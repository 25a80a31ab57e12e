"""The console of an STM32 board: questions and answers in the frames of a serial link.

nodes/c_tflm/ports/stm32/README.md, "Console", has the protocol. It listens for a second after a power-on or a reset by
hand, longer where the board has no configuration, and for ten seconds after each question.
"""

from __future__ import annotations

import binascii
import contextlib
import itertools
import struct
import time
from dataclasses import dataclass
from typing import Any, Self

from serial import SerialException
from serial.serialposix import Serial

from gateway.links.serial import CRC_START, Deframer, frame
from gateway.provision.boards import BoardFailed, not_opened
from gateway.provision.stm32_config import HEAD_BYTES, Head
from gateway.wire.image import MANIFEST

PIECE = 256
"""Bytes of an image in one question: it must fit into the board's ring of received bytes with all around it."""
PROBE_S = 0.2
ANSWER_S = 12.0
"""An F4 takes up to four seconds for each of two sectors."""
TRIES = 3
_ASKED, _ANSWERED = b"S", b"s"
_HELLO_BYTES = 32
_OK = 0
_REPLIES = {
    1: "it has no such store", 2: "nothing is there", 3: "it is for another store", 4: "it is for another board",
    5: "it is for the other slot", 6: "it is too large for the board", 7: "its number is not the next one",
    10: "it did not arrive as it was sent", 11: "bytes are missing at its end", 12: "a piece is missing",
    13: "a word of flash was torn", 14: "the flash has refused a write", 15: "the board has tried it and refuses it",
    16: "what is in use has yet to prove itself", 17: "no transfer has begun", 255: "it does not know the question",
}  # fmt: skip


class Refused(BoardFailed):
    """The board has answered with another reply than "done"."""

    def __init__(self, device: str, reply: int) -> None:
        super().__init__(f"{device}: the board refuses: {_REPLIES.get(reply, f'reply {reply}')}")
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Hello:
    """What a board says of itself."""

    reset_cause: int
    numbers: bool  # the records of its numbers are valid, or yet to be made
    board: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Tested:
    """What the self-test has found."""

    battery_mv: int
    temperature_cdeg: int | None
    sample: int  # why code of nodes/wire/SPEC.md, 0: a window came; 254: no driver
    records: bool


def hello_frame() -> tuple[int, bytes]:
    """The first question and its number. All of it can be printed and begins with a number sign, so that a prompt for
    people takes it for a comment that has yet to be ended.
    """
    text = b" stethos: what board is this? "
    for number in range(0x21, 0x7F):
        for last in range(0x21, 0x7F):
            question = (_ASKED + bytes([number]) + b"h" + text)[: _HELLO_BYTES - 1] + bytes([last])
            if all(0x20 < byte < 0x7F for byte in binascii.crc_hqx(question, CRC_START).to_bytes(2, "big")):
                return number, frame(question)
    raise AssertionError("none of 8836")


class Console:
    """A board that answers. All methods raise BoardFailed, and Refused where the board has."""

    def __init__(self, device: str, port: Any) -> None:
        self.device = device
        self._port = port
        self._dropped: list[str] = []
        self._deframer = Deframer(self._dropped.append)
        number, self._hello = hello_frame()
        self._numbers = itertools.cycle([*range(number + 1, 256), *range(1, number)])
        self._hello_number = number
        self.hello = Hello(0, False, "", "")

    @classmethod
    def open(cls, device: str, baud: int, wait_s: float) -> Self | None:
        """None, and the port closed, if no console answers within `wait_s`."""
        console = cls(device, _port(device, baud))
        try:
            if console._met(time.monotonic() + wait_s):
                return console
        except BaseException:
            console.close()
            raise
        console.close()
        return None

    def close(self) -> None:
        """Never raises."""
        with contextlib.suppress(OSError):
            self._port.close()

    def head(self, store: int, slot: int) -> Head:
        """Of a slot."""
        reply, data = self._ask(b"m", bytes([store, slot]))
        if reply not in (_OK, 13) or len(data) != HEAD_BYTES:
            raise Refused(self.device, reply)
        return Head.parse(data)

    def mark(self, slot: int) -> tuple[bytes, bytes] | None:
        """Id, and `boards.mark`, of the configuration in a slot; None: there is none that can be read."""
        reply, data = self._ask(b"k", bytes([1, slot]))
        return (data[:4], data[4:36]) if reply == _OK else None

    def whole(self, store: int, slot: int) -> bool:
        """The board has read the image back, and would run by it."""
        return self._ask(b"c", bytes([store, slot]))[0] == _OK

    def send(self, store: int, image: bytes) -> None:
        """An image, manifest first, into the slot that is not in use; it is complete when this returns."""
        counter, size, digest = MANIFEST.unpack_from(image)[4:7]
        self._done(b"b", bytes([store, 0]) + struct.pack("<II", size, counter) + digest)
        for at in range(0, len(image), PIECE):
            self._done(b"w", bytes([store, 0]) + struct.pack("<I", at) + image[at : at + PIECE])
        self._done(b"e", bytes([store, 0]))

    def test(self, slot: int) -> Tested:
        """With the configuration in a slot."""
        battery_mv, cdeg, sample, records = struct.unpack("<HhBB", self._done(b"t", bytes([1, slot])))
        return Tested(battery_mv, None if cdeg == -32768 else cdeg, sample, bool(records))

    def use(self, slot: int, *, new_node: bool, take_model: int | None, erase_models: int) -> None:
        """The configuration in `slot` comes into use, and with it the model in slot `take_model`; bit 1 << slot of
        `erase_models`: that model goes.
        """
        take = 255 if take_model is None else take_model
        self._done(b"u", bytes([1, slot, new_node, take, erase_models]))

    def restart(self) -> None:
        """What is in use, is from here on."""
        self._done(b"r", bytes(2))

    def _done(self, kind: bytes, contents: bytes) -> bytes:
        reply, data = self._ask(kind, contents)
        if reply != _OK:
            raise Refused(self.device, reply)
        return data

    def _ask(self, kind: bytes, contents: bytes) -> tuple[int, bytes]:
        """Reply, and what follows it. Asked again under the same number a question is not acted on twice."""
        number = next(self._numbers)
        question = frame(_ASKED + bytes([number]) + kind + contents)
        for _ in range(TRIES):
            answer = self._say(question, number, kind, ANSWER_S)
            if answer is not None:
                return answer[0], answer[1:]
        raise BoardFailed(f"{self.device}: the board does not answer any more: was it reset?")

    def _say(self, question: bytes, number: int, kind: bytes, within_s: float) -> bytes | None:
        start = _ANSWERED + bytes([number]) + kind
        until = time.monotonic() + within_s
        try:
            self._port.write(b"\0" + question if kind != b"h" else question)
            while (left_s := until - time.monotonic()) > 0:
                self._port.timeout = left_s
                for data in self._deframer.feed(self._port.read(max(1, self._port.in_waiting))):
                    if data.startswith(start) and len(data) > len(start):
                        return data[len(start) :]
        except (OSError, SerialException) as error:
            raise BoardFailed(f"{self.device}: the line is gone: {error}") from error
        return None

    def _met(self, until: float) -> bool:
        while time.monotonic() < until:
            answer = self._say(self._hello, self._hello_number, b"h", PROBE_S)
            if answer is not None and len(answer) >= 19 and answer[0] == _OK:
                board = answer[3:19].rstrip(b"\0").decode(errors="replace")
                self.hello = Hello(answer[1], bool(answer[2]), board, answer[19:].decode(errors="replace"))
                return True
        return False


def _port(device: str, baud: int) -> Serial:
    try:
        return Serial(device, baud, timeout=PROBE_S, exclusive=True)  # type: ignore[no-untyped-call]
    except SerialException as error:
        raise not_opened(device) from error
