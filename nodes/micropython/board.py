"""The board: its clock, its memory that survives sleep, its files, its pins. All that only a board can do is here."""

import os
import time

import machine

_CAUSES = (("PWRON_RESET", 0), ("HARD_RESET", 1), ("SOFT_RESET", 2), ("WDT_RESET", 3), ("BROWN_OUT_RESET", 4))
_UNKNOWN = 5  # nodes/wire/SPEC.md, "Reset cause"
_RESTARTS = "restarts"


class Board:
    firmware = "micropython 0.2.0"
    retained_max = 2048  # what MicroPython's RTC memory has room for on the ESP32

    def __init__(self, settings, folder=""):
        self._folder = folder
        self._rtc = machine.RTC()
        self._slept = machine.reset_cause() == machine.DEEPSLEEP_RESET
        self._settings, self._alert = settings, None
        battery = settings.battery
        self._battery = None if battery is None else (machine.ADC(machine.Pin(battery["pin"])), battery["ratio"])
        if settings.watchdog_ms:
            machine.WDT(timeout=settings.watchdog_ms)  # never fed: a wake that is not over by then is not well
        if not self._slept:
            self.save(_RESTARTS, str(self.restarts() + 1).encode())

    # Time

    def now_ms(self):
        """Goes on through deep sleep; nobody sets it."""
        return time.time_ns() // 1000000

    def restart(self):
        machine.reset()

    def reset_cause(self):
        cause = machine.reset_cause()
        return next((code for name, code in _CAUSES if getattr(machine, name, None) == cause), _UNKNOWN)

    # Memory

    def retained(self):
        return bytes(self._rtc.memory())

    def retain(self, data):
        self._rtc.memory(data)

    def load(self, name):
        """A file, or None."""
        try:
            with open(self._folder + name, "rb") as file:
                return file.read()
        except OSError:
            return None

    def save(self, name, data):
        """True once it is durable."""
        try:
            with open(self._folder + name, "wb") as file:
                file.write(data)
            if hasattr(os, "sync"):
                os.sync()  # where it is not there, closing a file is enough
            return True
        except OSError as error:
            print("not kept:", name, error)
            return False

    def read(self, slot):
        """A record of the ceiling, or None (stethos/ceiling.py)."""
        return self.load("ceiling.%d" % slot)

    def write(self, slot, record):
        return self.save("ceiling.%d" % slot, record)

    def restarts(self):
        """Since the node was provisioned."""
        try:
            return int(self.load(_RESTARTS) or b"0")
        except ValueError:
            return 0

    # Pins

    def battery_mv(self):
        """0 where it cannot be measured."""
        if not self._battery:
            return 0
        adc, ratio = self._battery
        return min(int(adc.read_uv() * ratio) // 1000, 65535)

    def temperature_cdeg(self):
        """Of the chip, where it can tell; None elsewhere."""
        try:
            import esp32

            return int(esp32.mcu_temperature() * 100)
        except (ImportError, AttributeError):
            return None

    def alerts(self, on):
        """Lamp, buzzer and line (alerts.py), as they were before sleep; None: node.json names none."""
        settings = self._settings
        if settings.alert_pin is None and settings.buzzer_pin is None and settings.alert_uart is None:
            return None
        from alerts import Alert

        return Alert(settings, on)
