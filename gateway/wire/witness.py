"""What a receiver remembers of its newest messages, to tell one that comes again from another with the same number.

A replay repeats an envelope and a resend its message, byte for byte. Two different ones under one number prove that the
numbers of a key are given out twice: by two nodes, or by one whose storage went back (nodes/wire/SPEC.md, "Numbers that
never repeat"). Two bytes of each are kept, in memory only: after a start the receiver cannot tell, and assumes nothing.
"""

from __future__ import annotations

from array import array
from zlib import crc32

from gateway.wire.window import REPLAY_DEPTH, SEQUENCE_DEPTH

_NOTHING = 0
_PRINTS = 0xFFFF
# A slot that holds another number than the one that is looked up would accuse the innocent. All that are seen lie
# within the depth of a window below the newest, and whatever overwrote one of them is no further from it.
_PARTIAL_IVS = 2 * REPLAY_DEPTH
_NUMBERS = 2 * SEQUENCE_DEPTH
_SHORT = 24  # heads below this are the number itself; the next two mean one byte and two that follow


class Witness:
    """The newest envelopes and messages of one Node."""

    __slots__ = ("_numbers", "_partial_ivs")

    def __init__(self) -> None:
        self._partial_ivs = array("H", bytes(2 * _PARTIAL_IVS))
        self._numbers = array("H", bytes(2 * _NUMBERS))

    def saw_envelope(self, partial_iv: int, ciphertext: bytes) -> None:
        """An authentic envelope under a fresh partial IV; its ciphertext ends with the tag."""
        self._partial_ivs[partial_iv % _PARTIAL_IVS] = _of_tag(ciphertext)

    def other_envelope(self, partial_iv: int, ciphertext: bytes) -> bool:
        """Whether a partial IV that the window has seen was certainly that of another envelope."""
        return self._partial_ivs[partial_iv % _PARTIAL_IVS] not in (_NOTHING, _of_tag(ciphertext))

    def saw_message(self, number: int, payload: bytes) -> None:
        """A message that counts."""
        self._numbers[number % _NUMBERS] = _of_message(payload)

    def other_message(self, number: int, payload: bytes) -> bool:
        """Whether a number that the window knows was certainly that of another message."""
        return self._numbers[number % _NUMBERS] not in (_NOTHING, _of_message(payload))


def _of_tag(ciphertext: bytes) -> int:
    return ciphertext[-1] << 8 | ciphertext[-2] or _PRINTS


def _of_message(payload: bytes) -> int:
    """Of all but the age, which is another one in every transmission."""
    number = payload[2]  # behind the type and the head of the array
    age_at = 3 if number < _SHORT else number - _SHORT + 4
    rest_at = age_at + (1 if payload[age_at] < _SHORT else 2)
    return crc32(payload[rest_at:], payload[0]) & _PRINTS or _PRINTS
