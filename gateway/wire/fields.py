"""What the elements of a message may be: each function takes one as CBOR gave it, and returns a field's value.

They raise ValueError with the reason. The ranges are those of nodes/wire/wire.cddl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Take = Callable[[object], Any]


def uint(high: int, low: int = 0) -> Take:
    """An integer within low..high; a boolean is none."""

    def take(item: object) -> int:
        if type(item) is not int:
            raise ValueError("is not an integer")
        if not low <= item <= high:
            raise ValueError(f"{item} is not within {low}..{high}")
        return item

    return take


def or_nil(take: Take) -> Take:
    """The same, or nil."""
    return lambda item: None if item is None else take(item)


def label(item: object) -> str:
    """Text of 1 to 24 bytes of UTF-8."""
    if type(item) is not str:
        raise ValueError("is not text")
    try:
        size = len(item.encode())
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None
    if not 1 <= size <= 24:
        raise ValueError(f"has {size} bytes, not 1..24")
    return item


def image_hash(item: object) -> bytes:
    """The first 8 bytes of a model image's hash."""
    if type(item) is not bytes or len(item) != 8:
        raise ValueError("is not 8 bytes")
    return item


def boolean(item: object) -> bool:
    """A boolean; 0 and 1 are none."""
    if type(item) is not bool:
        raise ValueError("is not a boolean")
    return item


def vector(item: object) -> tuple[int, ...]:
    """A feature vector of 1 to 64 elements."""
    if type(item) is not list or not 1 <= len(item) <= 64:
        raise ValueError("is not an array of 1..64 elements")
    for value in item:
        if type(value) is not int or not -0x8000_0000 <= value <= 0x7FFF_FFFF:
            raise ValueError("holds something other than 32-bit integers")
    return tuple(item)


U8, U16, U32, U64 = (uint(2**bits - 1) for bits in (8, 16, 32, 64))
SMALL = uint(23)  # one byte on the wire
