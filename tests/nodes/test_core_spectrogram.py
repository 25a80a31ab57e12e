"""One wake of a node whose model looks at a spectrogram, from samples to a Flag."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from gateway.wire import score
from gateway.wire.messages import Flag, Health, Window
from tests.nodes.core_board import Node
from tests.nodes.spectrogram_images import Looking, sounds
from tests.nodes.test_direct_model import opened

WHOLE = Looking()
PIECES = Looking(samples=64)  # of 288: two half frames at a time
WHY_STUCK, WHY_SATURATED, WHY_MODEL = 4, 5, 8
N = 12


class Played:
    """What the board's sensor gives: windows one after the other, whole or in pieces."""

    def __init__(self, board, windows: np.ndarray) -> None:
        self.board = board
        self.samples = windows.reshape(-1, windows.shape[2])
        self.at = 0
        self.asked: list[tuple[int, int]] = []
        self.fails: dict[int, int] = {}  # by number of the piece: the status
        self._part = dict(board.port._fields_)["sample_part"](self.part)
        board.window = lambda n: self._next(n // windows.shape[2]).ravel().tolist()

    def parts(self) -> None:
        self.board.port.sample_part = self._part

    def part(self, _context, out, samples, channels, left) -> int:
        self.asked.append((samples, left))
        if status := self.fails.get(len(self.asked) - 1, 0):
            return status
        for i, value in enumerate(self._next(samples).ravel()):
            out[i] = int(value)
        return 0

    def _next(self, n: int) -> np.ndarray:
        self.at += n
        return self.samples[self.at - n : self.at]


def start(library, board, looking: Looking, *, hear: bool = True, **settings: int) -> Node:
    text, model, kept = opened(looking.image(), 16384)
    assert text == "ok"
    hearing = ctypes.cast(library.node_hear, ctypes.c_void_p).value if hear else None
    node = Node(
        library, board, model=ctypes.pointer(model), samples=looking.samples, channels=looking.channels, hear=hearing,
        **settings,
    )  # fmt: skip
    node.image = kept
    return node


@pytest.mark.parametrize("looking", [WHOLE, PIECES], ids=["whole", "in pieces"])
def test_a_wake_says_what_the_reference_says(library, board, gateway, looking: Looking) -> None:
    windows = sounds(N, looking)
    played = Played(board, windows)
    if looking is PIECES:
        played.parts()
    node = start(library, board, looking)
    for _ in range(N):
        node.step()
    errors = looking.errors(windows[:, :, looking.channel])
    anomalous = [error for error in errors if error > looking.threshold]
    assert 2 < len(anomalous) < N - 2
    flags = [flag for flag in gateway.of(Flag) if flag.why]
    told = [max(score.encode(error, looking.threshold), score.AT_THRESHOLD + 1) for error in anomalous]
    assert [flag.score for flag in flags] == told
    assert {flag.why for flag in flags} == {1}
    assert played.at == N * looking.heard
    pieces = [(64, 224), (64, 160), (64, 96), (32, 64), (64, 0)]
    assert played.asked == (pieces * N if looking is PIECES else [])
    assert {tuple(flag.features.values) for flag in flags} <= features_of(library, windows[:, -looking.samples :])


def features_of(library, windows: np.ndarray) -> set[tuple[int, ...]]:
    """Statistics of what the node holds."""
    found = set()
    for window in windows:
        out = (ctypes.c_int32 * 6)()
        data = np.ascontiguousarray(window)
        at = ctypes.c_void_p(data.ctypes.data)
        library.features_statistics(at, ctypes.c_uint16(len(data)), ctypes.c_uint8(2), out)
        found.add(tuple(out))
    return found


def test_a_sensor_fault_in_any_piece_is_one_of_the_window(library, board, gateway) -> None:
    windows = sounds(3, PIECES)
    windows[0, 100:104, 0] = 32767
    played = Played(board, windows)
    played.parts()
    played.fails = {7: 6}  # of the second window: samples are missing
    node = start(library, board, PIECES)
    node.step()
    assert [flag.why for flag in gateway.of(Flag)] == [WHY_SATURATED]
    assert len(played.asked) == 5, "the port counts on the whole window"
    node.step()
    assert [flag.why for flag in gateway.of(Flag)] == [WHY_SATURATED, 6]
    assert len(played.asked) == 8, "after a fault of the port the window is over"
    node.step()
    assert played.asked[8:] == [(64, 224), (64, 160), (64, 96), (32, 64), (64, 0)]


def test_of_a_piece_that_is_short_nobody_says_that_it_stands_still(library, board, gateway) -> None:
    windows = sounds(2, PIECES)
    windows[0, 192:224] = 100
    windows[1, 128:192] = 100
    played = Played(board, windows)
    played.parts()
    node = start(library, board, PIECES)
    node.step()
    assert WHY_STUCK not in [flag.why for flag in gateway.of(Flag)]
    node.step()
    assert [flag.why for flag in gateway.of(Flag)][-1] == WHY_STUCK


@pytest.mark.parametrize("how", ["no pieces", "no hearing", "other samples"])
def test_a_board_that_cannot_hear_it_says_so_and_judges_nothing(library, board, gateway, how: str) -> None:
    played = Played(board, sounds(3, PIECES))
    if how != "no pieces":
        played.parts()
    node = start(library, board, PIECES, hear=how != "no hearing", window_every=1)
    if how == "other samples":
        node.config.samples = 96
        node.reboot()
    node.step()
    assert [flag.why for flag in gateway.of(Flag)] == [WHY_MODEL]
    assert played.asked == []
    assert played.at == node.config.samples
    assert gateway.of(Health)[-1].why == WHY_MODEL
    assert len(gateway.of(Window)) == 1, "somebody else can judge it"
