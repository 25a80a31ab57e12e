"""How old a piece of news is when it is sent: one byte, nearly logarithmic (nodes/wire/SPEC.md, "Age")."""

from __future__ import annotations

QUARTER_MS = 250
OLDEST = 255  # the code that means "35 hours or more"


def decode(code: int) -> int:
    """Age in milliseconds of a code, 0 to 255."""
    exponent, mantissa = code >> 4, code & 15
    return QUARTER_MS * (mantissa if exponent == 0 else (16 + mantissa) << (exponent - 1))


def encode(ms: int) -> int:
    """The code nearest to an age in milliseconds, the lower at a tie. ValueError for a negative age."""
    if ms < 0:
        raise ValueError(f"an age of {ms} ms")
    quarters = ms // QUARTER_MS
    exponent = max(0, quarters.bit_length() - 4)
    if exponent > 15:
        return OLDEST
    below = quarters if exponent == 0 else (exponent << 4) + (quarters >> (exponent - 1)) - 16
    if below < OLDEST and 2 * ms > decode(below) + decode(below + 1):
        return below + 1
    return below
