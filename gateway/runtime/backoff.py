"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from random import Random

LEAST_S = 0.2
MOST_S = 30.0
LASTED_S = 60.0


class Backoff:
    """Exponential backoff with full jitter between LEAST_S and a ceiling that doubles up to MOST_S.

    Jitter keeps many gateways that lost one broker from coming back as one. The ceiling starts anew only after a
    success that lasted LASTED_S: what comes up and falls over at once is not well.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ceiling_s = LEAST_S

    def wait_s(self, up_s: float = 0.0) -> float:
        """Seconds to wait after a failure; `up_s`: how long it had been well before, 0 if it never was."""
        if up_s >= LASTED_S:
            self._ceiling_s = LEAST_S
        self._ceiling_s = min(2 * self._ceiling_s, MOST_S)
        return self._random.uniform(LEAST_S, self._ceiling_s)
