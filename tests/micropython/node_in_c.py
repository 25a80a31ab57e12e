"""The parts of the node in C, asked as board/answers.py asks those in Python."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_bool, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, create_string_buffer

import numpy as np

from tests.nodes import core_types as core
from tests.nodes import test_core_ceiling
from tests.nodes.test_features import fault_in_c, in_c
from tests.nodes.test_slow import SlowC

FRAME_READY = 1
DROPPED = {2: "cobs", 3: "crc", 4: "oversize"}


class Numbers:
    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.numbers = test_core_ceiling.Numbers(library)
        self.flash = self.numbers.flash

    def boot(self) -> list[int] | None:
        if not self.numbers.boot():
            return None
        ceiling = self.numbers.ceiling
        return [ceiling.next_partial_iv, ceiling.next_seq, ceiling.skipped]

    def _one(self, name: str) -> int | None:
        number = c_uint32()
        taken = getattr(self.library, name)(byref(self.numbers.ceiling), self.numbers.port, byref(number))
        return number.value if taken else None

    def take(self, n: int) -> list:
        for _ in range(n):
            taken = [self._one("ceiling_take_partial_iv"), self._one("ceiling_take_seq")]
        return [taken, self.library.ceiling_exhausted(byref(self.numbers.ceiling))]

    def keep(self, command: int) -> bool:
        return self.numbers.keep(last_command=command, epoch=command & 0xFFFF, last_result=command & 0xFF)

    def settle(self) -> bool:
        return self.numbers.settle()

    def near_the_end(self) -> None:
        self.numbers.ceiling.next_partial_iv = self.numbers.ceiling.next_seq = 0xFFFF_FFFD

    def cut(self, how: str) -> None:
        self.flash.cut = test_core_ceiling.TEARS[how]

    def rot(self, slot: int) -> None:
        rotten = bytearray(self.flash.slots[slot])
        rotten[7] ^= 0x10
        self.flash.slots[slot] = bytes(rotten)

    def slots(self) -> list[str]:
        return [slot.hex() for slot in self.flash.slots[:2]]


class Ring:
    def __init__(self, library: ctypes.CDLL) -> None:
        library.ring_add.restype = library.ring_acknowledge.restype = c_uint32
        library.ring_next.restype, library.ring_message.restype = c_bool, c_size_t
        self.library, self.ring = library, core.Ring()

    def add(self, kind: int, seq: int, at_ms: int, message: str) -> int:
        data = bytes.fromhex(message)
        return self.library.ring_add(
            byref(self.ring), c_uint8(kind), c_uint32(seq), c_uint64(at_ms), data, c_size_t(len(data))
        )

    def _walk(self):
        at, entry = c_size_t(0), core.RingEntry()
        while self.library.ring_next(byref(self.ring), byref(at), byref(entry)):
            yield at, entry

    def entries(self, now_ms: int) -> list:
        found, out = [], create_string_buffer(600)
        for at, entry in self._walk():
            n = self.library.ring_message(byref(self.ring), at, byref(entry), c_uint64(now_ms), out)
            found.append([entry.type, entry.seq, entry.sends, out.raw[:n].hex()])
        return found

    def sent(self) -> None:
        for at, entry in self._walk():
            self.library.ring_sent(byref(self.ring), at, byref(entry))

    def acknowledge(self, base: int, bitmap: int) -> int:
        return self.library.ring_acknowledge(byref(self.ring), c_uint16(base), c_uint32(bitmap))

    def dropped(self) -> int:
        return self.ring.dropped


class Clock:
    def __init__(self, library: ctypes.CDLL) -> None:
        library.clock_local_ms.restype, library.clock_gateway_ms.restype = c_uint32, c_uint64
        self.library, self.clock = library, core.Clock()

    def compare(self, local_ms: int, gateway_ms: int) -> int:
        self.library.clock_compare(byref(self.clock), c_uint64(local_ms), c_uint64(gateway_ms))
        return self.clock.fast_ppm

    def local(self, ms: int) -> int:
        return self.library.clock_local_ms(byref(self.clock), c_uint32(ms))

    def gateway(self, local_ms: int) -> int:
        return self.library.clock_gateway_ms(byref(self.clock), c_uint64(local_ms))


class Replay:
    def __init__(self, library: ctypes.CDLL, unused: int) -> None:
        library.replay_from.restype, library.replay_accept.restype = core.Replay, c_bool
        self.library, self.window = library, library.replay_from(c_uint32(unused))

    def accept(self, number: int) -> bool:
        return self.library.replay_accept(byref(self.window), c_uint32(number))


class Line:
    def __init__(self, library: ctypes.CDLL) -> None:
        library.frame_encode.restype = c_size_t
        self.library, self.decoder = library, core.FrameDecoder()
        self.dropped = {"oversize": 0, "cobs": 0, "crc": 0}
        library.frame_decoder_init(byref(self.decoder))

    def push(self, data: str) -> list:
        found: list = []
        for byte in bytes.fromhex(data):
            event = self.library.frame_push(byref(self.decoder), c_uint8(byte))
            if event == FRAME_READY:
                found.append(bytes(self.decoder.data[: self.decoder.n]).hex())
            elif event:
                self.dropped[DROPPED[event]] += 1
        return [*found, dict(self.dropped)]

    def encode(self, envelope: str) -> str:
        out, data = create_string_buffer(600), bytes.fromhex(envelope)
        n = self.library.frame_encode(data, c_size_t(len(data)), out)
        return out.raw[:n].hex()


class Features:
    def __init__(self, library: ctypes.CDLL) -> None:
        pass

    def compute(self, set_: int, n: int, channels: int, samples: list[int]) -> list:
        window = np.array(samples, np.int16).reshape(n, channels)
        return [fault_in_c(set_, window), in_c(set_, window)]


class Limits:
    def __init__(self, library: ctypes.CDLL) -> None:
        pass

    def judge(self, limits: list, samples: list[int], n: int, channels: int) -> list[int]:
        window = np.array(samples, np.int16).reshape(n, channels)
        return [*SlowC(channels, limits).judge(window, -1)]


KINDS = {
    "limits": Limits,
    "numbers": Numbers,
    "ring": Ring,
    "clock": Clock,
    "replay": Replay,
    "line": Line,
    "features": Features,
}
