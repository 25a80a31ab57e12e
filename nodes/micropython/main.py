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
import os
import sys
import time
from binascii import unhexlify

import machine
import settings as node_json
from board import Board
from judges import Limits, Model, Nobody
from node import Node
from stethos.ceiling import NoRecordError
# isort: on

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
    made = {name: machine.Pin(value) if name in ("scl", "sda", "sck", "mosi", "miso", "pin") else value
            for name, value in pins.items()}  # fmt: skip
    if kind == "i2c":
        return machine.I2C(made.pop("id"), **made)
    if kind == "spi":
        return machine.SPI(made.pop("id"), **made)
    if kind == "one_wire":
        from onewire import OneWire

        return OneWire(made["pin"])
    if kind == "adc":
        return machine.ADC(made["pin"])
    raise ValueError("node.json: sensor.bus.kind: %s is no bus" % kind)


def make_sensor(chip, bus, **options):
    module = __import__("sensors." + chip, None, None, ("Sensor",))
    if "cs" in options:
        options["cs"] = machine.Pin(options["cs"], machine.Pin.OUT)
    return module.Sensor(make_bus(**bus), **options)


def make_radio(kid, kind, **options):
    module = __import__("radios." + kind, None, None, ("Radio",))
    if kind == "uart":
        return lambda remembered: module.Radio(machine.UART(options["id"], options["baud"]))
    if kind == "wifi_mqtt":
        options["kid"] = kid
    return lambda remembered: module.Radio(remembered=remembered, **options)


def make_node():
    settings = node_json.read()
    kid, secret = identity()
    sensor = make_sensor(**settings.sensor)
    return Node(
        settings, kid, secret, Board(settings), sensor, make_radio(kid, **settings.radio), make_judge(settings, sensor)
    )


def make_judge(settings, sensor):
    if settings.model:
        return Model(settings.model, settings.feature_set, settings.samples, sensor.channels)
    return Limits(settings.limits) if settings.limits else Nobody()


def crashes():
    try:
        with open(_CRASHES) as file:
            return int(file.read() or "0")
    except (OSError, ValueError):
        return 0


def count_crash(n):
    with open(_CRASHES, "w") as file:
        file.write(str(n))


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
    failed = crashes() + (machine.reset_cause() == machine.WDT_RESET)
    if failed >= _MANY:
        return safe_mode(rest)
    try:
        node = make_node()
        sleep_ms = node.step()
        if failed:
            os.remove(_CRASHES)
    except NoRecordError:
        print("no valid record of numbers: this node needs a new key (stethos node provision)")
        sleep_ms = _SAFE_AGAIN_MS
    except Exception as error:  # noqa: BLE001 (whatever it is, the node tries again)
        sys.print_exception(error)
        with open(_CRASHED, "w") as file:
            sys.print_exception(error, file)
        count_crash(failed + 1)
        sleep_ms = _AGAIN_MS
    return machine.deepsleep(max(sleep_ms, 1))


if __name__ == "__main__":
    main()
