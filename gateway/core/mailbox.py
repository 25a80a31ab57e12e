"""Mailboxes: what waits for a node until it next listens, and goes when the node has said what became of it.

One letter at a time is sent, the oldest: a node keeps the number of the last one before it acts, so a letter that is
sent again is done once. A newer letter of a kind takes the place of the one before it. A parcel is a letter that offers
an image, of which the node then asks for piece after piece; while its battery is too low for that, what came later goes
before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from gateway.core.ledger import Ledger
from gateway.core.timers import Timers
from gateway.wire.image import Manifest, Reply, Store
from gateway.wire.messages import Birth, Command, Offer, Result

MAX_LETTERS = 16
"""That wait for one node; more are refused. There are hardly more kinds than that."""

MAX_IMAGES_BYTES = 16_777_216
"""Of all images that wait, each counted once, for however many nodes it is."""


class Code(IntEnum):
    """Of a Result."""

    DONE, UNKNOWN_KIND, REFUSED, FAILED, GO_ON = range(5)


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
    """A Command. `id` 0: it has no number yet. `expires_ms`: Unix ms."""

    id: int
    order: Order
    argument: int | None
    expires_ms: int

    @property
    def key(self) -> tuple[bool, int]:
        """Of letters with one key only the newest counts."""
        return False, self.order

    @property
    def message(self) -> Command:
        """As it goes to the node."""
        return Command(self.id, int(self.order), self.argument)


class Parcel(NamedTuple):
    """An Offer. `wanted`: from which byte of the file on the node wants it; None: it has not said."""

    id: int
    image: Manifest
    least_mv: int
    expires_ms: int
    wanted: int | None = None

    @property
    def key(self) -> tuple[bool, int]:
        """Of parcels for one store only the newest counts."""
        return True, self.image.store

    @property
    def message(self) -> Offer:
        """As it goes to the node."""
        image = self.image
        return Offer(self.id, int(image.store), image.size, image.sha256, image.counter, image.signature or None)

    def used_by(self, birth: Birth) -> bool:
        """The node has it already: what it last said of it was lost."""
        match self.image.store:
            case Store.MODEL:
                return birth.model == self.image.sha256[:8]
            case Store.LEARNER:
                return birth.more is not None and birth.more.learner == self.image.sha256[:8]
            case Store.FIRMWARE:
                return birth.more is not None and birth.more.firmware_counter == self.image.counter
        return False

    def after(self, result: Result) -> Parcel | None:
        """What is left of it; None: nothing, it has been taken or refused for good.

        Once it has been taken up, "refused" is of a chunk: the node has been reset, and wants to be offered it again.
        """
        match result.code:
            case Code.GO_ON:
                return self._replace(wanted=min(result.detail or 0, self.image.file_size))
            case Code.REFUSED if self.wanted is not None:
                return self
            case Code.FAILED if result.detail == Reply.UNCONFIRMED:
                return self  # what it was given before is on trial
        return None


@dataclass(slots=True)
class Box:
    """Letters for one node: those that have a number, oldest first, then those that have none.

    `last`: the number of the last that it has taken, or was given; None until it has said so in a Birth: what is known
    from before a restart may be another life's. `battery_mv` is what the node has reported last, under its radio's load
    where it can tell; 0: nothing.
    """

    letters: list[Letter | Parcel] = field(default_factory=list)
    last: int | None = None
    battery_mv: int = 0

    @property
    def due(self) -> Letter | Parcel | None:
        """What is to be sent; None: nothing can be, for now."""
        return next((letter for letter in self.letters if self.sendable(letter)), None)

    def sendable(self, letter: Letter | Parcel) -> bool:
        """Whether its turn can come; else a Birth is wanted first, or a better battery."""
        return self.last is not None and letter.id > 0

    def held(self, letter: Letter | Parcel) -> bool:
        """Whether the battery is too low for it."""
        return isinstance(letter, Parcel) and 0 < self.battery_mv < letter.least_mv

    def arrange(self) -> None:
        """Give numbers to those that have none, and take them from those that the battery holds back: numbers that the
        node is told must rise.
        """
        if self.last is None:
            return
        for at, letter in enumerate(self.letters):
            if self.held(letter):
                self.letters[at] = letter._replace(id=0)
            elif not letter.id:
                self.last += 1
                self.letters[at] = letter._replace(id=self.last)
        self.letters.sort(key=lambda letter: letter.id or 2**32)


class Mailboxes:
    """Of all nodes for which something waits."""

    def __init__(self, ledger: Ledger, timers: Timers) -> None:
        self._ledger = ledger
        self._timers = timers
        self.boxes: dict[str, Box] = {}

    def post(self, node: str, letter: Letter | Parcel, battery_mv: int = 0) -> bool:
        """Put a letter in; False if the box is full. `battery_mv`: what the node has reported last, 0: nothing."""
        box = self.boxes.get(node) or Box(battery_mv=battery_mv)
        others = [other for other in box.letters if other.key != letter.key]
        if len(others) >= MAX_LETTERS:
            self._ledger.count("letter_refused")
            return False
        if len(others) < len(box.letters):
            self._ledger.count("letter_superseded")
        box.letters = [*others, letter]
        box.arrange()
        self.boxes[node] = box
        self._timers.ask(f"mail:{node}", letter.expires_ms)
        return True

    def has_room(self, image: Manifest) -> bool:
        """Whether one more image may wait; counts it if not."""
        others = self.images()
        others[image.sha256] = image.size
        if sum(others.values()) <= MAX_IMAGES_BYTES:
            return True
        self._ledger.count("image_refused")
        return False

    def images(self) -> dict[bytes, int]:
        """Those that wait for anybody: SHA-256 -> bytes."""
        parcels = (letter for box in self.boxes.values() for letter in box.letters if isinstance(letter, Parcel))
        return {parcel.image.sha256: parcel.image.size for parcel in parcels}

    def born(self, node: str, birth: Birth) -> None:
        """The node says which letter was its last: those that wait have the numbers from there on. One that has that
        very number keeps it, since its result is on the way.
        """
        if box := self.boxes.get(node):
            left = [letter for letter in box.letters if not (isinstance(letter, Parcel) and letter.used_by(birth))]
            kept = [letter.id for letter in left if letter.id >= max(birth.last_command, 1)]
            box.letters = [letter if letter.id in kept else letter._replace(id=0) for letter in left]
            box.last = max(birth.last_command, box.last or 0, *kept)
            box.arrange()
            self._leave(node, box.letters)

    def battery(self, node: str, battery_mv: int) -> None:
        """The node has reported its battery."""
        if (box := self.boxes.get(node)) and box.battery_mv != battery_mv:
            box.battery_mv = battery_mv
            box.arrange()

    def answered(self, node: str, result: Result) -> None:
        """The node says what became of a letter."""
        box = self.boxes.get(node)
        if box is None:
            return
        at = next((at for at, letter in enumerate(box.letters) if result.id and letter.id == result.id), None)
        if at is None:
            self._ledger.count("result_not_awaited")
            return
        letter = box.letters[at]
        left = letter.after(result) if isinstance(letter, Parcel) else None
        if left is None and result.code != Code.DONE:
            self._ledger.count("letter_not_taken")
        self._leave(node, [*box.letters[:at], *([left] if left else []), *box.letters[at + 1 :]])

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

    def _leave(self, node: str, letters: list[Letter | Parcel]) -> None:
        if letters:
            self.boxes[node].letters = letters
        else:
            self.drop(node)
