"""How far a command that computes for long is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_FIRST_S = 3.0
_AGAIN_S = {True: 0.2, False: 5.0}
"""Seconds until something is said again, on a terminal and elsewhere."""


@contextmanager
def shown(doing: str) -> Iterator[Callable[[str, float], None]]:
    """Gives what is told at what it is, and which share of the whole is done. What takes less than three seconds is not
    worth a word; then a terminal has one line, which is gone at the end, and a file has one every few seconds.
    """
    terminal, next_s, wrote = sys.stderr.isatty(), time.monotonic() + _FIRST_S, False

    def tell(what: str, share: float) -> None:
        nonlocal next_s, wrote
        if time.monotonic() < next_s:
            return
        text = f"{doing} {what}: {100 * share:.0f} %"
        click.echo(f"\r{text}\x1b[K" if terminal else text, nl=not terminal, err=True)
        next_s, wrote = time.monotonic() + _AGAIN_S[terminal], True

    try:
        yield tell
    finally:
        if terminal and wrote:
            click.echo("\r\x1b[K", nl=False, err=True)
