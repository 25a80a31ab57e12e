"""What a bench tells while it runs."""

from __future__ import annotations

import sys
import time

_BEGAN_S = time.monotonic()


def say(text: str) -> None:
    """A line with the time since the beginning."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN_S), 60)
    print(f"{minutes:3}:{seconds:02}  {text}", file=sys.stderr, flush=True)
