"""Is a Modbus request well formed? (Modbus Application Protocol V1.1b3, section 6.)"""

from __future__ import annotations

from collections.abc import Callable

from pymodbus.constants import ExcCodes


def fault(pdu: bytes) -> ExcCodes | None:
    """The exception that a request deserves for its form alone, or None. `pdu` is the function code and its data."""
    check = _CHECKS.get(pdu[0])
    if check is None or (pdu[0] == 43 and pdu[1:2] != b"\x0e"):
        return ExcCodes.ILLEGAL_FUNCTION
    return None if check(pdu) else ExcCodes.ILLEGAL_VALUE


def u16(pdu: bytes | bytearray, at: int) -> int:
    """Big-endian 16-bit number."""
    return int.from_bytes(pdu[at : at + 2], "big")


def _read(most: int) -> Callable[[bytes], bool]:
    return lambda pdu: len(pdu) == 5 and 1 <= u16(pdu, 3) <= most


def _write_many(most: int, per_value: float) -> Callable[[bytes], bool]:
    def check(pdu: bytes) -> bool:
        if len(pdu) < 7 or not 1 <= u16(pdu, 3) <= most:
            return False
        return pdu[5] == len(pdu) - 6 == -int(-u16(pdu, 3) * per_value // 1)

    return check


def _read_write(pdu: bytes) -> bool:
    if len(pdu) < 12 or not (1 <= u16(pdu, 3) <= 125 and 1 <= u16(pdu, 7) <= 121):
        return False
    return pdu[9] == len(pdu) - 10 == 2 * u16(pdu, 7)


_CHECKS: dict[int, Callable[[bytes], bool]] = {
    1: _read(2000),
    2: _read(2000),
    3: _read(125),
    4: _read(125),
    5: lambda pdu: len(pdu) == 5 and pdu[3:] in (b"\xff\x00", b"\x00\x00"),
    6: lambda pdu: len(pdu) == 5,
    15: _write_many(1968, 1 / 8),
    16: _write_many(123, 2),
    22: lambda pdu: len(pdu) == 7,
    23: _read_write,
    43: lambda pdu: len(pdu) == 4 and 1 <= pdu[2] <= 4,
}
