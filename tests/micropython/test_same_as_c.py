"""Ring, ceiling, clock, replay window, serial line and features answer as the node in C does, whatever is asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

import pytest

from tests.micropython import node_in_c
from tests.nodes.core_types import RING_BYTES
from tests.nodes.test_core_ceiling import TEARS

Step = tuple[str, list]
HEAD_IN_C, HEAD = 24, 18  # bytes of a ring's entry before the message


def numbers(draw: random.Random) -> Iterator[Step]:
    yield "boot", []
    for _ in range(30):
        name = draw.choice(["take", "take", "take", "boot", "settle", "keep", "cut", "rot", "near_the_end"])
        if name == "near_the_end" and draw.random() < 0.8:
            continue
        argument = {
            "take": draw.choice([1, 5, 1024, 1500]),
            "keep": draw.randrange(2**32),
            "cut": draw.choice(sorted(TEARS)),
            "rot": draw.randrange(2),
        }.get(name)
        yield name, [] if argument is None else [argument]
        yield "slots", []
        if name == "rot" or (name == "cut" and draw.random() < 0.5):
            yield "take", [1200]
            yield "boot", []


def array(draw: random.Random, seq: int, rest: int) -> str:
    """A message's array, with the number and no age; what is behind them does not matter to a ring."""
    low = seq & 0xFFFF
    head = bytes([low]) if low < 24 else b"\x18" + bytes([low]) if low < 256 else b"\x19" + low.to_bytes(2, "big")
    return (bytes([0x80 | draw.randrange(24)]) + head + b"\0" + draw.randbytes(rest)).hex()


def ring(draw: random.Random, rest: int | None = None) -> Iterator[Step]:
    """With messages of one length, so many that the oldest are given up; else few."""
    seq, now_ms = draw.choice([0, 20, 250, 65530, 2**32 - 300]), draw.randrange(2**40)
    for _ in range(80 if rest is None else 250):
        now_ms += draw.choice([0, 200, 10**4, 10**7])
        name = draw.choice(["add"] * 5 + ["entries", "sent", "acknowledge"])
        if name == ("add" if rest is None else "acknowledge") and draw.random() < 0.8:
            continue
        if name == "add":
            n = draw.randrange(40) if rest is None else rest
            yield name, [draw.choice([1, 2, 3, 4]), seq, now_ms, array(draw, seq, n)]
            seq += 1
        elif name == "entries":
            yield name, [max(now_ms + draw.choice([0, 999, 10**6, -5]), 0)]
        elif name == "acknowledge":
            yield name, [(seq - draw.randrange(40)) & 0xFFFF, draw.getrandbits(32) & draw.getrandbits(32)]
        else:
            yield name, []
    yield "entries", [now_ms]
    yield "dropped", []


def clock(draw: random.Random) -> Iterator[Step]:
    local_ms, gateway_ms = draw.randrange(2**41), 1_790_000_000_000
    for _ in range(60):
        name = draw.choice(["compare", "compare", "local", "gateway"])
        if name == "compare":
            passed = draw.choice([1000, 599_999, 600_000, 86_400_000, 2**40])
            local_ms = max(0, local_ms + (passed if draw.random() < 0.95 else -passed))
            gateway_ms += passed + draw.randrange(-passed // 8, passed // 8)
            yield name, [local_ms, gateway_ms]
        else:
            yield name, [draw.choice([0, 1, 999, 60_000, 86_400_000, 2**32 - 1])]


def replay(draw: random.Random) -> Iterator[Step]:
    newest = draw.choice([0, 70, 2**31])
    for _ in range(300):
        newest += draw.choice([0, 0, 0, 1, 1, 2, 60, 64, 65, 1000])
        yield "accept", [max(newest - draw.choice([0, 0, 1, 5, 63, 64, 65, 200]), 0)]


def line(draw: random.Random) -> Iterator[Step]:
    for _ in range(40):
        size = draw.choice([0, 1, 12, 42, 253, 254, 252, 508, 510, 512])
        envelope = draw.choice([draw.randbytes, bytes, lambda n: b"\x55" * n])(size)
        yield "encode", [envelope.hex()]
        garbage = bytes(draw.choice(range(1, 256)) for _ in range(draw.choice([3, 254, 255, 514, 517, 519, 520, 700])))
        yield "push", [draw.choice([garbage, garbage + b"\0", b"\0", b"\xff\0", b"\x01\x01\0"]).hex()]


def features(draw: random.Random) -> Iterator[Step]:
    for _ in range(24):
        n, channels = draw.choice([32, 33, 63, 64, 95, 96, 128, 150]), draw.choice([1, 2, 3, 3, 4, 6, 9])
        loud = draw.choice([0, 1, 40, 3000, 32767])
        levels = [draw.randrange(-32767 + loud, 32768 - loud) for _ in range(channels)]
        samples = [levels[i % channels] + draw.randint(-loud, loud) for i in range(n * channels)]
        yield "compute", [draw.choice([1, 2, 2, 3]), n, channels, samples]


def limits(draw: random.Random) -> Iterator[Step]:
    for _ in range(40):
        n, channels = draw.choice([32, 40]), draw.choice([1, 2, 2, 9])
        bounds = [
            (draw.choice([None, 2000, -30000, -32768]), draw.choice([None, 2800, 30000, 32767]))
            for _ in range(channels)
        ]
        samples = [draw.randrange(2000, 2801) for _ in range(n * channels)]
        for _ in range(draw.randrange(4)):
            samples[draw.randrange(n * channels)] = draw.choice([1999, 2801, 1900, 3500, -32768, 32767])
        yield "judge", [bounds, samples, n, channels]


CASES: dict[str, tuple[Callable[[random.Random], Iterator[Step]], int]] = {
    "numbers": (numbers, 40), "ring": (ring, 30), "clock": (clock, 30), "replay": (replay, 20), "line": (line, 20),
    "features": (features, 6), "limits": (limits, 20),
}  # fmt: skip


def trace(library, kind: str, start: list, start_in_c: list, steps: Iterator[Step]) -> str:
    node = node_in_c.KINDS[kind](library, *start_in_c)
    asked = []
    for name, arguments in steps:
        asked.append((name, arguments, getattr(node, name)(*arguments)))
        if kind == "numbers" and name == "boot" and asked[-1][2] is None:
            break  # both slots are gone
    return json.dumps({"kind": kind, "start": start, "steps": asked})


@pytest.mark.parametrize("kind", CASES)
def test_answers_are_those_of_the_node_in_c(run, library, tmp_path, kind):
    steps, times = CASES[kind]
    lines = []
    for seed in range(times):
        draw = random.Random(f"{kind} {seed}")
        start = {"ring": [RING_BYTES], "replay": [draw.choice([0, 1, 60, 2**31])]}.get(kind, [])
        lines.append(trace(library, kind, start, start if kind == "replay" else [], steps(draw)))
    file = tmp_path / "trace"
    file.write_text("\n".join(lines))
    run("answers", file)


@pytest.mark.parametrize("rest", [0, 30, 380])
def test_a_full_ring_gives_up_the_oldest(run, library, tmp_path, rest):
    """An entry is shorter here, so the size is one in which as many of this length fit."""
    size = RING_BYTES // (HEAD_IN_C + rest) * (HEAD + rest)
    lines = [trace(library, "ring", [size], [], ring(random.Random(f"full {seed}"), rest)) for seed in range(10)]
    assert any('"dropped", [], 0' not in line for line in lines)
    file = tmp_path / "trace"
    file.write_text("\n".join(lines))
    run("answers", file)
