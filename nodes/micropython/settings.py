"""node.json: what this node is, as one file. The workstation checks it and settles what it does not say before it is
copied (`stethos node provision`): that is required here.
"""

import json

_REQUIRED = "hardware", "sensor", "radio", "feature_set", "learn", "window_every"
_DEFAULTS = {
    "wake_ms": 10000,
    "heartbeat_ms": 900000,
    "listen_ms": 400,
    "samples": 128,
    "rate_millihz": 200000,
    "flag_repeat": 6,
    "limits": None,
    "model": None,
    "alert_pin": None,
    "alert_after": 2,
    "clear_after": 0,
    "alert_on_fault": False,
    "alert_uart": None,
    "buzzer_pin": None,
    "buzzer_hz": 0,
    "battery": None,
    "radio_min_mv": 0,
    "current_na": [10000, 500000, 20000000, 120000000],
    "watchdog_ms": 60000,
}


class Settings:
    """An attribute for each key. ValueError names what is wrong."""

    def __init__(self, values):
        for key in _REQUIRED:
            if key not in values:
                raise ValueError("node.json: %s is missing" % key)
        for key in values:
            if key not in _REQUIRED and key not in _DEFAULTS:
                raise ValueError("node.json: %s is no key" % key)
        for key, value in _DEFAULTS.items():
            setattr(self, key, values.get(key, value))
        for key in _REQUIRED:
            setattr(self, key, values[key])


def read(path="node.json"):
    with open(path) as file:
        return Settings(json.load(file))
