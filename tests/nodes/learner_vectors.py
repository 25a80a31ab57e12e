"""Writes nodes/wire/learner/learner.json from the reference: `python -m tests.nodes.learner_vectors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.detectors import feature_sets
from tests.nodes import learner_reference as ref

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "learner"
KINDS = {feature_sets.Kind.LEVEL: ref.LEVEL, feature_sets.Kind.SCALE: ref.SCALE, feature_sets.Kind.LOG: ref.LOG}


class Noise:
    """Whole numbers that no library's generator decides, so that they never change."""

    def __init__(self, state: int) -> None:
        self._state = state

    def __call__(self, width: int) -> int:
        """From -width to width."""
        self._state = (self._state * 1664525 + 1013904223) % 2**32
        return (self._state >> 8) % (2 * width + 1) - width


def steady(kinds: list[int], noise: Noise) -> list[int]:
    """One window of a machine that runs as it does."""
    places = {ref.LEVEL: -1200, ref.SCALE: 4000, ref.LOG: -20000}
    widths = {ref.LEVEL: 20, ref.SCALE: 300, ref.LOG: 400}
    return [places[kind] * (1 + j % 5) + noise(widths[kind]) for j, kind in enumerate(kinds)]


def case(
    name: str, feature_set: int, channels: int, windows: int, average: int, events: int, start: tuple[int, int] = (0, 1)
) -> dict[str, Any]:
    """`start`: so many windows at first in which the machine runs with that share of its strength."""
    kinds = [KINDS[kind] for kind in feature_sets.kinds(feature_set, channels)]
    learner, noise = ref.Learner(feature_set, channels, kinds, windows, events, average), Noise(len(name))
    learn, replies, detect, verdicts = [], [], [], []
    while learner.state == ref.LEARNING:
        row = steady(kinds, noise)
        if len(learn) < start[0]:
            row = [value // start[1] for value in row]
        if len(learn) == 11 and start[0] == 0:
            row = [8 * value for value in row]  # refused
        learn.append(row)
        replies.append(learner.learn(row))
    image = learner.save()
    for i in range(24):
        row = steady(kinds, noise)
        if 8 <= i < 12:
            row = [value * (i - 6) for value in row]
        if i == 20:
            row = [2**31 - 1] * len(kinds)
        detect.append(row)
        verdict = learner.detect(row)[1]
        assert verdict is not None
        verdicts.append([int(getattr(verdict, field)) for field in verdict.__slots__])
    after = learner.save()
    assert image is not None and after is not None
    return {
        "name": name, "feature_set": feature_set, "channels": channels, "windows": windows, "average": average,
        "events_ppb": events, "learn": learn, "replies": replies, "image": image.hex(), "detect": detect,
        "verdicts": verdicts, "image_after": after.hex(),
    }  # fmt: skip


def cases() -> list[dict[str, Any]]:
    return [
        case("three channels of statistics", 1, 3, 56, 1, 0),
        case("averaged over five", 1, 1, 40, 5, 2_000_000),
        case("the invariant set", 2, 3, 24, 1, 50_000_000),
        case("a slow sensor", 3, 2, 32, 2, 1),
        case("a machine that starts: its first chunk is not kept", 1, 2, 40, 1, 0, (3, 16)),
        case("a machine that starts later: it begins anew", 1, 2, 32, 3, 0, (6, 1000)),
    ]


def text() -> str:
    return json.dumps({"cases": cases()}, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "learner.json").write_text(text())
