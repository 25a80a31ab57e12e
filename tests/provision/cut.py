"""Ways to cut a provisioning short: at any of its calls to the board or to the registry."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mpremote.transport_serial import SerialTransport

from gateway.provision.boards import BoardFailed
from gateway.provision.provisioning import Begun, Order
from gateway.provision.repl import Repl
from gateway.store.keys import Registry
from tests.provision.board import Board
from tests.provision.provisioned import provision_at

Places = tuple[tuple[type, str], ...]
ON_BOARD: Places = ((Repl, "run"), (Repl, "write_file"), (Repl, "run_and_leave"))
ANYWHERE: Places = (*ON_BOARD, (Registry, "add"), (Registry, "rekey"), (Begun, "note"), (Begun, "clear"))

# Not from this process: a board's thread may be starting a program just then.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__])


@contextmanager
def before_each(act: Callable[[int, str], None], places: Places) -> Iterator[None]:
    """`act(n, what)` before each of these calls."""
    n = 0

    def watched(name: str, wrapped: Any) -> Any:
        def call(self: Any, *args: Any, **options: Any) -> Any:
            nonlocal n
            n += 1
            act(n - 1, f"{name} {args[0] if args else ''}")
            return wrapped(self, *args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for where, name in places:
            patch.setattr(where, name, watched(name, getattr(where, name)))
        yield


def killed(board: Board, state_dir: Path, wanted: Order, at: int) -> bool:
    """By a process that is killed before its call `at`, or, every other time, half-way through that, if it goes to the
    board. False: it has come to its end.
    """
    process = processes.Process(target=_killed_host, args=(str(board.port), state_dir, wanted, at))
    process.start()
    process.join()
    failed = state_dir / FAILED
    assert process.exitcode in (0, -signal.SIGKILL), failed.read_text() if failed.exists() else process.exitcode
    return process.exitcode != 0


def _killed_host(port: str, state_dir: Path, wanted: Order, at: int) -> None:
    def act(n: int, what: str) -> None:
        if n == at and n % 2 and what.startswith(("run", "write_file")):
            SerialTransport.raw_paste_write = _half
        elif n == at:
            os.kill(os.getpid(), signal.SIGKILL)

    with before_each(act, ANYWHERE), told(state_dir):
        provision_at(port, state_dir, wanted, [])


def unplugged(board: Board, state_dir: Path, wanted: Order, at: int) -> bool:
    """The cable is pulled before call `at` to the board, which has no other power, and stays without.
    False: it has come to its end.
    """
    here, there = processes.Pipe()
    process = processes.Process(target=_unplugged_host, args=(str(board.port), state_dir, wanted, at, there))
    process.start()
    there.close()
    pulled = True
    try:
        here.recv()
        board.unplug()
        here.send(None)
    except EOFError:
        pulled = False
    process.join()
    assert process.exitcode == (_BOARD_FAILED if pulled else 0), (state_dir / FAILED).read_text()
    return pulled


_BOARD_FAILED = 7
FAILED = "failed.txt"


@contextmanager
def told(state_dir: Path) -> Iterator[None]:
    """What another process has failed with goes where this one can read it."""
    try:
        yield
    except Exception:
        (state_dir / FAILED).write_text(traceback.format_exc())
        raise


def _unplugged_host(port: str, state_dir: Path, wanted: Order, at: int, parent: Any) -> None:
    def act(n: int, _what: str) -> None:
        if n == at:
            parent.send(None)
            parent.recv()

    try:
        with before_each(act, ON_BOARD), told(state_dir):
            provision_at(port, state_dir, wanted, [])
    except BoardFailed:
        sys.exit(_BOARD_FAILED)


def _half(self: Any, command: bytes) -> None:
    """In place of mpremote's: part of what the board waits for, and then nothing."""
    self.serial.read(2)  # how much it takes at once
    self.serial.write(command[: min(len(command) // 2, 32)])
    self.serial.flush()
    os.kill(os.getpid(), signal.SIGKILL)
