"""`network` as a board has it: an air with access points, and a station that takes its time."""

import time

STA_IF = 0


class Air:
    """What there is to join. `points`: (name, key, bssid, channel, dBm). Shared by all stations of this process."""

    points = (("works", "key", b"\2\0\0\0\0\4", 6, -60),)
    joins = ()  # (bssid, address or "dhcp") of every attempt that was answered
    scans = 0
    join_ms = 20
    leases = 0


class WLAN:
    def __init__(self, interface):
        assert interface == STA_IF
        self._active = False
        self._addresses = None
        self._up_ms = None
        self._point = None

    def active(self, on):
        self._active = on
        if not on:
            self.disconnect()

    def scan(self):
        assert self._active
        Air.scans += 1
        return [(name.encode(), bssid, channel, dbm, 3, False) for name, _, bssid, channel, dbm in Air.points]

    def config(self, **settings):
        if "channel" in settings:
            raise ValueError("unknown config param")  # as most firmware says of a station

    def ifconfig(self, addresses=None):
        if addresses is not None:
            self._addresses = None if addresses == "dhcp" else addresses
        return self._addresses

    def connect(self, name, key, *, bssid=None):
        assert self._active
        self._up_ms = None
        for point in Air.points:
            if point[:2] == (name, key) and point[2] == bssid:
                self._up_ms = time.ticks_add(time.ticks_ms(), Air.join_ms)
                self._point = point
                Air.joins += ((bssid, self._addresses[0] if self._addresses else "dhcp"),)

    def isconnected(self):
        up = self._up_ms is not None and time.ticks_diff(time.ticks_ms(), self._up_ms) >= 0
        if up and self._addresses is None:
            Air.leases += 1
            self._addresses = ("10.0.0.%d" % (100 + Air.leases), "255.255.255.0", "10.0.0.1", "10.0.0.1")
        return up

    def disconnect(self):
        self._up_ms = self._point = None

    def status(self, what):
        assert what == "rssi"
        return self._point[4]
