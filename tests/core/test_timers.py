"""Deadlines: one per key, never missed, in order; fired early at worst."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.timers import Timers


def test_in_order_of_time_then_key():
    timers = Timers()
    for key, at_ms in (("b", 5), ("a", 5), ("c", 4), ("d", 9)):
        timers.ask(key, at_ms)
    assert list(timers.due(5)) == [(4, "c"), (5, "a"), (5, "b")]
    assert timers.next_ms == 9


def test_a_deadline_moves_nearer_but_not_away():
    timers = Timers()
    timers.ask("a", 10)
    timers.ask("a", 20)
    assert timers.next_ms == 10
    timers.ask("a", 5)
    assert list(timers.due(100)) == [(5, "a")]
    assert timers.next_ms is None


def test_what_is_asked_meanwhile_comes_too():
    timers = Timers()
    timers.ask("a", 1)
    seen = []
    for at_ms, key in timers.due(3):
        seen.append((at_ms, key))
        if at_ms < 5:
            timers.ask(key, at_ms + 1)
    assert seen == [(1, "a"), (2, "a"), (3, "a")]
    assert timers.next_ms == 4


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=40))
def test_like_a_table_of_the_nearest(asked):
    timers, table, now_ms = Timers(), dict[str, int](), 0
    for key, ahead_ms, fire in asked:
        timers.ask(key, now_ms + 1 + ahead_ms)
        table[key] = min(table.get(key, now_ms + 1 + ahead_ms), now_ms + 1 + ahead_ms)
        if fire:
            now_ms += ahead_ms
            due = sorted((at_ms, name) for name, at_ms in table.items() if at_ms <= now_ms)
            assert list(timers.due(now_ms)) == due
            table = {name: at_ms for name, at_ms in table.items() if at_ms > now_ms}
        restored = Timers()
        restored.take_over(timers.state())
        assert restored.next_ms == timers.next_ms == min(table.values(), default=None)
        timers = restored
