"""What a board is asked before it becomes a node, over its prompt (gateway/provision/micropython_board.py). This file
lies on no board; what it tests does, main.py still under another name.

Prints a line of JSON for each finding: [what, passed, text], `passed` null where there is nothing to be tried.
"""

import json
import struct
from binascii import crc32

# CRC-32 of what the gateway makes of the same: features of `window` by their set, as 32-bit integers; an envelope.
_KNOWN = {1: 0x948EB7A6, 2: 0x50DB68D8, 3: 0xF6151D2F, 5: 0x613CF06B}
_SEALED = 0xD9F55DED
_SAMPLES, _CHANNELS = 64, 3


def window():
    """Noise that is the same everywhere."""
    from array import array

    x, out = 1, array("h", bytes(2 * _SAMPLES * _CHANNELS))
    for i in range(len(out)):
        x = x * 1103515245 + 12345 & 0x7FFFFFFF
        out[i] = (x >> 12 & 0x3FFF) - 0x2000
    return out


def native_module(main):
    native = main["native"]
    if native.why and not native.why.startswith("there is no"):
        return False, native.why
    return True, "there is none, and all is Python" if native.why else ""


def features(main):
    from stethos import feature_set

    set_ = main["settings"].feature_set
    found = feature_set.compute(set_, window(), _SAMPLES, _CHANNELS)
    return crc32(struct.pack("<%di" % len(found), *found)) == _KNOWN[set_], "feature set %d" % set_


def envelope(main):
    from stethos.envelope import seal_up
    from stethos.keys import Keys

    return crc32(seal_up(Keys(bytes(4), bytes(16)), 0, b"self-test")) == _SEALED, ""  # a key that nobody has


def numbers(main):
    from stethos.ceiling import Ceiling, NoRecordError

    try:
        ceiling = Ceiling(main["board"])
    except NoRecordError:
        return False, "there is no valid record of them"
    return True, "from %d" % ceiling.next_partial_iv


def sensor(main):
    main["sensor"] = it = main["make_sensor"](**main["settings"].sensor)
    it.check()
    return True, main["settings"].sensor["chip"] + " answers"


def sensor_itself(main):
    if "sensor" not in main:
        return None, "it does not answer"
    return (True, "") if main["sensor"].self_test() else (None, "this chip has none")


def model(main):
    settings = main["settings"]
    if not settings.model:
        return None, "there is none"
    from models import Model

    found = Model(settings.model, settings.feature_set, settings.samples, main["sensor"].channels)
    return not found.fault, "generation %d" % found.generation


def learner(main):
    settings = main["settings"]
    if not settings.learn:
        return None, "there is none"
    from learning import Learner

    found = Learner(settings.learn, settings.feature_set, main["sensor"].channels, main["board"])
    return not found.fault, "%d windows" % settings.learn["windows"]


_TESTS = (
    ("native module", native_module), ("features", features), ("envelope", envelope), ("numbers", numbers),
    ("sensor", sensor), ("sensor's own self-test", sensor_itself), ("model", model),
    ("learner", learner),
)  # fmt: skip


def main(path):
    """`path`: main.py. What `main` is handed on to the tests are its names."""
    names = {"__name__": "self_test"}
    with open(path) as file:
        exec(file.read(), names)
    names["settings"] = settings = names["node_json"].read()
    settings.watchdog_ms = 0
    names["board"] = names["Board"](settings)
    for what, test in _TESTS:
        try:
            passed, text = test(names)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the finding)
            passed, text = False, "%s: %s" % (type(error).__name__, error)
        print(json.dumps([what, passed, text]))
