"""The envelope: untagged COSE_Encrypt0 with AES-CCM-16-64-128 (nodes/wire/SPEC.md, "Envelope").

The gateway's side is gateway/wire/envelope.py. What becomes of a frame from there has the names of SPEC's table.
"""

from micropython import const

from . import ccm, codec, native
from .keys import xor
from .replay import Replay

_AAD = const(b"\x83\x68Encrypt0\x43\xa1\x01\x0a\x40")
_PROTECTED = const(b"\x83\x43\xa1\x01\x0a")  # an array of three, and its first element
_KID = const(b"\x04\x44")
_PARTIAL_IV = const(b"\x06")
_EPOCH = const(b"\x0a")
_BYTES = const(0x40)
_TAG = const(8)
MAX = 512
"""Bytes of the longest envelope."""


class Downlink:
    """What a node remembers of the downward direction: `epoch` durably, `replay` as far as the ceiling says."""

    def __init__(self, epoch=0, replay=None):
        self.epoch = epoch
        self.replay = replay or Replay()


def _nonce(iv, partial_iv):
    return xor(iv, bytes(9) + partial_iv.to_bytes(4, "big"))


def seal_up(keys, partial_iv, plaintext):
    """The envelope. The caller sees to it that no `partial_iv` is ever used twice."""
    number = partial_iv.to_bytes(4, "big").lstrip(b"\0") or b"\0"
    sealed = ccm.seal(keys.up, _nonce(keys.iv_up, partial_iv), _AAD, plaintext, _TAG)
    header = b"\xa2" + _KID + keys.kid + _PARTIAL_IV + codec.head(_BYTES, len(number)) + number
    return _PROTECTED + header + codec.head(_BYTES, len(sealed)) + sealed


def _parse(frame):
    """(kid, partial IV, epoch, ciphertext). ValueError if it is not exactly this."""
    start = _PROTECTED + b"\xa3" + _KID
    at = len(start) + 4
    if len(frame) > MAX or frame[: len(start)] != start or frame[at : at + 1] != _PARTIAL_IV:
        raise ValueError("malformed")
    kid = frame[at - 4 : at]
    number, at = codec.read_bytes(frame, at + 1)
    if not 1 <= len(number) <= 4 or (len(number) > 1 and number[0] == 0) or frame[at : at + 1] != _EPOCH:
        raise ValueError("malformed")
    epoch, at = codec.read_bytes(frame, at + 1)
    sealed, at = codec.read_bytes(frame, at)
    if len(epoch) != 2 or len(sealed) < _TAG or at != len(frame):
        raise ValueError("malformed")
    return kid, int.from_bytes(number, "big"), int.from_bytes(epoch, "big"), sealed


def open_down(keys, downlink, frame):
    """(verdict, plaintext). With "accepted" `downlink` has moved on; a raised epoch must be kept durably before the
    plaintext is acted on. With another verdict there is no plaintext.
    """
    try:
        kid, partial_iv, epoch, sealed = _parse(frame)
    except ValueError:
        return "malformed", None
    if kid != keys.kid:
        return "unknown_node", None
    if epoch < downlink.epoch:
        return "bad_tag", None
    text = ccm.open_(keys.down(epoch), _nonce(keys.iv_down, partial_iv), _AAD, sealed, _TAG)
    if text is None:
        return "bad_tag", None
    if epoch > downlink.epoch:
        downlink.epoch = epoch
        downlink.replay = Replay()
    return ("accepted", text) if downlink.replay.accept(partial_iv) else ("replayed", None)


if native.envelope:
    seal_up, open_down = native.envelope.seal_up, native.envelope.open_down
