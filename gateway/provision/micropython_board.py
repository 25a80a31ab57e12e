"""A board with MicroPython (boards.py). Its items are files, by their paths on the board.

A file is written beside its place, read back there and then renamed, which is one step in the file systems that boards
have (littlefs; in FAT the old one is gone for a moment, which this order allows for as well). main.py is what makes a
board a node: `stop` takes it away first, and `start` gives it its name last.

The key is key.json, and the records of its numbers are written by the node's own code, at zero, before key.json has its
name. Where key.json is, the records are those of this key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.provision import node_files, node_json
from gateway.provision.boards import About, BoardFailed, BoardUnfit, Finding, Held, Item, Settled, Software, Wanted
from gateway.provision.mpy import Abi
from gateway.provision.node_json import NodeJson
from gateway.provision.repl import Repl

KEY, SETTINGS = "key.json", "node.json"
_NEW = ".new"
_MAIN_LATER = node_files.MAIN + _NEW
_SELF_TEST_S = 120.0
_RESTART_S = 20.0
_FOLDERS = "lib/stethos", "sensors", "radios"
_COUNTED = "restarts", "crashes", "crash.txt"  # nodes/micropython: board.py, main.py
_RECORDS = "ceiling.0", "ceiling.1"
_LEARNER = b"no learner in that state"  # of native/learners.c; the names in a .mpy file are the same without it
_LEARNED = "learner.0", "learner.1"  # of another place than a new key's

# What is asked of the board, in its own language. Names begin with p_, among whatever else there is.
_SCRIPT = """
import os
from binascii import crc32, hexlify, unhexlify
from hashlib import sha256
def p_sync():
    if hasattr(os, "sync"): os.sync()
def p_gone(*names):
    for name in names:
        try: os.remove(name)
        except OSError as error:
            if error.errno != 2: raise
    p_sync()
def p_digest(name):
    digest, part = sha256(), bytearray(512)
    try: file = open(name, "rb")
    except OSError: return None
    with file:
        while True:
            n = file.readinto(part)
            if not n: return hexlify(digest.digest())
            digest.update(memoryview(part)[:n])
def p_folders(path):
    at = path.find("/")
    while at > 0:
        try: os.mkdir(path[:at])
        except OSError as error:
            if error.errno != 17: raise
        at = path.find("/", at + 1)
def p_names(folder):
    try: return [entry[0] for entry in os.ilistdir(folder or ".") if entry[1] != 0x4000]
    except OSError: return []
def p_counts(name):
    try:
        with open(name, "rb") as file: data = file.read()
    except OSError: return False
    return len(data) > 4 and crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
def p_held():
    import json
    try:
        with open("key.json") as file: key = json.load(file)
        id, secret = unhexlify(key["id"]), unhexlify(key["secret"])
    except (OSError, ValueError, KeyError, TypeError): return None
    if (len(id), len(secret)) != (4, 16): return None
    return id, sha256(id + secret).digest(), p_counts("ceiling.0") or p_counts("ceiling.1")
def p_provision():
    import settings, board
    from stethos import ceiling
    now = settings.read()
    now.watchdog_ms, now.alert_pin, now.battery = 0, None, None
    p_gone("ceiling.0", "ceiling.1")
    if not ceiling.provision(board.Board(now)): raise OSError(28)
