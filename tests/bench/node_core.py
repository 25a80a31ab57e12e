"""Figures of the whole core: flash, RAM, stack, and what an hour of wakes costs the processor."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import numpy as np

from nodes.c_tflm.tools import size, stack
from tests.bench.figures import Figure
from tests.bench.node_runs import BUILT, CALLS, COUNTED, OBJDUMP, Told, built, measured, window
from tests.nodes.core_board import Gateway

ROOTS = ("node_init", "node_step", "node_flush", "node_stop", "model_open")
UPDATE = ("core/node_update", "core/update", "core/slots", "core/image", "core/ed25519_verify", "core/sha512")
"""Modules that take images into flash slots and check their signatures: of a board that has such slots."""
CYCLES_PER_INSTRUCTION = 1.3
MHZ = 80.0
ROUNDS = 16
WINDOWS, WATCHED = 100, 120
"""Different windows; and wakes after it has learned, at least: two hours of them."""
CORE = (
    "all that a node of one 6-axis sensor runs, with learner, the statistics feature set and a ring of 8 messages; no "
    "driver, no buffer of samples"
)


def figures() -> Mapping[str, Figure]:
    """All of one program, ports/bench/bench_node.c: whole, and linked without what a node can be without.

    AssertionError if the stack has no bound.
    """
    program = built("bench_node")
    told = hours(program)
    try:
        depths = stack.worst(program, CALLS, ROOTS, OBJDUMP)
    except stack.UnboundedError as reason:
        raise AssertionError(f"stack without a bound: {reason}") from reason
    root, depth = max(depths.items(), key=lambda item: item[1].bytes)
    assert told.one("stack") <= depth.bytes + _BENCH_FRAMES, "the stack was used beyond its bound"
    return _sizes(size.node(built("bench_core")), size.node(program)) | _awake(told) | {
        "worst_stack_bytes": Figure(
            depth.bytes, "bytes",
            f"below {root}: the deepest chain of calls, each with the frame that GCC states; the board's own functions "
            f"apart. Seen in the run: {told.one('stack')}; {BUILT}",
        )
    }  # fmt: skip


_BENCH_FRAMES = 256
"""main and the board of ports/bench/bench_node.c, which are in what was seen and not in the bound."""


def _sizes(core: list[size.Piece], whole: list[size.Piece]) -> Mapping[str, Figure]:
    return {
        "core_flash_bytes": Figure(
            size.flash(core),
            "bytes",
            f"{CORE}; no model and no images over the air, which firmware_flash_bytes has; what it needs of libgcc and "
            f"of the C library included; {BUILT}",
        ),
        "update_flash_bytes": Figure(
            size.flash(piece for piece in whole if piece.module.startswith(UPDATE)),
            "bytes",
            f"taking images of models and firmware into flash slots, signatures checked; {BUILT}",
        ),
        "firmware_flash_bytes": Figure(
            size.flash(whole), "bytes", f"{CORE}; with models, the engine `direct`, and update_flash_bytes; {BUILT}"
        ),
        "core_ram_bytes": Figure(
            size.ram(core),
            "bytes",
            f"{CORE}; all that is kept awake or asleep, 4,096 of it the learner's; stack apart (worst_stack_bytes); "
            f"{BUILT}",
        ),
    }


def _awake(told: Told) -> Mapping[str, Figure]:
    how = f"at {MHZ:g} MHz and {CYCLES_PER_INSTRUCTION} cycles an instruction (assumed; QEMU counts instructions)"
    wakes = [*told.numbers["quiet"], *told.numbers["sending"]]
    return {
        "awake_ms": Figure(
            awake_ms(told), "ms",
            f"one wake: a window of 128 x 6 looked at and found normal, nothing sent; sampling apart; {how}; {COUNTED}",
        ),
        "awake_report_ms": Figure(
            _ms(np.max(told.numbers["sending"])), "ms",
            f"the costliest wake of some hours: a report sealed and sent, and its Ack opened, waiting apart; {how}; "
            f"{COUNTED}",
        ),
        "awake_mean_ms": Figure(
            _ms(np.mean(wakes)), "ms", f"mean of {len(wakes)} wakes, one a minute, one report an hour; {how}; {COUNTED}"
        ),
    }  # fmt: skip


def awake_ms(told: Told) -> float:
    """Of a wake in which nothing is sent."""
    return _ms(np.mean(told.numbers["quiet"]))


def _ms(instructions: np.floating) -> float:
    return round(float(instructions) * CYCLES_PER_INSTRUCTION / (MHZ * 1e3), 3)


def hours(program: object) -> Told:
    """The program's run, one wake a minute, with the gateway's answers to what it sends.

    What it sends depends on them: it is run again with the answers to what it sent before, until these are the same.
    """
    windows = b"".join(window(seed).tobytes() for seed in range(WINDOWS))
    answers = b""
    for _ in range(ROUNDS):
        told = measured(program, {"windows.bin": windows, "model.image": b"", "answers.bin": answers})
        before, answers = answers, b"".join(_answers(told.files["sent.bin"]))
        if answers == before:
            assert told.one("unacknowledged") == told.one("anomalous") == 0
            assert len(told.numbers["quiet"]) > WATCHED
            return told
    raise AssertionError(f"after {ROUNDS} runs what is sent still changes with the answers")


def _answers(sent: bytes) -> Iterator[bytes]:
    """An answer to each envelope, with its length before it; the gateway is that of tests/nodes/core_board.py."""
    board = SimpleNamespace(now_ms=0, inbox=deque(), on_send=None)
    gateway = Gateway(board)
    at = 0
    while at < len(sent):
        (n,) = struct.unpack_from("<I", sent, at)
        board.inbox.clear()
        gateway.take(sent[at + 4 : at + 4 + n])
        at += 4 + n
        answer = board.inbox[-1] if board.inbox else b""
        yield struct.pack("<I", len(answer)) + answer
