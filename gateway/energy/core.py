"""Instructions, and what follows from them: what a network, a learner and features cost a processor.

The table (cores/*.toml) is written by `make bench-models GROUPS=cores` from runs in QEMU, which counts instructions and
no cycles. A network's cost is a formula fitted to several shapes, with its worst error beside it:

    instructions = once + Σ over layers (layer + rows · row + multiplications · mac)
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from gateway.energy.table import HERE, EnergyUnknown, names

FOLDER = "cores"
WINDOW = 128 * 6
"""Samples times channels of the window that features were counted on."""


@dataclass(frozen=True, slots=True)
class Core:
    """A processor's table. `board`: of gateway/energy/boards, "" for none, and `no_board` says why: then its energy is
    not known. Features are by the name of their set, for windows of WINDOW values; `flash` is in bytes, by part.
    """

    name: str
    title: str
    board: str
    no_board: str
    mhz: float
    cycles_per_instruction: float
    assumed: str
    measured: str
    network: Mapping[str, float]
    learner: Mapping[str, float]
    features: Mapping[str, float]
    flash: Mapping[str, int]

    @classmethod
    def load(cls, name: str) -> Self:
        """Raises EnergyUnknown if it is not in the table."""
        if name not in names(FOLDER):
            raise EnergyUnknown(f"{name!r} is not in the table; {FOLDER}: {', '.join(names(FOLDER))}")
        return cls(name=name, **tomllib.loads((HERE / FOLDER / f"{name}.toml").read_text(encoding="utf-8")))

    @property
    def worst_pct(self) -> float:
        """How far the formula was from the count at most."""
        return self.network["worst_pct"]

    def of_network(self, sizes: Sequence[int]) -> float:
        """Instructions of one inference of fully-connected int8 layers; `sizes` from the input on."""
        n = self.network
        layers = [n["layer"] + b * n["row"] + a * b * n["mac"] for a, b in pairwise(sizes)]
        return n["once"] + sum(layers)

    def of_features(self, feature_set: str, samples: int, channels: int) -> float:
        """Instructions of one window, as many as its values. KeyError for an unknown set."""
        return self.features[feature_set] * samples * channels / WINDOW

    def ms(self, instructions: float) -> float:
        """How long that takes, with the cycles that are assumed."""
        return instructions * self.cycles_per_instruction / (self.mhz * 1e3)