"""


def read(file: Path) -> NodeJson:
    """The checked settings. Raises NodeJsonInvalid."""
    return node_json.read(file)


def open_board(device: str, baud: int, wait_s: float) -> MicroPythonBoard | None:
    """None if there is no MicroPython within `wait_s`. Raises BoardFailed."""
    repl = Repl.open(device, baud, wait_s)
    return None if repl is None else MicroPythonBoard(repl, baud)


class MicroPythonBoard:
    """A board at its raw REPL."""

    def __init__(self, repl: Repl, baud: int) -> None:
        self._repl = repl
        self._baud = baud
        self._repl.run(_SCRIPT)

    def about(self) -> About:
        """What its firmware says it is."""
        self._repl.run("import sys")
        version, machine = self._repl.value("(tuple(sys.implementation.version[:3]), sys.implementation._machine)")
        return About(machine, "MicroPython " + ".".join(map(str, version)))

    def held(self) -> Held | None:
        """The key that key.json has."""
        found = self._repl.value("p_held()")
        return None if found is None else Held(*found)

    def settled(self, settings: NodeJson, model: bytes | None, software: Software | None) -> Settled:
        """Without a native module that has it nothing learns."""
        assert software is not None
        return node_json.settled(settings, self._without_learner(software))

    def items(self, wanted: Wanted) -> tuple[Item, ...]:
        """main.py under the name that it has until `start`; the key, if it is new, last."""
        software, settings = wanted.software, wanted.settings
        assert software is not None
        files = [*node_files.items(software, settings.sensor.chip, settings.radio.kind)]
        self._check(software, files, needs_native=bool(node_json.native(settings)))
        found = [Item(_MAIN_LATER if item.name == node_files.MAIN else item.name, item.data) for item in files]
        if wanted.model is not None:
            found.append(Item(settings.model, wanted.model))
        found.append(Item(SETTINGS, node_json.compact(settings).encode()))
        if wanted.new_key:
            key = {"id": wanted.key.kid.hex(), "secret": wanted.key.secret.hex()}
            found.append(Item(KEY, json.dumps(key).encode()))
        return tuple(found)

    def stop(self, *, forget: bool) -> None:
        """Without its main.py a board waits at its prompt. A watchdog that main.py has started only a reset ends."""
        was_node = self.digest(node_files.MAIN) is not None
        self._gone(node_files.MAIN)
        if forget:
            self._gone(KEY, KEY + _NEW)
            self._gone(*_RECORDS, *_LEARNED)
        if was_node:
            self._reset()
            self._repl = _again(self._repl.device, self._baud)
            self._repl.run(_SCRIPT)

    def digest(self, name: str) -> bytes | None:
        """Of the file."""
        found = self._repl.value(f"p_digest({name!r})")
        return None if found is None else bytes.fromhex(found.decode())

    def write(self, item: Item) -> None:
        """Beside its place, read back, renamed."""
        part = item.name + _NEW
        self._repl.run(f"p_folders({item.name!r})")
        self._repl.write_file(part, item.data)
        self._repl.run("p_sync()")
        if self.digest(part) != item.digest:
            raise BoardFailed(f"{self._repl.device}: {part}: is not what was written: is the board's flash worn?")
        if item.name == KEY:
            self._repl.run("p_provision()")
        self._repl.run(f"os.rename({part!r}, {item.name!r})\np_sync()")

    def tidy(self, items: tuple[Item, ...]) -> None:
        """Parts of files, and files of the node's under another ending, which MicroPython would take before these."""
        kept = {item.name for item in items}
        ours = {name.partition(".")[0] for name in kept if "/" not in name}
        for folder in ("", *_FOLDERS):
            for name in self._repl.value(f"p_names({folder!r})"):
                path = f"{folder}/{name}" if folder else name
                stem, _, ending = name.partition(".")
                old = bool(folder) or (ending in ("py", "mpy") and stem in ours) or name == node_files.NATIVE
                if path not in kept and (old or name.endswith(_NEW)):
                    self._gone(path)

    def self_test(self, wanted: Wanted) -> Iterator[Finding]:
        """Runs nodes/micropython/self_test.py, with main.py under the name that it has until now."""
        assert wanted.software is not None
        script = (wanted.software.files / node_files.SELF_TEST).read_text(encoding="utf-8")
        said = self._repl.run(f"{script}\nmain({_MAIN_LATER!r})\n", quiet_s=_SELF_TEST_S)
        for line in said.splitlines():
            try:
                what, passed, text = json.loads(line)
            except ValueError:
                continue  # what the node's own code has printed
            yield Finding(what, passed, text)

    def start(self) -> None:
        """A node from the renaming on."""
        self._gone(*_COUNTED)
        self._repl.run(f"os.rename({_MAIN_LATER!r}, {node_files.MAIN!r})\np_sync()")
        self._reset()

    def close(self) -> None:
        """Gives the port back."""
        self._repl.close()

    def _check(self, software: Software, files: list[Item], *, needs_native: bool) -> None:
        faults = []
        takes = self._repl.value("getattr(__import__('sys').implementation, '_mpy', None)")
        for item in files:
            if item.name.endswith(".mpy"):
                abi = Abi.of(int.from_bytes(item.data[1:3], "little"))
                if takes is None or not Abi.of(takes).takes(abi):
                    source = software.native if item.name == node_files.NATIVE else software.mpy_cross
                    there = "none" if takes is None else Abi.of(takes)
                    faults.append(f"{source}: is for .mpy {abi}; this board takes {there}")
        if needs_native and software.native is None and not self._has_native():
            faults.append("model and learner are in C only: give the native module for this board with --native")
        if faults:
            raise BoardUnfit("\n".join(dict.fromkeys(faults)))

    def _without_learner(self, software: Software) -> str:
        """Why the learner cannot be had; "" if it can."""
        if software.native is not None:
            return "" if _LEARNER in software.native.read_bytes() else f"{software.native} was made without the learner"
        if self._has_native():
            return "" if self._has_native("learner") else "its firmware's native module was made without the learner"
        return "the learner is in C only, and there is no native module for this board (--native)"

    def _has_native(self, part: str = "__name__") -> bool:
        """Whether its firmware has the module within, and that part of it, whatever file may lie there."""
        return "yes" in self._repl.run(
            "try:\n import stethos_native as p_n\n"
            f" print('yes' if not hasattr(p_n, '__file__') and hasattr(p_n, {part!r}) else 'no')\n"
            "except (ImportError, ValueError):\n print('no')\n"
        )

    def _gone(self, *names: str) -> None:
        self._repl.run(f"p_gone(*{names!r})")

    def _reset(self) -> None:
        self._repl.run_and_leave("import machine\nmachine.reset()\n")


def _again(device: str, baud: int) -> Repl:
    """The board after a reset; one with USB of its own has lost its port for a while."""
    until = time.monotonic() + _RESTART_S
    while True:
        try:
            if found := Repl.open(device, baud, until - time.monotonic()):
                return found
        except BoardFailed:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
            continue
        raise BoardFailed(f"{device}: the board does not come back from a reset")
