"""Mailboxes: what waits for a node until it next listens, and goes when the node has said what became of it.

One letter at a time is sent, the oldest: a node keeps the number of the last one before it acts, so a letter that is
sent again is done once. A newer letter of a kind takes the place of the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from gateway.core.ledger import Ledger
from gateway.core.timers import Timers
from gateway.wire.messages import Command, Result

MAX_LETTERS = 16
"""That wait for one node; more are refused. There are fewer kinds than that."""


class Order(IntEnum):
    """What a node can be told: `kind` of a Command (nodes/wire/SPEC.md, "Commands")."""

    IDENTIFY = 1
    BIRTH = 2
    HEARTBEAT = 3
    WAKE = 4
    LEARN = 5
    FREEZE = 6
    THAW = 7
    ROLL_BACK = 8
    SENSITIVITY = 9
    COLLECT = 10
    ACKNOWLEDGE = 11
    SEND_LEARNER = 12
    STORAGE = 13
    RESTART = 14


TAKES_ARGUMENT = {Order.HEARTBEAT, Order.WAKE, Order.LEARN, Order.SENSITIVITY, Order.COLLECT}


class Letter(NamedTuple):
    """`id` 0: it has no number yet. `expires_ms`: Unix ms."""

    id: int
    order: Order
    argument: int | None
    expires_ms: int

    @property
    def command(self) -> Command:
        """As it goes to the node."""
        return Command(self.id, int(self.order), self.argument)


@dataclass(slots=True)
class Box:
    """Letters for one node, oldest first. `last`: the number of the last that it has taken, or was given; None until it
    has said so in a Birth: what is known from before a restart may be another life's.
    """

    letters: list[Letter] = field(default_factory=list)
    last: int | None = None

    @property
    def due(self) -> Letter | None:
        """What is to be sent; None: a Birth is wanted first."""
        return None if self.last is None else self.letters[0]

    def number(self) -> int:
        """Of the next letter."""
        if self.last is None:
            return 0
        self.last += 1
        return self.last


class Mailboxes:
    """Of all nodes for which something waits."""

    def __init__(self, ledger: Ledger, timers: Timers) -> None:
        self._ledger = ledger
        self._timers = timers
        self.boxes: dict[str, Box] = {}

    def post(self, node: str, order: Order, argument: int | None, expires_ms: int) -> bool:
        """Put a letter in; False if the box is full."""
        box = self.boxes.get(node) or Box()
        others = [letter for letter in box.letters if letter.order is not order]
        if len(others) >= MAX_LETTERS:
            self._ledger.count("letter_refused")
            return False
        if len(others) < len(box.letters):
            self._ledger.count("letter_superseded")
        box.letters = [*others, Letter(box.number(), order, argument, expires_ms)]
        self.boxes[node] = box
        self._timers.ask(f"mail:{node}", expires_ms)
        return True

    def born(self, node: str, last_command: int) -> None:
        """The node says which letter was its last: those that wait have the numbers from there on. One that has that
        very number keeps it, since its result is on the way.
        """
        if box := self.boxes.get(node):
            last, box.last = box.last or 0, last_command
            kept = [letter for letter in box.letters if letter.id >= max(last_command, 1)]
            box.last = max(last_command, last, *(letter.id for letter in kept), 0)
            box.letters = [
                letter if letter in kept else letter._replace(id=box.number()) for letter in box.letters
            ]  # fmt: skip

    def answered(self, node: str, result: Result) -> None:
        """The node says what became of a letter."""
        if box := self.boxes.get(node):
            left = [letter for letter in box.letters if letter.id != result.id]
            if len(left) == len(box.letters):
                self._ledger.count("result_not_awaited")
            self._leave(node, left)

    def expire(self, node: str, now_ms: int) -> None:
        """Let go of what has waited too long."""
        if box := self.boxes.get(node):
            left = [letter for letter in box.letters if letter.expires_ms > now_ms]
            for _ in range(len(box.letters) - len(left)):
                self._ledger.count("letter_expired")
            self._leave(node, left)
            if left:
                self._timers.ask(f"mail:{node}", min(letter.expires_ms for letter in left))

    def drop(self, node: str) -> None:
        """The node is no longer part of the plant."""
        self.boxes.pop(node, None)

    def restarted(self) -> None:
        """The gateway may have been restored: what it knows of the nodes' numbers may be long ago."""
        for box in self.boxes.values():
            box.last = None

    def _leave(self, node: str, letters: list[Letter]) -> None:
        if letters:
            self.boxes[node].letters = letters
        else:
            self.drop(node)
