"""One datagram out, one back, over Wi-Fi: the shortest time on air."""

import socket
import time

from . import RadioError
from .wifi import Wifi

_LONGEST = 512  # bytes of an envelope


class Radio:
    """`gateway`: "host:port", best an address: to look up a name costs a question to somebody else."""

    def __init__(self, ssid, key, gateway, remembered=b"", limit_ms=8000, clock=None):
        host, _, port = gateway.rpartition(":")
        self._gateway = host, int(port)
        self._wifi = Wifi(ssid, key, remembered, limit_ms, clock)
        self._clock = clock or time
        self._socket = None

    @property
    def link_dbm(self):
        return self._wifi.link_dbm

    def open(self):
        self._wifi.join()
        try:
            address = socket.getaddrinfo(*self._gateway, 0, socket.SOCK_DGRAM)[0][-1]
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.connect(address)  # nobody else is heard
        except OSError as error:
            self.close()
            raise RadioError("%s:%d: %s" % (self._gateway + (error,)))

    def send(self, envelope):
        try:
            self._socket.send(envelope)
        except OSError as error:
            raise RadioError("not sent: %s" % error)

    def receive(self, wait_ms):
        self._socket.settimeout(max(wait_ms, 1) / 1000)
        try:
            return self._socket.recv(_LONGEST)
        except OSError:
            return None

    def close(self):
        if self._socket:
            self._socket.close()
            self._socket = None
        return self._wifi.leave()
