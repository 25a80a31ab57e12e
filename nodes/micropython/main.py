"""The node's life: one wake, then deep sleep, which begins here again.

What is where: node.json what this node is (settings.py), key.json who it is, node.py a wake, talk.py what it says and
hears, kept.py what survives sleep, board.py the board, judges.py who judges, sensors/ and radios/ one a file, stethos/
what all nodes are made of.
"""

# isort: off
import gc

gc.threshold(4096)  # without it not even the imports fit into 64 KB

from stethos import native  # first: what is there in C takes the place of what is Python

import json
import sys
import time
from binascii import unhexlify

import machine
import settings as node_json
from board import Board
import judges
from node import Node
from stethos.ceiling import NoRecordError
# isort: on

_NUMBERS = "id", "freq", "baudrate", "polarity", "phase"  # of a bus; all else are pins
_CRASHES = "crashes"
_CRASHED = "crash.txt"
_MANY = 3  # wakes in a row that did not come to their end
_AGAIN_MS = 60_000
_SAFE_S = 600  # awake for whoever comes with a cable
_SAFE_AGAIN_MS = 3_600_000


def identity(path="key.json"):
    """(id, secret). Never copied from one node to another."""
    with open(path) as file:
        key = json.load(file)
    return unhexlify(key["id"]), unhexlify(key["secret"])


def make_bus(kind, **pins):
    """A bus of `machine`, by what node.json says of it; pins by their numbers."""
    made = {name: value if name in _NUMBERS else machine.Pin(value) for name, value in pins.items()}
    if kind == "i2c":
        return machine.I2C(made.pop("id"), **made)
    if kind == "spi":
        return machine.SPI(made.pop("id"), **made)
    if kind == "one_wire":
        from onewire import OneWire

        return OneWire(made["pin"])
    if kind == "adc":
        return machine.ADC(made["pin"])
    if kind == "i2s":  # made anew for each window: sensors/i2s_microphone.py
        id_, made["mode"], made["format"] = made.pop("id"), machine.I2S.RX, machine.I2S.MONO
        return lambda **how: machine.I2S(id_, **made, **how)
    raise ValueError("node.json: sensor.bus.kind: %s is no bus" % kind)


def make_sensor(chip, bus, **options):
    module = __import__("sensors." + chip, None, None, ("Sensor",))
    if "cs" in options:
        options["cs"] = machine.Pin(options["cs"], machine.Pin.OUT)
    if "rom" in options:
        options["rom"] = unhexlify(options["rom"])
    return module.Sensor(make_bus(**bus), **options)


def make_radio(kid, kind, **options):
    """What makes it, when there is something to send."""

    def make(remembered):
        module = __import__("radios." + kind, None, None, ("Radio",))
        if kind == "uart":
            pins = {name: options[name] for name in ("tx", "rx") if name in options}
            return module.Radio(machine.UART(options["id"], options.get("baud", 115200), **pins))
        if kind == "wifi_mqtt":
            options["kid"] = kid
        return module.Radio(remembered=remembered, **options)

    return make


def make_node():
    settings = node_json.read()
    kid, secret = identity()
    sensor, board = make_sensor(**settings.sensor), Board(settings)
    judge = judges.make(settings, sensor.channels, board)
    return Node(settings, kid, secret, board, sensor, make_radio(kid, **settings.radio), judge)


def crashes():
    try:
        with open(_CRASHES) as file:
            return int(file.read() or "0")
    except (OSError, ValueError):
        return 0


def count_crash(n, error=None):
    """A file system that is full, or broken, must not keep the node from its sleep."""
    try:
        with open(_CRASHES, "w") as file:
            file.write(str(n))
        if error:
            with open(_CRASHED, "w") as file:
                sys.print_exception(error, file)
    except OSError as refused:
        print("not kept:", _CRASHES, refused)


def safe_mode(rest):
    """Awake for a while, for whoever comes with a cable: Ctrl-C gives the prompt. Then an hour of sleep, and one more
    attempt.
    """
    print("safe mode: %d wakes in a row have failed; %s says how the last did" % (crashes(), _CRASHED))
    rest(_SAFE_S)
    count_crash(_MANY - 1)
    machine.deepsleep(_SAFE_AGAIN_MS)


def main(rest=time.sleep):
    if native.why and not native.why.startswith("there is no"):
        print(native.why)  # a file is there, for another board
    failed = crashes()
    if machine.reset_cause() == machine.WDT_RESET:
        failed += 1
        count_crash(failed, RuntimeError("the watchdog has ended a wake"))
    if failed >= _MANY:
        return safe_mode(rest)
    try:
        node = make_node()
        sleep_ms = node.step()
        if failed:
            count_crash(0)
    except NoRecordError:
        print("no valid record of numbers: this node needs a new key (stethos node provision)")
        sleep_ms = _SAFE_AGAIN_MS
    except Exception as error:  # noqa: BLE001 (whatever it is, the node tries again)
        sys.print_exception(error)
        count_crash(failed + 1, error)
        sleep_ms = _AGAIN_MS
    return machine.deepsleep(max(sleep_ms, 1))


if __name__ == "__main__":
    main()
