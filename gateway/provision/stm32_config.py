"""What lies in the flash of an STM32 node: nodes/c_tflm/ports/stm32/config_page.h, core/image.h and core/slots.h.

Packed here and nowhere else; nodes/c_tflm/ports/stm32/provision.py writes the same into a file for a flash tool.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass

from gateway.wire.image import MANIFEST, manifest_for

STORE_MODEL, STORE_CONFIG = 0, 1
SENSORS = ("none", "lsm6dsl", "mpu6050", "lis2dw12")
LINES = ("usart", "lpuart", "module")
HEAD_BYTES = 416
"""Of a slot's head, what says something: manifest, its CRC, marks, tries, floors."""
_PAGE = struct.Struct("<4sHH4s16s4I4H2BH2BH28sH4B2x")
_WORD = 8
_SPARES = 4  # words for each mark
_MARKS = (b"complete", b"activate", b"confirm!", b"bad! bad")
_AT_MARKS = MANIFEST.size + _WORD
_AT_FLOORS = _AT_MARKS + len(_MARKS) * _SPARES * _WORD + 3 * _WORD  # behind the tries


@dataclass(frozen=True, slots=True)
class Chip:
    """Where things lie in the flash of a board: chip_layout.h."""

    board: str
    config: int
    model: int
    size: int  # of a slot of the model
    head: int  # bytes before a slot's payload
    other: int  # from slot A to slot B


CHIPS = {
    "stm32l4": Chip("b-l475e-iot01a", 0x0807_2000, 0x0806_0000, 0x1_0000, 0x800, 0x8_0000),
    "stm32f4": Chip("stm32f4", 0x0802_0000, 0x0806_0000, 0x2_0000, 0x200, 0x2_0000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A node's configuration: struct config_page."""

    kid: bytes
    secret: bytes
    wake_ms: int
    heartbeat_ms: int
    baud: int
    rate_millihz: int
    listen_ms: int
    samples: int
    window_every: int
    flag_repeat: int
    channels: int
    sensor: str  # of SENSORS
    learn: int
    line: str  # of LINES
    feature_set: int
    radio_min_mv: int
    hardware: str
    short_samples: int
    whole_every: int
    alert_after: int
    clear_after: int
    alert_on_fault: bool

    def pack(self) -> bytes:
        """As the board reads it. ValueError: a key or a name of the wrong length."""
        name = self.hardware.encode()
        if (len(self.kid), len(self.secret)) != (4, 16):
            raise ValueError("a key is an id of 4 bytes and a secret of 16")
        if not 1 <= len(name) <= 24:
            raise ValueError("the name of the hardware has 1 to 24 bytes")
        return _PAGE.pack(
            b"STCF", 1, _PAGE.size, self.kid, self.secret, self.wake_ms, self.heartbeat_ms, self.baud,
            self.rate_millihz, self.listen_ms, self.samples, self.window_every, self.flag_repeat, self.channels,
            SENSORS.index(self.sensor), self.learn, LINES.index(self.line), self.feature_set, self.radio_min_mv, name,
            self.short_samples, self.whole_every, self.alert_after, self.clear_after, self.alert_on_fault,
        )  # fmt: skip


def slot(chip: Chip, store: int, payload: bytes, counter: int = 1) -> bytes:
    """Slot A with a payload that is in use: manifest, its CRC, marks, then the payload."""
    manifest = manifest_for(chip.board, store, payload, counter, 0).pack()
    crc = binascii.crc32(manifest)
    marks = b"".join(mark.ljust(_WORD * _SPARES, b"\xff") for mark in _MARKS[:3])
    head = manifest + struct.pack("<II", crc, crc ^ 0xFFFF_FFFF) + marks
    whole = head.ljust(chip.head, b"\xff") + payload
    return whole + b"\xff" * (-len(whole) % _WORD)


@dataclass(frozen=True, slots=True)
class Head:
    """What a slot's head says, as core/slots.c reads it."""

    counter: int  # 0: no manifest that is whole
    size: int
    digest: bytes  # of the payload, by the manifest
    marks: frozenset[bytes]
    floor: int  # the highest counter that it knows to have been confirmed

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """Of HEAD_BYTES."""
        counter, size, digest = MANIFEST.unpack_from(data)[4:7]
        crc = binascii.crc32(data[: MANIFEST.size])
        marks = frozenset(
            mark
            for number, mark in enumerate(_MARKS)
            if mark in _words(data, _AT_MARKS + number * _SPARES * _WORD, _SPARES)
        )
        floors = [_number(word) for word in _words(data, _AT_FLOORS, (HEAD_BYTES - _AT_FLOORS) // _WORD)]
        if _number(data[MANIFEST.size : MANIFEST.size + _WORD]) != crc:
            return cls(0, 0, b"", marks, max(floors))
        return cls(counter, size, digest, marks, max(floors + [counter] * (b"confirm!" in marks)))

    @property
    def active(self) -> bool:
        """It may be in use."""
        return self.counter > 0 and self.marks >= {b"complete", b"activate"} and b"bad! bad" not in self.marks

    @property
    def complete(self) -> bool:
        """All of it is there, and it has not been in use."""
        return self.counter > 0 and b"complete" in self.marks and not self.marks & {b"activate", b"bad! bad"}


def _words(data: bytes, at: int, n: int) -> list[bytes]:
    return [data[at + i * _WORD : at + (i + 1) * _WORD] for i in range(n)]


def _number(word: bytes) -> int:
    """A number and its complement; what is torn is -1."""
    number, complement = struct.unpack("<II", word)
    return int(number) if number == complement ^ 0xFFFF_FFFF else -1
