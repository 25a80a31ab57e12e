"""A board on the fake whose line is a terminal of this machine: what provisions a board opens it as it opens any."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from tty import setraw
from typing import TypeVar

from gateway.provision.boards import Board, BoardFailed, Wanted
from gateway.provision.stm32_board import Stm32Board, open_board
from tests.nodes.stm32_bench import Bench

T = TypeVar("T")
FOUND_S, SILENT_S = 10.0, 20.0
NO_CONFIG, BETWEEN_BLINKS_MS = 3, 5000
BY_HAND, POWERED = 1 << 26, 1 << 27  # RCC_CSR


class Line:
    """The board's end. While nobody speaks the board stands still: time passes only when it works or waits."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._fd, self._device = os.openpty()
        setraw(self._device)
        self.path = os.ttyname(self._device)
        self.left = bytearray()  # all that the board has ever said
        self._partial = b""
        bench.on_frame(self._answered)

    def hear(self) -> None:
        """Until a question has come, or the port is closed at the other end; it is on its way to the board then."""
        while b"\0" not in self._partial.lstrip(b"\0"):
            ready, _, _ = select.select([self._fd], [], [], SILENT_S)
            assert ready, "nobody speaks, and nobody has closed the port"
            try:
                self._partial += os.read(self._fd, 4096)
            except OSError:
                return  # closed
        self._bench.say(self._partial, 1000)
        self._partial = b""

    def _answered(self) -> None:
        data = self._bench.heard()
        self.left += data
        os.write(self._fd, data)
        self.hear()

    def open_to_the_other_end_only(self) -> None:
        """Our own hold on the device goes, so that its closing is noticed."""
        os.close(self._device)
        self._device = -1

    def close(self) -> None:
        """The cable is out."""
        self._bench.on_byte(lambda byte: None)
        os.close(self._fd)
        if self._device >= 0:
            os.close(self._device)


def session(bench: Bench, act: Callable[[Stm32Board], T]) -> tuple[int, T | BoardFailed, bytes]:
    """What ended the board's start, what `act` gave or how it failed, and all that the board has said.

    A reset by hand makes it listen, and then that it has no configuration.
    """
    line = Line(bench)

    def host() -> T | BoardFailed:
        board = open_board(line.path, 115_200, FOUND_S)
        assert board is not None
        line.open_to_the_other_end_only()
        try:
            return act(board)
        except BoardFailed as error:
            return error
        finally:
            board.close()

    with ThreadPoolExecutor(1) as threads:
        future: Future[T | BoardFailed] = threads.submit(host)
        try:
            line.hear()
            if (ended := bench.reset(BY_HAND).boot()) == NO_CONFIG:
                line.hear()
                ended = bench.call("console", BETWEEN_BLINKS_MS)
        finally:
            line.close()
        return ended, future.result(), bytes(line.left)


def provisioned(wanted: Wanted) -> Callable[[Board], list[str]]:
    """What provisioning does at a board (gateway/provision/provisioning.py); the findings that have failed."""

    def act(board: Board) -> list[str]:
        items = board.items(wanted)
        board.stop(forget=wanted.new_key)
        board.tidy(items)
        for item in items:
            if board.digest(item.name) != item.digest:
                board.write(item)
        for item in items:
            assert board.digest(item.name) == item.digest, item.name
        failed = [finding.what for finding in board.self_test(wanted) if finding.passed is False]
        if not failed:
            board.start()
        return failed

    return act
