"""Write nodes/wire/vectors/*.json: `python -m tests.wire.make_vectors`. A test checks that they are what this makes.

Nothing here comes from `gateway.wire`; ages and scores are computed from their definitions, not by the formulas that
the implementations use.
"""

from __future__ import annotations

import binascii
import json
import re
from pathlib import Path

from cobs import cobs

from tests.wire import vectors_ccm, vectors_envelopes, vectors_messages

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "vectors"
Document = dict[str, object]


def _age_quarters(code: int) -> int:
    exponent, mantissa = code >> 4, code & 15
    return mantissa if exponent == 0 else (16 + mantissa) * 2**exponent // 2


def age() -> Document:
    """Codes with their age, and ages with the nearest code (the lower at a tie), found by looking at all codes."""
    values = [250 * _age_quarters(code) for code in range(256)]
    marks = {0, 1, 124, 125, 126, 249, 250, 251, 1000, 60_000, 3_600_000, 86_400_000, 2**32 - 1}
    for code in (0, 14, 15, 16, 30, 31, 32, 47, 48, 127, 128, 253, 254):
        middle = (values[code] + values[code + 1]) // 2
        marks |= {values[code], middle - 1, middle, middle + 1, values[code + 1]}
    encode = [
        {"ms": ms, "code": min(range(256), key=lambda code: (abs(values[code] - ms), code))} for ms in sorted(marks)
    ]
    return {"decode_ms": values, "encode": encode}


def _log16(x: int) -> int:
    """floor(16 · log2 x) without a logarithm: the largest n with 2**n <= x**16."""
    return (x**16).bit_length() - 1 if x else -128 - 512


def score() -> Document:
    """Points of L (every step of one octave, the ends of others), and errors judged against thresholds."""
    points = {0, 1, 2, 3, 4, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1}
    points |= {*range(16, 33), *range(65536, 131072, 4099)}
    for n in range(31 * 16, 32 * 16):  # both sides of every step of the top octave
        step = next(x for x in range(_root16(2**n) - 1, 2**32) if x**16 >= 2**n)
        points |= {step - 1, step}
    errors = (0, 1, 2, 99, 100, 101, 104, 105, 1000, 65025, 4_161_600, 2**31, 2**32 - 1)
    cases = [
        {"error": e, "threshold": t, "code": min(255, max(0, 128 + _log16(e) - _log16(t))), "anomalous": e > t}
        for t in (0, 1, 100, 4_161_600, 2**32 - 1)
        for e in errors
    ]
    percent = [0] + [round(100 * 2 ** ((code - 128) / 16)) for code in range(1, 256)]
    return {"log": [{"x": x, "l": _log16(x)} for x in sorted(points)], "cases": cases, "percent": percent}


def _root16(n: int) -> int:
    low, high = 0, 1 << (n.bit_length() // 16 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**16 <= n else (low, middle - 1)
    return low


def _line(envelope: bytes) -> bytes:
    return cobs.encode(envelope + binascii.crc_hqx(envelope, 0xFFFF).to_bytes(2, "big")) + b"\0"


def serial() -> Document:
    """Streams of bytes as a serial line brings them, the envelopes that come out, and what is counted."""
    short, zeros = bytes.fromhex("83c0ffee"), bytes(6)
    longest, too_long = bytes(i % 251 for i in range(512)), bytes(i % 251 for i in range(513))
    wrong = bytearray(short + binascii.crc_hqx(short, 0xFFFF).to_bytes(2, "big"))
    wrong[1] ^= 4
    rows: list[tuple[str, bytes, list[bytes], dict[str, int]]] = [
        ("ok", _line(short), [short], {}),
        ("ok: an envelope of zeros", _line(zeros), [zeros], {}),
        ("ok: 254 bytes without a zero, one COBS block", _line(b"\x55" * 252), [b"\x55" * 252], {}),
        ("ok: 255 bytes without a zero, two COBS blocks", _line(b"\x55" * 253), [b"\x55" * 253], {}),
        ("ok: check value of CRC-16/IBM-3740", _line(b"123456789"), [b"123456789"], {}),
        ("empty: zeros alone are silence", bytes(5), [], {}),
        ("longest", _line(longest), [longest], {}),
        ("one byte too long, then a good one", _line(too_long) + _line(short), [short], {"oversize": 1}),
        ("CRC wrong", cobs.encode(bytes(wrong)) + b"\0", [], {"crc": 1}),
        ("CRC wrong, then a good one", cobs.encode(bytes(wrong)) + b"\0" + _line(short), [short], {"crc": 1}),
        ("too short for a CRC", cobs.encode(b"\x83") + b"\0", [], {"crc": 1}),
        ("COBS wrong: a block runs past the end", b"\x05\x11\x00" + _line(short), [short], {"cobs": 1}),
        ("two frames", _line(short) + _line(zeros), [short, zeros], {}),
        ("zeros between frames", b"\0\0" + _line(short) + b"\0\0\0" + _line(zeros), [short, zeros], {}),
        ("garbage and a zero before a frame", b"\x09garbage\0" + _line(short), [short], {"cobs": 1}),
        ("garbage runs into a frame, the next is whole", b"\x02\x01" + _line(short) * 2, [short], {"crc": 1}),
        ("truncated: no end yet", _line(short)[:-1], [], {}),
        ("the end of a frame whose start was missed", _line(zeros)[3:] + _line(short), [short], {"crc": 1}),
    ]
    return {
        "cases": [
            {"name": name, "stream": stream.hex(), "frames": [f.hex() for f in frames], "counted": counted}
            for name, stream, frames, counted in rows
        ]
    }


def documents() -> dict[str, Document]:
    """File name -> its contents."""
    made: dict[str, Document] = {
        f"{name}.json": {
            "message": name,
            "type": kind,
            "direction": "up" if name in vectors_messages.UP else "down",
            "cases": vectors_messages.cases(name),
        }
        for name, kind in vectors_messages.TYPES.items()
    }
    made["keys.json"] = {"nodes": vectors_envelopes.keys(), "rfc8613": vectors_ccm.rfc8613_keys()}
    made["envelope.json"] = {
        "aad": vectors_envelopes.AAD.hex(),
        "nodes": vectors_envelopes.keys(),
        "up": vectors_envelopes.up(),
        "down": vectors_envelopes.down(),
    }
    made["ccm.json"] = {"cases": vectors_ccm.cases()}
    made["age.json"] = age()
    made["score.json"] = score()
    made["serial.json"] = serial()
    return made


def text(document: Document) -> str:
    """JSON with lists of numbers and small objects each on one line, so that a difference shows the case."""
    wide = json.dumps(document, indent=1, ensure_ascii=True)
    for innermost in (r"\[\s+(?:-?\d+(?:,\s+)?)+\s+\]", r"\{[^{}]{0,160}\}"):
        wide = re.sub(innermost, lambda m: re.sub(r"\s*\n\s*", " ", m[0]), wide)
    return wide + "\n"


def main() -> None:
    """Write every file."""
    for name, document in documents().items():
        (FOLDER / name).write_text(text(document), encoding="ascii")


if __name__ == "__main__":
    main()
