"""Messages of nothing but integers and nils, as regular expressions over their bytes.

The matcher, which is compiled, tells in one pass that each number is in its range and in preferred serialisation, so
that reading need not ask again. What does not match is not refused here: the strict reader (`cbor`) says what is wrong
with it, or finds it sound; a test holds the two to each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from gateway.wire.cbor import ARRAY, NEGATIVE, UINT, head

_NIL = 0xF6
_SHORT = 24  # heads below this are the number itself; the next three mean one, two and four bytes that follow
_N1, _N2, _N4 = (NEGATIVE << 5 | _SHORT + i for i in range(3))
_ARRAY_1 = ARRAY << 5 | _SHORT

Match = Callable[[bytes], object]


def integer(low: int, high: int) -> bytes:
    """CBOR's integers of up to 32 bits within low..high: `low` at most 23, any bound beyond a byte a multiple of 256
    (`high` less one). ValueError for others.
    """
    forms = _numbers(UINT << 5, max(low, 0), high) if high >= 0 else []
    return _any_of(forms + (_numbers(NEGATIVE << 5, max(-1 - high, 0), -1 - low) if low < 0 else []))


def or_nil(pattern: bytes) -> bytes:
    """The same, or nil."""
    return _any_of([pattern, _byte(_NIL)])


def array_of(pattern: bytes, least: int, most: int) -> bytes:
    """An array of such elements, whose number `read` compares: 1 to 255 of them."""
    heads = [_span(head(ARRAY, least)[0], head(ARRAY, min(most, _SHORT - 1))[0])]
    if most >= _SHORT:
        heads.append(_byte(_ARRAY_1) + _span(_SHORT, most))
    return _any_of(heads) + b"(?:%b){%d,%d}" % (pattern, least, most)


def tuple_of(patterns: Sequence[bytes]) -> bytes:
    """An array of exactly these elements."""
    return re.escape(head(ARRAY, len(patterns))) + b"".join(patterns)


def matcher(kind: int, patterns: Sequence[bytes], sizes: Sequence[int]) -> Match:
    """Matches a type byte and an array of the first of these elements, as many as one of `sizes` says."""
    arrays = [tuple_of(patterns[:size]) for size in sorted(sizes)]
    return re.compile(_byte(kind) + _any_of(arrays), re.DOTALL).fullmatch


def read(payload: bytes) -> list[Any] | None:
    """The elements of what matched, an inner array as a list; None if one has another length than it says. Behind an
    inner array nothing but inner arrays may follow.
    """
    items: list[Any] = []
    append, size, inner = items.append, 0, items
    rest = iter(payload[2:])
    for first in rest:
        if first < _SHORT:
            append(first)
        elif first == 25:
            append(next(rest) << 8 | next(rest))
        elif first == 26:
            append(next(rest) << 24 | next(rest) << 16 | next(rest) << 8 | next(rest))
        elif first == 24:
            append(next(rest))
        elif first < _N1:
            append(~(first & 31))
        elif first == _N1:
            append(~next(rest))
        elif first == _N2:
            append(~(next(rest) << 8 | next(rest)))
        elif first == _N4:
            append(~(next(rest) << 24 | next(rest) << 16 | next(rest) << 8 | next(rest)))
        elif first == _NIL:
            append(None)
        else:
            if inner is not items and len(inner) != size:
                return None
            size = next(rest) if first == _ARRAY_1 else first & 31
            inner = []
            items.append(inner)
            append = inner.append
    return items if inner is items or len(inner) == size else None


def _numbers(major: int, least: int, most: int) -> list[bytes]:
    """Heads of this major type with arguments of least..most."""
    if not 0 <= least < _SHORT or most > 0xFFFF_FFFF or (most > 0xFF and most & 0xFF != 0xFF):
        raise ValueError(f"no pattern is made of {least}..{most}")
    found = [_span(major | least, major | min(most, _SHORT - 1))]
    if most >= _SHORT:
        found.append(_byte(major | 24) + _span(_SHORT, min(most, 0xFF)))
    if most > 0xFF:
        found.append(_byte(major | 25) + _span(1, min(most, 0xFFFF) >> 8) + b".")
    if most > 0xFFFF:
        if most & 0xFF_FFFF != 0xFF_FFFF:
            raise ValueError(f"no pattern is made of {least}..{most}")
        found.append(_byte(major | 26) + rb"(?!\x00\x00)" + _span(0, most >> 24) + b"...")
    return found


def _byte(value: int) -> bytes:
    return b"\\x%02x" % value


def _span(low: int, high: int) -> bytes:
    return b"[%b-%b]" % (_byte(low), _byte(high))


def _any_of(patterns: Sequence[bytes]) -> bytes:
    return b"(?:%b)" % b"|".join(patterns)
