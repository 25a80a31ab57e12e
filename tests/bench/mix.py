"""Mix M: of all reports 90 % Health, 8 % Flag with Window, 2 % Flag without, each of which changes an alarm's state.

Every fifty reports are one block: 45 Health, from all nodes in turn; one bare Flag for the block's asset; four Flags
with Windows, one of them for the next block's asset. So each asset in its turn gets, from its first node, a Window
that the gateway's model confirms and three that it refutes, and then from its second node the Flag that is the k-th of
k = 2: the anomaly is raised. Its window being over, and its nodes having said "normal" again, the anomaly returns
before the asset's next turn. The very first block has none before it: there one of its own Windows is confirmed, so
that its Flag raises, too. On a plant too small for that (`incidents` False) all Windows are refuted, and the bare
Flag is a sensor fault, whose alarm the node's next Health returns.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from gateway import detectors
from gateway.detectors.bundle import ANY, load
from gateway.wire.messages import Birth, EnergyUc, Features, Flag, Health, UpMessage, encode
from tests.bench.plant import BUNDLE, MODELS, BenchPlant

BLOCK = 50
WINDOWS_AT = (2, 12, 22, 32)
FLAG_AT = 42
VARIANTS = 256
NORMAL_CODE, ANOMALOUS_CODE = 100, 160
EVIDENCE, STUCK = 1, 4  # `why` codes of SPEC.md
HEARTBEAT_MS = 4 * 3_600_000  # longer than any bench: no node is missed


@dataclass(frozen=True, slots=True)
class Template:
    """The payload of one kind of report but for its number: `head` + CBOR of seq + `tail`."""

    head: bytes
    tail: bytes
    raises: bool = False

    def payload(self, seq: int) -> bytes:
        """The plaintext of a message of this number, 0 to 65535."""
        return self.head + cbor_uint(seq) + self.tail


def cbor_uint(number: int) -> bytes:
    """Head of an unsigned integer below 65536 in preferred serialisation."""
    if number < 24:
        return bytes([number])
    return bytes([0x18, number]) if number < 256 else b"\x19" + number.to_bytes(2, "big")


def template(message: UpMessage, *, raises: bool = False) -> Template:
    """Of a message numbered 0, whose head is one byte."""
    data = encode(message)
    assert data[2] == message.seq == 0
    return Template(data[:2], data[3:], raises)


def births() -> Template:
    """What every node says first; the whole number is 0 as well."""
    return template(Birth(0, 0, 1, 0, 0, 0, "bench", "1", 1, 3, 0, None, 1000, HEARTBEAT_MS, 0, 0, 0))


class Mix:
    """An endless sequence of (node, template)."""

    def __init__(self, plant: BenchPlant, *, incidents: bool = True, seed: int = 1) -> None:
        dice = random.Random(seed)
        normal, faulty = windows(dice)
        self._plant = plant
        self._incidents = incidents
        self._healths = [template(_health(dice)) for _ in range(VARIANTS)]
        self._refuted = [template(_flag(values)) for values in normal]
        self._confirmed = [template(_flag(values)) for values in faulty]
        why = EVIDENCE if incidents else STUCK
        self._bare = template(_flag(())._replace(why=why, features=None), raises=True)
        self._said = 0
        self._reports = self._endless()
        self.flags = 0  # bare ones so far

    def __iter__(self) -> Iterator[tuple[int, Template]]:
        """One and the same, however often it is asked for: it goes on where it was left."""
        return self._reports

    def _endless(self) -> Iterator[tuple[int, Template]]:
        first, *others = WINDOWS_AT
        for block in count():
            special = {at: self._window(block, confirmed=False) for at in others}
            if not block:
                special[others[0]] = self._window(block, confirmed=self._incidents)
            special[first] = self._window(block + 1, confirmed=self._incidents)
            for at in range(BLOCK):
                if at == FLAG_AT:
                    self.flags += 1
                    yield self._flagger(block), self._bare
                else:
                    yield special.get(at) or self._health()

    def _health(self) -> tuple[int, Template]:
        self._said += 1
        return self._said % self._plant.nodes, self._healths[self._said * 7 % VARIANTS]

    def _window(self, turn: int, *, confirmed: bool) -> tuple[int, Template]:
        first = self._plant.members(turn % self._plant.assets)[0]
        return first, (self._confirmed if confirmed else self._refuted)[turn % VARIANTS]

    def _flagger(self, turn: int) -> int:
        members = self._plant.members(turn % self._plant.assets)
        return members[1 if self._incidents else 1 + turn // self._plant.assets % (len(members) - 1)]


def windows(dice: random.Random) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Feature vectors that the bundle calls normal, and such that it calls anomalous: made from its own scaling, and
    tried on its model. ValueError if that does not work.
    """
    bundle = load(MODELS / BUNDLE, ANY)
    scaling = bundle.manifest.scaling
    normal = [tuple(o + dice.randint(-2, 2) for o, _, _ in scaling) for _ in range(VARIANTS)]
    # One unit of the standardised feature is 2**shift / multiplier of the raw one, times the scale of the input.
    spread = [max(1, (1 << shift) // max(multiplier, 1)) for _, multiplier, shift in scaling]
    faulty = [
        tuple(
            o + 60 * s * (1 if i % 2 else -1) + dice.randint(0, s)
            for i, ((o, _, _), s) in enumerate(zip(scaling, spread, strict=True))
        )
        for _ in range(VARIANTS)
    ]
    scores = detectors.detector(bundle).score([*normal, *faulty])
    threshold = bundle.manifest.threshold
    if max(scores[:VARIANTS]) > threshold or min(scores[VARIANTS:]) <= threshold:
        raise ValueError(f"{BUNDLE} does not tell the bench's windows apart")
    return normal, faulty


def _health(dice: random.Random) -> Health:
    return Health(
        0, 0, NORMAL_CODE - dice.randint(0, 20), 0, dice.randint(3500, 3600), dice.randint(2000, 3000),
        -dice.randint(50, 80), dice.randint(10_000, 1_000_000), dice.randint(1000, 100_000), dice.randint(0, 99),
        0, 0, 0, EnergyUc(*(dice.randint(10_000, 1_000_000) for _ in range(4))),
    )  # fmt: skip


def _flag(values: tuple[int, ...]) -> Flag:
    return Flag(0, 0, ANOMALOUS_CODE, EVIDENCE, 0, Features(1, values) if values else None)
