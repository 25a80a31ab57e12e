"""The bytes of messages: the part of CBOR that nodes/wire/wire.cddl uses, in preferred serialisation and nothing else.

Upward messages are written, downward ones read; a node needs neither the other way round. A message is a dict; what it
holds is a line of text like those of wire.cddl:

    name:LOW..HIGH      a number; u8, u16, u32 and u64 are short for one
    name:bytes:1..384   so many bytes; name:text:1..24 so many of text, name:values:1..64 so many 32-bit numbers
    name:flag           False or True
    ...!                None is allowed, and is nil
    [5                  the next five are an array in the array
    ?name               the array ends here unless the message has `name`, and it is not None
"""

from micropython import const

_RANGES = {"u8": (0, 255), "u16": (0, 65535), "u32": (0, 0xFFFFFFFF), "u64": (0, 0xFFFFFFFFFFFFFFFF)}
_UINT = const(0x00)  # major types of CBOR
_NEGATIVE = const(0x20)
_BYTES = const(0x40)
_TEXT = const(0x60)
_ARRAY = const(0x80)
_SIMPLE = const(0xE0)
_FALSE = const(20)  # with the last of them
_TRUE = const(21)
_NIL = const(22)


def head(major, value):
    """The head of a CBOR item, in its shortest form."""
    if value < 24:
        return bytes((major | value,))
    size = 0
    while value >> (8 << size):
        size += 1
    return bytes((major | 24 + size,)) + value.to_bytes(1 << size, "big")


def _range(text):
    if text in _RANGES:
        return _RANGES[text]
    low, high = text.split("..")
    return int(low), int(high)


def _within(value, low, high):
    if not low <= value <= high:
        raise ValueError(value)
    return value


def _int(value, low, high):
    _within(value, low, high)
    return head(_UINT, value) if value >= 0 else head(_NEGATIVE, -1 - value)


def _element(rule, value):
    if rule.endswith("!"):
        if value is None:
            return bytes((_SIMPLE | _NIL,))
        rule = rule[:-1]
    kind, _, size = rule.partition(":")
    if not size:
        low, high = _range(kind)
        return _int(value, low, high)
    if kind == "text":
        value = value.encode()
    low, high = _range(size)
    _within(len(value), low, high)
    if kind == "values":
        return head(_ARRAY, len(value)) + b"".join([_int(v, -0x80000000, 0x7FFFFFFF) for v in value])
    return head(_TEXT if kind == "text" else _BYTES, len(value)) + value


def write(fields, message):
    """The array of `message` as bytes. ValueError if one of its values is none that may be there."""
    out = bytearray(1)
    elements = inner = 0  # of the array, always fewer than 24; that still belong to an array in it
    for field in fields.split():
        if field[0] == "?":
            if message.get(field[1:]) is None:
                break
            continue
        if not inner:
            elements += 1
        if field[0] == "[":
            inner = int(field[1:])
            out += head(_ARRAY, inner)
            continue
        name, _, rule = field.partition(":")
        out += _element(rule, message[name])
        inner = max(inner - 1, 0)
    out[0] = _ARRAY | elements
    return bytes(out)


def _read_head(data, at):
    """Major type, value, and where it ends; ValueError if it is cut off or not the shortest form."""
    if at >= len(data):
        raise ValueError("truncated")
    value = data[at] & 31
    major = data[at] ^ value
    at += 1
    if value < 24:
        return major, value, at
    size = 1 << (value - 24)
    if size > 8 or at + size > len(data):
        raise ValueError("truncated")
    value = int.from_bytes(data[at : at + size], "big")
    _within(value, 24 if size == 1 else 1 << 4 * size, 0xFFFFFFFFFFFFFFFF)
    return major, value, at + size


def read_bytes(data, at):
    """A string of bytes, and where it ends. ValueError if there is none."""
    major, value, at = _read_head(data, at)
    if major != _BYTES or at + value > len(data):
        raise ValueError("no bytes")
    return bytes(data[at : at + value]), at + value


def _read_element(rule, data, at):
    _, _, size = rule.partition(":")
    if size:
        value, at = read_bytes(data, at)
        low, high = _range(size)
        _within(len(value), low, high)
        return value, at
    major, value, at = _read_head(data, at)
    if rule == "flag":
        low, high = _FALSE, _TRUE
    elif rule.endswith("!") and major == _SIMPLE and value == _NIL:
        return None, at
    else:
        low, high = _range(rule.rstrip("!"))
    if major != (_SIMPLE if rule == "flag" else _UINT):
        raise ValueError(major)
    value = _within(value, low, high)
    return (value == _TRUE if rule == "flag" else value), at


def read(fields, data):
    """The message that `data` is to its last byte; what was left off is None. ValueError if it is not this array.

    Of arrays in the array, of text, of values and of numbers below 0 no downward message has any.
    """
    message = {}
    major, left, at = _read_head(data, 0)
    for field in fields.split():
        if field[0] == "?":
            continue
        name, _, rule = field.partition(":")
        if not left and "?" + name in fields:
            message[name] = None
            continue
        message[name], at = _read_element(rule, data, at)
        left -= 1
    if major != _ARRAY or left or at != len(data):
        raise ValueError("not this array")
    return message
