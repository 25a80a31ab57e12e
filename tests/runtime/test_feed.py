import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.plant import Scope, TagId
from gateway.core.update import Quality, TagChange
from gateway.runtime import feed as feed_module
from gateway.runtime.feed import Feed, Pace
from tests.outputs.host import MemoryHost


def tag(name: str, value: int) -> TagChange:
    return TagChange(TagId(Scope.NODE, name, "score"), value, Quality.GOOD, 1)


def put(feed: Feed, *changes: TagChange) -> None:
    feed.put({change.tag: change for change in changes}, [])


def test_tags_are_coalesced_and_go_in_the_order_of_their_waiting() -> None:
    feed = Feed()
    put(feed, tag("n1", 1), tag("n2", 2))
    put(feed, tag("n3", 3), tag("n1", 4))
    assert feed.take_tags(2) == [tag("n1", 4), tag("n2", 2)]
    put(feed, tag("n1", 5))
    assert feed.take_tags(9) == [tag("n3", 3), tag("n1", 5)] and not feed.has_tags


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 60), st.integers(1, 20))
def test_events_are_in_memory_in_order_or_the_feed_says_that_it_is_behind(
    sizes: list[int], bound: int, batch: int
) -> None:
    feed, host = Feed(), MemoryHost()
    feed.caught_up()
    said, got = [], []
    held = feed_module.EVENTS_HELD
    feed_module.EVENTS_HELD = bound
    try:
        for size in sizes:
            events = [host.raised() for _ in range(size)]
            said += events
            feed.put({}, events)
            if feed.behind:
                got = list(said)  # as the journal has them
                feed.caught_up()
            got += feed.take_events(batch)
        while more := feed.take_events(batch):
            got += more
    finally:
        feed_module.EVENTS_HELD = held
    assert got == said


@given(st.floats(1, 10_000), st.lists(st.floats(0, 2), min_size=1, max_size=50))
def test_a_pace_is_kept(per_s: float, pauses: list[float]) -> None:
    pace, now, gone = Pace(per_s), 0.0, 0
    for pause in pauses:
        now += pause
        allowed = pace.allowed(now)
        assert allowed is not None
        pace.spend(allowed)
        gone += allowed
    assert gone <= now * per_s + max(1.0, per_s / 10) + 1e-6
    assert (pace.allowed(now + pace.wait_s + 1e-6) or 0) >= 1


def test_an_empty_bucket_rests_until_it_is_worth_a_batch() -> None:
    pace = Pace(100.0)  # a bucket of 10
    assert pace.allowed(1.0) == 10
    pace.spend(3)
    assert pace.allowed(1.0) == 7  # one that is not empty gives what it has
    pace.spend(7)
    assert [pace.allowed(1.0 + ms / 1000) for ms in (1, 20, 40, 51, 52)] == [0, 0, 0, 5, 5]


def test_without_a_pace_everything_may_go() -> None:
    assert Pace(math.inf).allowed(1.0) is None
