"""Frames of a serial line: COBS over envelope and CRC-16, then a zero byte (nodes/wire/SPEC.md, "Links")."""

MAX = 512
"""Bytes of the longest envelope."""
_CRC = 2
_BLOCK = 254  # bytes of COBS that are not 0 and need no zero after them
_CODED_MAX = 520  # bytes that are too many in whatever blocks they come


def crc16(data):
    """CRC-16/IBM-3740."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def encode(envelope):
    """The bytes for the line."""
    data = envelope + crc16(envelope).to_bytes(_CRC, "big")
    out = bytearray()
    for part in data.split(b"\0"):
        at = 0
        while len(part) - at >= _BLOCK:
            out += b"\xff" + part[at : at + _BLOCK]
            at += _BLOCK
        out += bytes((len(part) - at + 1,)) + part[at:]
    end = len(out) - (at > 0 and at == len(part))  # a full block at the very end has nothing after it
    return bytes(out[:end]) + b"\0"


def _uncobs(data):
    """What was coded, and whether its last block is whole."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        out += data[at + 1 : at + code]
        at += code
        if code <= _BLOCK and at < len(data):
            out.append(0)
    return out, at == len(data)


class Decoder:
    """Collects what comes in pieces of any length. `dropped` counts, by name, what was no envelope."""

    def __init__(self):
        self.dropped = {"oversize": 0, "cobs": 0, "crc": 0}
        self._coded = bytearray()

    def push(self, data):
        """The envelopes that `data` completes."""
        found = []
        for byte in data:
            if byte:
                if len(self._coded) < _CODED_MAX:
                    self._coded.append(byte)
            elif self._coded:
                envelope = self._finish()
                self._coded = bytearray()
                if isinstance(envelope, str):
                    self.dropped[envelope] += 1
                else:
                    found.append(envelope)
        return found

    def _finish(self):
        """An envelope, or why there is none."""
        data, whole = _uncobs(self._coded)
        if len(self._coded) == _CODED_MAX or len(data) > MAX + _CRC:
            return "oversize"
        if not whole:
            return "cobs"
        if len(data) < _CRC or data[-_CRC:] != crc16(data[:-_CRC]).to_bytes(_CRC, "big"):
            return "crc"
        return bytes(data[:-_CRC])
