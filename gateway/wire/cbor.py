"""Reads the little CBOR that messages are made of, and refuses every other, tags above all; and writes its parts.

A general decoder is not asked, because it acts on tags (a node could make the gateway compile a pattern or raise ten
to a power of its choice) and does not tell whether the bytes were in preferred serialisation (RFC 8949 §4.1).
"""

from __future__ import annotations

from collections.abc import Sequence

_SIMPLE: dict[int, object] = {0xF4: False, 0xF5: True, 0xF6: None}
_BYTE = [bytes((value,)) for value in range(256)]
_WRITTEN = {value: _BYTE[head] for head, value in _SIMPLE.items()}
UINT, NEGATIVE, BYTES, TEXT, ARRAY = range(5)  # major types, the upper three bits of a head


def read_array(data: bytes, at: int) -> list[object]:
    """The array of integers, bytes, text, booleans, nils and arrays of these, which begins at `at` and ends `data`.

    ValueError if it is anything else, is not in preferred serialisation, or is nested deeper than twice.
    """
    try:
        if data[at] >> 5 != ARRAY:
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
        if head < 24:  # most numbers of a message are short; that spares them the general way
            item, at = head, at + 1
        elif head == 24 and data[at + 1] >= 24:
            item, at = data[at + 1], at + 2
        elif head == 25 and data[at + 1]:
            item, at = data[at + 1] << 8 | data[at + 2], at + 3
        elif head == 26 and (data[at + 1] or data[at + 2]):
            item, at = data[at + 1] << 24 | data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4], at + 5
        elif head < 0x20:
            item, at = _argument(data, at)
        elif head == 0x38 and data[at + 1] >= 24:
            item, at = ~data[at + 1], at + 2
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
    is_text = data[at] >> 5 == TEXT
    size, start = _argument(data, at)
    end = start + size
    item = data[start:end]
    return (item.decode() if is_text else item), end  # UnicodeDecodeError is a ValueError


def array(items: Sequence[object]) -> bytes:
    """An array of what `read_array` reads. TypeError for anything else."""
    parts = [_BYTE[item] if type(item) is int and 0 <= item < 24 else _item(item) for item in items]
    return head(ARRAY, len(items)) + b"".join(parts)


def head(major: int, argument: int) -> bytes:
    """The head of a data item in preferred serialisation (RFC 8949 §4.1); with UINT, the whole of it."""
    first = major << 5
    if argument < 24:
        return _BYTE[first | argument]
    if argument < 0x100:
        return bytes((first | 24, argument))
    if argument < 0x1_0000:
        return _BYTE[first | 25] + argument.to_bytes(2, "big")
    if argument < 0x1_0000_0000:
        return _BYTE[first | 26] + argument.to_bytes(4, "big")
    return _BYTE[first | 27] + argument.to_bytes(8, "big")


def text(value: str) -> bytes:
    """A text string."""
    data = value.encode()
    return head(TEXT, len(data)) + data


def byte_string(value: bytes) -> bytes:
    """A byte string."""
    return head(BYTES, len(value)) + value


def _item(item: object) -> bytes:
    if type(item) is int:
        return head(UINT, item) if item >= 0 else head(NEGATIVE, -1 - item)
    match item:
        case bool() | None:
            return _WRITTEN[item]
        case bytes():
            return byte_string(item)
        case str():
            return text(item)
        case list() | tuple():
            return array(item)
    raise TypeError(f"{type(item).__name__} is nothing that messages are made of")
