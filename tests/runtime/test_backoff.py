from random import Random

from gateway.runtime.backoff import LASTED_S, LEAST_S, MOST_S, Backoff


class Extreme(Random):
    """A random source that always gives the lower (0) or the upper end (1)."""

    def __init__(self, end: int) -> None:
        super().__init__(0)
        self._end = end

    def uniform(self, a: float, b: float) -> float:
        return (a, b)[self._end]


def test_the_ceiling_doubles_up_to_the_most_and_stays_there() -> None:
    backoff = Backoff(Extreme(1))
    waits = [backoff.wait_s() for _ in range(200)]
    assert waits[:9] == [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert set(waits[8:]) == {MOST_S}


def test_the_least_is_possible_at_every_attempt() -> None:
    backoff = Backoff(Extreme(0))
    assert {backoff.wait_s() for _ in range(20)} == {LEAST_S}


def test_only_a_success_that_lasted_starts_anew() -> None:
    backoff = Backoff(Extreme(1))
    for _ in range(10):
        backoff.wait_s()
    assert backoff.wait_s(LASTED_S - 0.1) == MOST_S
    assert backoff.wait_s(LASTED_S) == 2 * LEAST_S
    assert backoff.wait_s() == 4 * LEAST_S


def test_waits_are_spread_over_the_whole_range_and_repeat_with_the_seed() -> None:
    def settled(seed: int) -> list[float]:
        backoff = Backoff(Random(seed))
        return [backoff.wait_s() for _ in range(1000)][10:]

    waits = settled(7)
    assert waits == settled(7) != settled(8)
    assert all(LEAST_S <= wait <= MOST_S for wait in waits)
    for tenth in range(10):
        low = LEAST_S + tenth * (MOST_S - LEAST_S) / 10
        assert 60 <= sum(low <= wait < low + (MOST_S - LEAST_S) / 10 for wait in waits) <= 140
