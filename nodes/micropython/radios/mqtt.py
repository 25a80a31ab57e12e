"""As much of MQTT 3.1.1 as a node needs, with an end to every wait.

umqtt.simple waits without end for an answer that does not come, which empties a battery. Here nothing waits longer than
it was told, and what need not be waited for goes out in one piece: CONNECT and SUBSCRIBE (MQTT 3.1.1, section 3.1.4).
"""

import socket
import time
from errno import EAGAIN, ETIMEDOUT

from . import RadioError

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _DISCONNECT = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xE0
_QOS_1 = 2
_PUBLISHING, _SUBSCRIBING = 1, 2  # packet identifiers: one of each is under way at a time
_KEEPALIVE_S = 60  # nobody is connected for longer than a wake
_LONGEST = 600  # bytes of a packet, an envelope and its topic


def _text(data):
    return len(data).to_bytes(2, "big") + data


def _packet(kind, body):
    """Packets of up to 16383 bytes."""
    size = len(body)
    return bytes((kind, size) if size < 128 else (kind, size & 127 | 128, size >> 7)) + body


class Client:
    """One connection. `taken`: (topic, payload) of what has come, oldest first."""

    def __init__(self, clock=None):
        self.taken = []
        self._clock = clock or time
        self._socket = None
        self._buffer = b""

    def open(self, host, port, client_id, topic, user=None, password=None, limit_ms=5000):
        """Connected, and subscribed to a topic at QoS 1; or RadioError."""
        flags = (128 if user else 0) | (64 if password else 0)  # the session is kept: so is mail that comes meanwhile
        body = b"\0\4MQTT\4" + bytes((flags,)) + _KEEPALIVE_S.to_bytes(2, "big") + _text(client_id)
        body += b"".join([_text(part.encode()) for part in (user, password) if part])
        subscription = _SUBSCRIBING.to_bytes(2, "big") + _text(topic) + b"\1"
        self._socket = socket.socket()
        self._socket.settimeout(limit_ms / 1000)
        try:
            self._socket.connect(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1])
            self._socket.write(_packet(_CONNECT, body) + _packet(_SUBSCRIBE, subscription))
            answer = self._await(_CONNACK, limit_ms)
            if answer[1]:
                raise RadioError("the broker refuses: %d" % answer[1])
            if self._await(_SUBACK, limit_ms)[2] & 128:
                raise RadioError("the broker refuses the subscription")
        except (OSError, RadioError) as error:
            self.close()
            raise error if isinstance(error, RadioError) else RadioError("the broker: %s" % error)

    def publish(self, topic, payload, limit_ms):
        """At QoS 1: the broker has it, or RadioError."""
        body = _text(topic) + _PUBLISHING.to_bytes(2, "big") + payload
        try:
            self._socket.settimeout(limit_ms / 1000)
            self._socket.write(_packet(_PUBLISH | _QOS_1, body))
            self._await(_PUBACK, limit_ms)
        except OSError as error:
            raise RadioError("the broker: %s" % error)

    def wait(self, limit_ms):
        """Until something is in `taken`, or the time is over."""
        start = self._clock.ticks_ms()
        while not self.taken:
            left_ms = limit_ms - self._clock.ticks_diff(self._clock.ticks_ms(), start)
            if left_ms <= 0 or self._next(left_ms) is None:
                break

    def close(self):
        if self._socket:
            try:
                self._socket.write(_packet(_DISCONNECT, b""))
            except OSError:
                pass  # it is gone already
            self._socket.close()
            self._socket = None

    def _await(self, kind, limit_ms):
        """The body of the next packet of a kind; publications that come before it are taken."""
        start = self._clock.ticks_ms()
        while True:
            left_ms = limit_ms - self._clock.ticks_diff(self._clock.ticks_ms(), start)
            packet = self._next(left_ms) if left_ms > 0 else None
            if packet is None:
                raise RadioError("the broker does not answer")
            if packet[0] == kind:
                return packet[1]

    def _next(self, limit_ms):
        """(kind, body) of the next packet, or None when the time is over."""
        start = self._clock.ticks_ms()
        while True:
            packet = self._whole()
            if packet:
                if packet[0] & 0xF0 == _PUBLISH:
                    self._take(*packet)
                return packet
            left_ms = limit_ms - self._clock.ticks_diff(self._clock.ticks_ms(), start)
            if left_ms <= 0:
                return None
            self._socket.settimeout(left_ms / 1000)
            try:
                data = self._socket.recv(_LONGEST)
            except OSError as error:
                if error.args[0] in (EAGAIN, ETIMEDOUT):
                    return None
                raise
            if not data:
                raise RadioError("the broker has closed the connection")
            self._buffer += data

    def _whole(self):
        """The packet at the beginning of what has come, or None while it is not complete."""
        data = self._buffer
        if len(data) < 2 or (data[1] & 128 and len(data) < 3):
            return None
        head, size = (3, data[1] & 127 | data[2] << 7) if data[1] & 128 else (2, data[1])
        if size > _LONGEST:
            raise RadioError("the broker sends %d bytes in one packet" % size)
        if len(data) < head + size:
            return None
        self._buffer = data[head + size :]
        return data[0], data[head : head + size]

    def _take(self, kind, body):
        start = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:start]
        if kind & 6:
            self._socket.write(_packet(_PUBACK, body[start : start + 2]))
            start += 2
        self.taken.append((topic, body[start:]))
