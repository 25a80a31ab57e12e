"""What the elements of a message may be: each function takes one as CBOR gave it, and returns a field's value.

They raise ValueError with the reason. The ranges are those of nodes/wire/wire.cddl.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.wire import grammar

Take = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Uint:
    """An integer within low..high; a boolean is none."""

    low: int
    high: int

    def __call__(self, item: object) -> int:
        """The integer."""
        if type(item) is not int:
            raise ValueError("is not an integer")
        if not self.low <= item <= self.high:
            raise ValueError(f"{item} is not within {self.low}..{self.high}")
        return item


@dataclass(frozen=True, slots=True)
class OrNil:
    """The same, or nil."""

    take: Take

    def __call__(self, item: object) -> Any:
        """The field's value."""
        return None if item is None else self.take(item)


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """An array of integers, least..most of them."""

    element: Uint
    least: int
    most: int

    def __call__(self, item: object) -> tuple[int, ...]:
        """The integers."""
        if type(item) is not list or not self.least <= len(item) <= self.most:
            raise ValueError(f"is not an array of {self.least}..{self.most} elements")
        return tuple(map(self.element, item))


@dataclass(frozen=True, slots=True)
class TupleOf:
    """An array of exactly these elements, of which `made` is made."""

    takes: tuple[Take, ...]
    made: type[tuple[Any, ...]]

    def __call__(self, item: object) -> tuple[Any, ...]:
        """The elements' values."""
        if type(item) is not list or len(item) != len(self.takes):
            raise ValueError(f"is not an array of {len(self.takes)} elements")
        return tuple(take(element) for take, element in zip(self.takes, item, strict=True))


@dataclass(frozen=True, slots=True)
class Bytes:
    """A byte string of least..most bytes."""

    least: int
    most: int

    def __call__(self, item: object) -> bytes:
        """The bytes."""
        if type(item) is not bytes or not self.least <= len(item) <= self.most:
            size = f"{self.least}" if self.least == self.most else f"{self.least}..{self.most}"
            raise ValueError(f"is not {size} bytes")
        return item


def exactly(size: int) -> Bytes:
    """A byte string of so many bytes."""
    return Bytes(size, size)


def uint(high: int, low: int = 0) -> Uint:
    """An integer within low..high."""
    return Uint(low, high)


or_nil = OrNil

NEVER = (1, 0)


def plain_range(take: Take) -> tuple[int, int]:
    """What integers it returns as they are, without a look at anything else: low and high, or NEVER."""
    inner = take.take if isinstance(take, OrNil) else take
    return (inner.low, inner.high) if isinstance(inner, Uint) else NEVER


def pattern(take: Take) -> bytes | None:
    """What of the wire's bytes it takes, if these are integers of 32 bits, arrays of them, and nil alone. Of a range
    that `grammar` makes no pattern of there is none.
    """
    try:
        return _pattern(take)
    except ValueError:
        return None


def _pattern(take: Take) -> bytes | None:
    match take:
        case Uint(low, high) if high < 1 << 32:
            return grammar.integer(low, high)
        case OrNil(Uint(low, high)):
            return grammar.or_nil(grammar.integer(low, high))
        case ArrayOf(Uint(low, high), least, most):
            return grammar.array_of(grammar.integer(low, high), least, most)
        case TupleOf(takes):
            patterns = [found for take in takes if (found := pattern(take))]
            return grammar.tuple_of(patterns) if len(patterns) == len(takes) else None
    return None


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


def boolean(item: object) -> bool:
    """A boolean; 0 and 1 are none."""
    if type(item) is not bool:
        raise ValueError("is not a boolean")
    return item


U8, U16, U32, U64 = (uint(2**bits - 1) for bits in (8, 16, 32, 64))
SMALL = uint(23)  # one byte on the wire
chunk_data = Bytes(1, 384)
VECTOR = ArrayOf(uint(0x7FFF_FFFF, low=-0x8000_0000), 1, 64)
