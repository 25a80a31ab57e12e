"""What provisioning asks of a board, of whatever kind. One file per kind: micropython_board.py, stm32_board.py.

Such a file has

    def read(file: Path) -> Settings
    def open_board(device: str, baud: int, wait_s: float) -> Board | None

`read` checks the node.json of this kind and raises node_json.NodeJsonInvalid with every fault; the key "board" of a
node.json tells the kinds apart (provisioning.py, `kind_of`). `open_board` opens the port, finds out by an answer
whether a board of this kind is there, and gives None, with the port closed, if nothing answers so within `wait_s`.
What it sends must do no harm to a board of another kind, where it is read by a prompt for people. It raises
BoardFailed if the port cannot be opened, or is somebody else's.

What must hold, because provisioning can end after any byte (host killed, cable pulled, board reset) and is then run
again from its beginning:

- Between `stop` and `start` a board is no node, or still the one that it was, whole; also after a reset.
- A key and the records of its numbers belong together. With `new_key` the old key is gone before its records are
  touched, and the new one counts only once its records are there, at zero or above whatever was used before. So a key
  that is found has the numbers that it was given, and without `new_key` nothing touches either.
- An item is there whole, as it was or as it is to be; or not at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateway.store.keys import NodeKey


class BoardFailed(Exception):  # noqa: N818 - named for what the technician sees
    """The board or its line does not do what was asked: what, and what it said."""


class BoardUnfit(Exception):  # noqa: N818 - nothing has failed
    """What is wanted cannot be on this board: every reason on a line of its own."""


@dataclass(frozen=True, slots=True)
class About:
    """What it is, for people."""

    board: str  # such as "Generic ESP32 module with ESP32"
    firmware: str  # such as "MicroPython 1.25.0"


@dataclass(frozen=True, slots=True)
class Held:
    """The key that a board has."""

    kid: bytes  # 4 bytes
    mark: bytes  # `mark` of it: the secret itself need not leave the board
    counts: bool  # the records of its numbers are there and valid; without them the key is worth nothing


@dataclass(frozen=True, slots=True)
class Software:
    """The program of a MicroPython node: nodes/micropython, and what makes it smaller and faster."""

    files: Path
    native: Path | None = None  # stethos_native.mpy for the board's processor
    mpy_cross: Path | None = None  # MicroPython's cross compiler; without it the files go there as they are


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a board is to be."""

    settings: Any  # what `read` of its kind gave
    key: NodeKey
    new_key: bool  # False: the key on the board is this one already, and stays with its numbers
    model: bytes | None = None  # the model image (nodes/wire/wire.cddl, `model-image`)
    software: Software | None = None  # where the node's program is a part of provisioning


@dataclass(frozen=True, slots=True)
class Item:
    """Something that lies on a board under a name. What `data` is, only the board's file knows."""

    name: str
    data: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of `data`."""
        return hashlib.sha256(self.data).digest()


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the self-test. `passed` None: it could not be tried, and `text` says why."""

    what: str
    passed: bool | None
    text: str = ""


Settled = tuple[Any, list[str]]
"""Settings in which nothing is left unsaid, and what a person is told of what node.json did not say."""


class Board(Protocol):
    """A board at an open port. All methods raise BoardFailed."""

    def about(self) -> About:
        """What it is."""

    def held(self) -> Held | None:
        """The key on it. None: there is none, or it is no whole one."""

    def settled(self, settings: Any, model: bytes | None, software: Software | None) -> Settled:
        """What `read` gave, as recommended (recommended.py) where it says nothing and this board can do it. Changes
        nothing on the board.
        """

    def items(self, wanted: Wanted) -> tuple[Item, ...]:
        """What has to be on it, in the order in which it is to be written; the key, if it is new, comes last, or in
        one piece with what it belongs to. Changes nothing on the board. Raises BoardUnfit.
        """

    def stop(self, *, forget: bool) -> None:
        """No change to come is seen by a node that runs, whatever happens, until `start`. `forget`: the key on it is
        to go as well, and only then the records of its numbers. Durable when it returns.
        """

    def digest(self, name: str) -> bytes | None:
        """SHA-256, of what lies there under this name, as it was read back from where it endures; None: nothing."""

    def write(self, item: Item) -> None:
        """Durable when it returns, and whole or not at all however it ends. A new key: its records first."""

    def tidy(self, items: tuple[Item, ...]) -> None:
        """What an earlier provisioning has left, and what is not among these, goes, where it would be in the way."""

    def self_test(self, wanted: Wanted) -> Iterator[Finding]:
        """Sensor, model, features, numbers, each as soon as it is known. Uses up no number and sends nothing."""

    def start(self) -> None:
        """From here on it is a node, also after a reset; and it starts as one. The last thing that is asked of it."""

    def close(self) -> None:
        """Gives the port back. Never raises."""


def mark(kid: bytes, secret: bytes) -> bytes:
    """Tells keys apart, and tells nothing of them: SHA-256 of id and secret, 32 bytes."""
    return hashlib.sha256(kid + secret).digest()


def not_opened(device: str) -> BoardFailed:
    """Why a serial port could not be opened, which whoever tried says no more of than that."""
    if not Path(device).exists():
        return BoardFailed(f"{device}: there is no such port: is the board plugged in?")
    if not os.access(device, os.R_OK | os.W_OK):
        return BoardFailed(f"{device}: permission denied; on Debian, ports belong to the group dialout")
    return BoardFailed(f"{device}: cannot be opened: does another program have it?")
