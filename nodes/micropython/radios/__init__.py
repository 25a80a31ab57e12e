"""Radios: one a file, each with a class `Radio`.

    from radios.wifi_udp import Radio

    radio = Radio("works", "secret", "192.168.1.10:9750", remembered)
    radio.open()  # or RadioError
    radio.send(envelope)
    answer = radio.receive(400)
    remembered = radio.close()

What a `Radio` has:

- `open()`: ready to send, within `limit_ms`. It tries twice at most, and then leaves the rest of the wake alone.
- `send(envelope)`: one envelope on its way. Whether it arrives only an Ack says.
- `receive(wait_ms)`: the next envelope from the gateway, or None when the time is over.
- `close()`: takes no current any more. Returns what the next wake should hand in as `remembered`: bytes, at most
  `REMEMBERED` of them, to be kept where sleep does not reach, and worth nothing to anybody else.
- `link_dbm`: how strong the other side was when last asked, or None where nobody can tell.

Time comes from `clock`, as the sensors' (sensors/__init__.py). A new radio is a new file.
"""

REMEMBERED = 32


class RadioError(Exception):
    """Nothing can be sent in this wake: what has to be said waits for the next."""
