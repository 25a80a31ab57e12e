"""Wi-Fi, joined the short way.

What costs a battery is the time that the radio is on. Looking for the access point on all channels, and asking for an
address, take most of it: so both are remembered from wake to wake, and asked for anew only when that does not work.
"""

import time

import network

from . import RadioError

_FORM = 23  # bytes: access point 6, channel 1, then address, mask, gateway and name server of 4 each
_POLL_MS = 10


def _packed(bssid, channel, addresses):
    parts = [bytes([int(part) for part in address.split(".")]) for address in addresses]
    return bssid + bytes((channel,)) + b"".join(parts)


def _unpacked(remembered):
    """Access point, channel and addresses, or None."""
    if len(remembered) != _FORM:
        return None
    addresses = [".".join([str(byte) for byte in remembered[at : at + 4]]) for at in range(7, _FORM, 4)]
    return remembered[:6], remembered[6], addresses


class Wifi:
    """A station. `join()` or RadioError; `leave()` returns what to remember."""

    def __init__(self, ssid, key, remembered=b"", limit_ms=8000, clock=None):
        self.link_dbm = None
        self._ssid = ssid
        self._key = key
        self._known = _unpacked(remembered)
        self._limit_ms = limit_ms
        self._clock = clock or time
        self._wlan = network.WLAN(network.STA_IF)

    def join(self):
        """First where it was; where that is no more, the strongest that has the name."""
        wlan = self._wlan
        wlan.active(True)
        if self._known and self._joined(*self._known, limit_ms=self._limit_ms // 4):
            return
        self._known = None
        wlan.disconnect()
        found = [(ap[3], ap[1], ap[2]) for ap in wlan.scan() if ap[0] == self._ssid.encode()]
        if not found:
            self.leave()
            raise RadioError("no access point has the name %s" % self._ssid)
        _, bssid, channel = max(found)
        if not self._joined(bytes(bssid), channel, None, limit_ms=self._limit_ms):
            self.leave()
            raise RadioError("%s does not let us in" % self._ssid)

    def leave(self):
        """Off. What is known of the access point where one was joined."""
        self._wlan.disconnect()
        self._wlan.active(False)
        return _packed(*self._known) if self._known else b""

    def _joined(self, bssid, channel, addresses, limit_ms):
        wlan, clock = self._wlan, self._clock
        wlan.ifconfig(tuple(addresses) if addresses else "dhcp")
        try:
            wlan.config(channel=channel)  # no search on the others
        except (OSError, ValueError):
            pass  # not every firmware lets a station be told
        wlan.connect(self._ssid, self._key, bssid=bssid)
        start = clock.ticks_ms()
        while not wlan.isconnected():
            if clock.ticks_diff(clock.ticks_ms(), start) >= limit_ms:
                return False
            clock.sleep_ms(_POLL_MS)
        self.link_dbm = wlan.status("rssi")
        self._known = bssid, channel, wlan.ifconfig()
        return True
