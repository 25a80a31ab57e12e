"""What goes into a slot of a node: the 128 bytes with which such a file begins, and why a node does not take it.

nodes/c_tflm/core/image.h and store.h; nodes/wire/SPEC.md, "Offers". Only here are these bytes packed and read.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import NamedTuple

MANIFEST = struct.Struct("<4sBB2x16sII32s64s")
ANY_SLOT = 255
CHUNK_BYTES = 384
"""Most that one Chunk carries (wire.cddl, `chunk-data`); a multiple of a word of flash."""
_MAGIC = b"STI1"
_UNSIGNED = bytes(64)


class Store(IntEnum):
    """What a node's flash has two slots for each."""

    MODEL, CONFIG, LEARNER, FIRMWARE = range(4)


class Reply(IntEnum):
    """`enum image_reply`: the detail of a Result with code 3."""

    OK, NO_STORE, NO_MANIFEST, OTHER_STORE, OTHER_BOARD, OTHER_SLOT, TOO_LARGE, COUNTER, NOT_SIGNED = range(9)
    SIGNATURE, HASH, TRUNCATED, OFFSET, TORN, FLASH, SELF_TEST, UNCONFIRMED, NOT_OPEN = range(9, 18)


_TEXTS = {
    Reply.NO_STORE: "it has no room for such a thing at all",
    Reply.NO_MANIFEST: "the manifest is missing, damaged, or not that of what was offered",
    Reply.OTHER_STORE: "it is for another store",
    Reply.OTHER_BOARD: "it is for another board",
    Reply.OTHER_SLOT: "it is made for the slot that the firmware runs from",
    Reply.TOO_LARGE: "it is too large",
    Reply.COUNTER: "its counter is not above the one of what the node has had",
    Reply.NOT_SIGNED: "it is not signed",
    Reply.SIGNATURE: "it is forged, or signed with another key",
    Reply.HASH: "what arrived is not what the manifest says",
    Reply.TRUNCATED: "bytes are missing",
    Reply.FLASH: "the flash did not take it",
    Reply.SELF_TEST: "the node has tried it, and it does not fit",
    Reply.UNCONFIRMED: "what the node has been given last has yet to prove itself",
}


def reply_text(code: int | None) -> str:
    """In words, for people; also of a code that is not known here."""
    try:
        return _TEXTS[Reply(code or 0)]
    except (ValueError, KeyError):
        return f"code {code}"


class Manifest(NamedTuple):
    """What an image says of itself. `size` and `sha256` are of the payload; `signature` is empty if nobody signed."""

    store: Store
    slot: int
    board: str
    counter: int
    size: int
    sha256: bytes
    signature: bytes = b""

    def pack(self) -> bytes:
        """The 128 bytes."""
        board = self.board.encode()
        signature = self.signature or _UNSIGNED
        return MANIFEST.pack(_MAGIC, self.store, self.slot, board, self.counter, self.size, self.sha256, signature)

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """From the first bytes of a file. ValueError if there is no manifest."""
        if len(data) < MANIFEST.size or not data.startswith(_MAGIC):
            raise ValueError("begins with no manifest of an image for a node")
        _, store, slot, board, counter, size, sha256, signature = MANIFEST.unpack_from(data)
        try:
            name = board.rstrip(b"\0").decode()
            known = Store(store)
        except ValueError as error:
            raise ValueError(f"its manifest is damaged: {error}") from error
        return cls(known, slot, name, counter, size, sha256, b"" if signature == _UNSIGNED else signature)

    @property
    def file_size(self) -> int:
        """Bytes that go to the node: of what a learner knows the payload alone, else this manifest before it."""
        return self.size + (0 if self.store is Store.LEARNER else MANIFEST.size)

    def piece(self, payload: bytes, offset: int) -> bytes:
        """What a Chunk from `offset` on carries; empty at the end."""
        whole = payload if self.store is Store.LEARNER else self.pack() + payload
        return whole[offset : offset + CHUNK_BYTES]


def manifest_for(board: str, store: int, payload: bytes, counter: int, slot: int = ANY_SLOT) -> Manifest:
    """Of a payload, not signed. ValueError if the board's name is too long."""
    if not 0 < len(board.encode()) <= 16:
        raise ValueError(f"{board!r}: the name of a board has 1 to 16 bytes")
    return Manifest(Store(store), slot, board, counter, len(payload), hashlib.sha256(payload).digest())
