"""Reads the little CBOR that messages are made of, and refuses every other, tags above all.

A general decoder is not asked, because it acts on tags (a node could make the gateway compile a pattern or raise ten
to a power of its choice) and does not tell whether the bytes were in preferred serialisation (RFC 8949 §4.1).
"""

from __future__ import annotations

_SIMPLE: dict[int, object] = {0xF4: False, 0xF5: True, 0xF6: None}
_TEXT, _ARRAY = 3, 4  # major types, the upper three bits of a head


def read_array(data: bytes, at: int) -> list[object]:
    """The array of integers, bytes, text, booleans, nils and arrays of these, which begins at `at` and ends `data`.

    ValueError if it is anything else, is not in preferred serialisation, or is nested deeper than twice.
    """
    try:
        if data[at] >> 5 != _ARRAY:
            raise ValueError("not an array")
        items, end = _array(data, at, nested=False)
    except IndexError:
        raise ValueError("ends too early") from None
    if end != len(data):
        raise ValueError("ends too early" if end > len(data) else f"{len(data) - end} bytes follow the array")
    return items


def _argument(data: bytes, at: int) -> tuple[int, int]:
    """The number in or after the head at `at`, and where the next thing begins."""
    short = data[at] & 31
    if short < 24:
        return short, at + 1
    if short == 24:
        value, least, end = data[at + 1], 24, at + 2
    elif short == 25:
        value, least, end = data[at + 1] << 8 | data[at + 2], 0x100, at + 3
    elif short <= 27:
        end = at + 5 if short == 26 else at + 9
        value, least = int.from_bytes(data[at + 1 : end], "big"), 1 << 4 * (end - at - 1)
    else:
        raise ValueError("not a definite length or number")
    if value < least and end <= len(data):
        raise ValueError("a number is not in its shortest form")
    return value, end


def _array(data: bytes, at: int, *, nested: bool) -> tuple[list[object], int]:
    count, at = _argument(data, at)
    items: list[object] = []
    for _ in range(count):
        head = data[at]
        item: object
        if head < 24:  # most numbers of a message; spares them the general way
            item, at = head, at + 1
        elif head < 0x20:
            item, at = _argument(data, at)
        elif head < 0x40:
            number, at = _argument(data, at)
            item = -1 - number
        elif head < 0x80:
            item, at = _string(data, at)
        elif head < 0xA0 and not nested:
            item, at = _array(data, at, nested=True)
        elif head in _SIMPLE:
            item, at = _SIMPLE[head], at + 1
        else:
            raise ValueError(f"an element begins with {head:#04x}, which no message holds")
        items.append(item)
    return items, at


def _string(data: bytes, at: int) -> tuple[object, int]:
    is_text = data[at] >> 5 == _TEXT
    size, start = _argument(data, at)
    end = start + size
    item = data[start:end]
    return (item.decode() if is_text else item), end  # UnicodeDecodeError is a ValueError
