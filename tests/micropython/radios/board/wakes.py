"""Runs a radio as a node would, under MicroPython: KIND WAYS… with PORT or path; prints what came of it."""

import sys
from binascii import hexlify, unhexlify

from fakes.line import Line
from radios import REMEMBERED, RadioError

from network import Air

KID = unhexlify("0a0b0c0d")
NEAR, FAR, GUEST = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", b"\2\0\0\0\0\3"
Air.points = (("works", "key", FAR, 1, -80), ("works", "key", NEAR, 11, -50), ("guest", "", GUEST, 6, -30))


def radio_of(kind, where, remembered=b"", key="key"):
    if kind == "udp":
        from radios.wifi_udp import Radio

        return Radio("works", key, where, remembered, limit_ms=1000)
    if kind == "mqtt":
        from radios.wifi_mqtt import Radio

        return Radio("works", key, where, KID, remembered, limit_ms=1000)
    from radios.uart import Radio

    return Radio(Line(where))


def exchange(radio, envelope, wait_ms):
    """One wake: what to remember."""
    try:
        radio.open()
        radio.send(envelope)
        answer = radio.receive(wait_ms)
        print("answer", hexlify(answer).decode() if answer is not None else None)
    except RadioError as error:
        print("error", error)
    remembered = radio.close()
    assert len(remembered) <= REMEMBERED
    return remembered


def main(kind, where, wakes, wait_ms="3000", *ways):
    remembered = b""
    for wake in range(int(wakes)):
        if "away" in ways and wake == 1:
            Air.points = Air.points[:1]  # the nearest has been switched off
        radio = radio_of(kind, where, remembered, "wrong" if "wrong" in ways else "key")
        remembered = exchange(radio, bytes((0, wake, 0, 255)), int(wait_ms))
        print("link_dbm", radio.link_dbm)
    print("scans", Air.scans, "joins", [(hexlify(bssid).decode(), address) for bssid, address in Air.joins])


main(*sys.argv[1:])
