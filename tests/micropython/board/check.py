"""What the scripts here share. They run in MicroPython as they do in CPython, from the folder nodes/wire."""

import json
import sys

_wrong = []
_seen = [0]


def load(name):
    with open(name + ".json") as file:
        return json.load(file)


def equal(found, wanted, what):
    _seen[0] += 1
    if found != wanted:
        _wrong.append(what)
        print("WRONG", what, "\n found ", found, "\n wanted", wanted)


def refuses(what, action, *arguments):
    try:
        found = action(*arguments)
    except ValueError:
        found = "refused"
    equal(found, "refused", what)


def done():
    print(sys.implementation.name, _seen[0], "cases,", len(_wrong), "wrong")
    sys.exit(1 if _wrong else 0)
