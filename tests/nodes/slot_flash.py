"""Flash as core/slots.h knows it, in a test's hands: words that take one write, power that fails within any of them.

And the makers of what goes into it: manifests, signed or forged.
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_bool, c_int, c_int8, c_uint8, c_uint16, c_uint32, c_void_p

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MODEL, CONFIG, LEARNER, FIRMWARE = range(4)
COMPLETE, ACTIVE, CONFIRMED, BAD = range(4)
PAGE = 512
SIZE = 4 * PAGE
WORD = 8
BLANK = b"\xff" * WORD
BOARD = b"b-l475e-iot01a"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
REPLIES = (
    "ok", "no_store", "no_manifest", "other_store", "other_board", "other_slot", "too_large", "counter", "not_signed",
    "signature", "hash", "truncated", "offset", "torn", "flash", "self_test", "unconfirmed", "not_open",
)  # fmt: skip

READ = CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8, c_uint32, POINTER(c_uint8), c_uint32)
ERASE = CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8)
WRITE = CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8, c_uint32, POINTER(c_uint8), c_uint32)
VERIFY = CFUNCTYPE(c_bool, c_void_p, c_void_p, c_void_p, ctypes.c_size_t)
ACCEPT = CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8)


class PortStore(Structure):
    _fields_ = (("size", c_uint32 * 4), ("page", c_uint16), ("read", READ), ("erase", ERASE), ("write", WRITE))


class Slots(Structure):
    _fields_ = (("port", POINTER(PortStore)), ("context", c_void_p), ("store", c_int))


class Rules(Structure):
    _fields_ = (
        ("board", ctypes.c_char_p), ("public_key", ctypes.c_char_p), ("verify", c_void_p), ("unsigned_stores", c_uint8),
        ("running", c_int8), ("accept", ACCEPT),
    )  # fmt: skip


class State(Structure):
    _fields_ = (("manifest", c_uint8 * 128), ("whole", c_bool), ("marked", c_bool * 4), ("tries", c_uint8))

    @property
    def counter(self) -> int:
        return int.from_bytes(bytes(self.manifest[24:28]), "little")


class Offer(Structure):
    _fields_ = (("size", c_uint32), ("counter", c_uint32), ("sha256", c_uint8 * 32))


class Update(Structure):
    _fields_ = (
        ("slots", Slots), ("rules", c_void_p), ("offer", Offer), ("wanted", c_uint32), ("slot", c_uint8),
        ("open", c_bool),
    )  # fmt: skip


Cut = Callable[[bytes, bytes], bytes | None]

# What a word may hold after its write was cut off: (before, wanted) -> now; None: the flash can no longer read it.
TORN: dict[str, Cut] = {
    "not begun": lambda before, wanted: before,
    "half the bits": lambda before, wanted: bytes(w | (0xAA & b) for b, w in zip(before, wanted, strict=True)),
    "unreadable": lambda before, wanted: None,
    "done, and not told": lambda before, wanted: wanted,
}


class Flash:
    """Two slots of each store. `cut_at` = k: power fails within the k-th word written or slot erased from now on."""

    def __init__(self, stores: tuple[int, ...] = (MODEL, CONFIG, LEARNER, FIRMWARE)) -> None:
        self.words: dict[tuple[int, int], list[bytes | None]] = {
            (store, slot): [BLANK] * (SIZE // WORD) for store in stores for slot in (0, 1)
        }
        self.cut_at: int | None = None
        self.cut: Cut = TORN["half the bits"]
        self.operations = 0
        self.dead = False
        self.second_writes = 0  # to a word that is not erased: error-correcting flash does not take them
        self.port = PortStore(page=PAGE, read=READ(self._read), erase=ERASE(self._erase), write=WRITE(self._write))
        for store in stores:
            self.port.size[store] = SIZE

    def power_up(self) -> None:
        self.dead, self.cut_at, self.operations = False, None, 0

    def _fails(self) -> bool:
        self.dead |= self.operations == self.cut_at
        self.operations += 1
        return self.dead

    def _read(self, _context, store, slot, at, out, n):
        words = self.words[store, slot][at // WORD : (at + n + WORD - 1) // WORD]
        if self.dead or any(word is None for word in words):
            return False
        data = b"".join(word for word in words if word is not None)[at % WORD :][:n]
        ctypes.memmove(out, data, n)
        return True

    def _erase(self, _context, store, slot):
        words = self.words[store, slot]
        if self.dead:
            return False
        if self._fails():  # one page at a time, the first one first: here it is the first that is cut off
            words[: PAGE // WORD] = [self.cut(word or bytes(8), BLANK) for word in words[: PAGE // WORD]]
            return False
        words[:] = [BLANK] * len(words)
        return True

    def _write(self, _context, store, slot, at, data, n):
        assert at % WORD == 0 and n % WORD == 0 and at + n <= SIZE
        words = self.words[store, slot]
        for i in range(at // WORD, (at + n) // WORD):
            if self.dead:
                return False
            wanted = bytes(data[i * WORD - at : (i + 1) * WORD - at])
            before = words[i]
            if before != BLANK:
                self.second_writes += 1
                return False
            if self._fails():
                words[i] = self.cut(before, wanted)
                return False
            words[i] = wanted
        return True


def manifest(
    payload: bytes, counter: int, *, store: int = FIRMWARE, slot: int = 255, board: bytes = BOARD,
    key: Ed25519PrivateKey | None = KEY,
) -> bytes:  # fmt: skip
    """128 bytes (core/image.h); with no key it is not signed."""
    sha256 = hashlib.sha256(payload).digest()
    head = struct.pack("<4sBBxx16sII32s", b"STI1", store, slot, board, counter, len(payload), sha256)
    return head + (key.sign(head) if key else bytes(64))


class Node:
    """The C functions of slots.h and update.h over one Flash."""

    def __init__(self, library: ctypes.CDLL, flash: Flash, store: int = FIRMWARE, **rules: object) -> None:
        for name in ("slots_activate", "slots_confirm", "slots_roll_back", "slots_mark", "slots_erase"):
            getattr(library, name).restype = c_bool
        library.update_overdue.restype = c_bool
        library.slots_floor.restype = c_uint32
        self.library = library
        self.flash = flash
        self.slots = Slots(ctypes.pointer(flash.port), None, store)
        self.rules = Rules(
            board=BOARD, public_key=PUBLIC, verify=ctypes.cast(library.ed25519_verify, c_void_p), running=-1
        )
        for name, value in rules.items():
            setattr(self.rules, name, value)
        self.update = Update()
        self.why: list[str] = []

    def state(self, slot: int) -> State:
        out = State()
        self.library.slots_read(byref(self.slots), slot, byref(out))
        return out

    def marks(self, slot: int) -> set[int]:
        return {mark for mark, is_set in enumerate(self.state(slot).marked) if is_set}

    def proven(self, slot: int) -> bool:
        return self.state(slot).whole and self.marks(slot) == {COMPLETE, ACTIVE, CONFIRMED}

    def active(self) -> int:
        return self.library.slots_active(byref(self.slots), byref(State()))

    def floor(self) -> int:
        return self.library.slots_floor(byref(self.slots))

    def boot(self) -> int:
        """What a boot takes; `why` tells of the others. A firmware runs from there then."""
        why = (c_int * 2)()
        slot = self.library.slots_choose(byref(self.slots), byref(self.rules), why)
        self.why = [REPLIES[code] for code in why]
        if self.slots.store == FIRMWARE:
            self.rules.running = slot
        return slot

    def activate(self, slot: int) -> bool:
        return self.library.slots_activate(byref(self.slots), slot)

    def confirm(self, slot: int) -> bool:
        return self.library.slots_confirm(byref(self.slots), slot)

    def roll_back(self) -> bool:
        return self.library.slots_roll_back(byref(self.slots))

    def check(self, slot: int) -> str:
        return REPLIES[self.library.slots_check(byref(self.slots), slot, byref(self.rules))]

    def offer(self, payload: bytes, counter: int) -> str:
        offer = Offer(len(payload), counter, (c_uint8 * 32)(*hashlib.sha256(payload).digest()))
        return REPLIES[
            self.library.update_begin(byref(self.update), byref(self.slots), byref(self.rules), byref(offer))
        ]

    def write(self, offset: int, data: bytes) -> str:
        return REPLIES[self.library.update_write(byref(self.update), offset, data, ctypes.c_size_t(len(data)))]

    def finish(self) -> str:
        return REPLIES[self.library.update_finish(byref(self.update))]

    def overdue(self, since_boot_ms: int, deadline_ms: int) -> bool:
        return self.library.update_overdue(byref(self.slots), ctypes.c_uint64(since_boot_ms), deadline_ms)

    def send(self, file: bytes, counter: int, *, piece: int = 200, offered: bytes | None = None) -> str:
        """Offer and transfer, as a gateway does it: what is wanted next, until all is there or it is refused."""
        reply = self.offer(file[128:] if offered is None else offered, counter)
        while reply == "ok" and self.update.wanted < len(file):
            wanted = self.update.wanted
            reply = self.write(wanted, file[wanted : wanted + piece])
            if reply == "torn":
                reply = "ok"
            elif reply == "ok":
                assert self.update.wanted > wanted
        return self.finish() if reply == "ok" else reply

    def install(self, payload: bytes, counter: int, **options: object) -> int:
        """From the offer to a confirmed image in use; returns its slot."""
        assert self.send(manifest(payload, counter, store=self.slots.store, **options) + payload, counter) == "ok"
        slot = self.update.slot
        assert self.activate(slot)
        assert self.boot() == slot
        assert self.confirm(slot)
        return slot
