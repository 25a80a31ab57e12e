"""What people at the machine see, hear and read: a lamp, a buzzer, a line of text (node.json: alert_*, buzzer_*).

The lamp is on while the alert stands, through sleep as well. The buzzer sounds when it begins, and at so many wakes
after that; never for longer than a second, since the node is awake meanwhile.
"""

import time
from binascii import hexlify

import machine
from micropython import const

_BLINKS = const(10)
_BLINK_MS = const(100)
_BEEPS = const(3)
_BEEP_MS = const(150)
_SOUNDS_MAX = const(10)  # wakes, after the first
_QUANTITIES = {"degC": "T", "percent": "RH", "hPa": "P", "dB": "level"}
_ABOVE = const(2)  # nodes/wire/SPEC.md, "Why"
_BELOW = const(3)
_FEATURE = const(64)
_REASONS = {
    4: "a channel is stuck",
    5: "a channel is saturated",
    6: "samples were lost",
    7: "the sensor does not answer",
    8: "model or learner cannot be had",
    12: "a reading unlike those around it",
    13: "unusual at this time of day",
    14: "an unusual course",
}


def _farthest(limits, samples):
    """(channel, reading, "above" or "below", limit) of the channel that is farthest out."""
    found, most, channels = None, 0, len(limits)
    for channel in range(channels):
        low, high = limits[channel]
        readings = [samples[i] for i in range(channel, len(samples), channels)]
        for reading, side, limit in ((max(readings), "above", high), (min(readings), "below", low)):
            beyond = 0 if limit is None else (reading - limit if side == "above" else limit - reading)
            if beyond > most:
                found, most = (channel, reading, side, limit), beyond
    return found


def reason(why, samples, units, limits):
    """Of a verdict, for people: "T 29.1 degC above 28.0"."""
    found = _farthest(limits, samples) if why in (_ABOVE, _BELOW) and limits else None
    if found:
        channel, reading, side, limit = found
        scale, _, unit = units[channel].partition("/")
        name = _QUANTITIES.get(unit, "channel %d" % channel)
        return "%s %.1f %s %s %.1f" % (name, reading / int(scale), unit, side, limit / int(scale))
    if why >= _FEATURE:
        return "feature %d is not as it was learned" % (why - _FEATURE)
    return _REASONS.get(why, "unusual")


class Alert:
    """The pins and the line that node.json names; any of them may be missing. `on`: as it was before sleep."""

    def __init__(self, settings, on):
        self._settings = settings
        pin = settings.alert_pin
        self._lamp = None if pin is None else machine.Pin(pin, machine.Pin.OUT, value=int(on))
        if self._lamp:
            self._hold(False)

    def show(self, kid, on, why, samples, units):
        """It begins, or is over."""
        if self._lamp:
            self._lamp.value(on)
        if self._settings.alert_uart:
            name = hexlify(kid).decode()
            self._write("ALERT %s %s" % (name, reason(why, samples, units, self._settings.limits)) if on else
                        "CLEAR %s" % name)  # fmt: skip
        if on:
            self._sound()

    def remind(self, wakes):
        """It goes on for so many."""
        if wakes <= _SOUNDS_MAX:
            self._sound()

    def _write(self, text):
        where = self._settings.alert_uart
        pins = {name: where[name] for name in ("tx", "rx") if where.get(name) is not None}
        line = machine.UART(where["id"], where.get("baud", 115200), **pins)
        line.write(text.encode() + b"\r\n")
        if hasattr(line, "flush"):
            line.flush()  # else sleep would cut it short

    def _sound(self):
        pin, hz = self._settings.buzzer_pin, self._settings.buzzer_hz
        if pin is None:
            return
        out = machine.Pin(pin, machine.Pin.OUT, value=0)
        for _ in range(_BEEPS):
            if hz:
                tone = machine.PWM(out, freq=hz, duty_u16=32768)
                time.sleep_ms(_BEEP_MS)
                tone.deinit()
            else:
                out.value(1)
                time.sleep_ms(_BEEP_MS)
                out.value(0)
            time.sleep_ms(_BEEP_MS)

    def blink(self):
        """Here I am."""
        if self._lamp:
            was = self._lamp.value()
            for blink in range(2 * _BLINKS):
                self._lamp.value(int(blink % 2 == 0))
                time.sleep_ms(_BLINK_MS)
            self._lamp.value(was)

    def rest(self):
        """Before sleep: on an ESP32 a pin lets go otherwise."""
        if self._lamp:
            self._hold(True)

    def _hold(self, held):
        try:
            import esp32

            self._lamp.init(hold=held)
            esp32.gpio_deep_sleep_hold(held)
        except (ImportError, AttributeError, TypeError):
            pass  # other chips keep their pins
