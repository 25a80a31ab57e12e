"""Over Wi-Fi and an MQTT broker: where the gateway is in another network than its nodes.

The envelopes are encrypted end to end, so the connection to the broker is not. A connection is made for each wake,
which costs more time on air than a datagram.
"""

from binascii import hexlify

from .mqtt import Client
from .wifi import Wifi


class Radio:
    """`broker`: "host:port". `kid`: the node's id, 4 bytes, which its topics carry."""

    def __init__(self, ssid, key, broker, kid, remembered=b"", limit_ms=8000, clock=None, prefix="stethos/nodes",
                 user=None, password=None):  # fmt: skip
        host, _, port = broker.rpartition(":")
        name = hexlify(kid)
        topic = prefix.encode() + b"/" + name
        self._up, self._down = topic + b"/up", topic + b"/down"
        self._broker = host, int(port), b"stethos-" + name, self._down, user, password
        self._wifi = Wifi(ssid, key, remembered, limit_ms, clock)
        self._client = Client(clock)
        self._limit_ms = limit_ms

    @property
    def link_dbm(self):
        return self._wifi.link_dbm

    def open(self):
        self._wifi.join()
        try:
            self._client.open(*self._broker, limit_ms=self._limit_ms)
        except Exception:
            self.close()
            raise

    def send(self, envelope):
        self._client.publish(self._up, envelope, self._limit_ms)

    def receive(self, wait_ms):
        taken = self._client.taken
        self._client.wait(wait_ms)
        return taken.pop(0)[1] if taken else None

    def close(self):
        self._client.close()
        return self._wifi.leave()
