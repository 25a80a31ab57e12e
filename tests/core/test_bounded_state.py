"""A year of incidents: what the engine remembers does not grow with what has been."""

from gateway.core import snapshot
from gateway.core.command import CommandKind
from gateway.core.entry import Noticed
from gateway.core.plant import AlarmKind
from tests.core.plants import Bench, anomaly, flag, health, ms, plant

DAY_S = 86_400
PUMP = str(anomaly("pump"))


def a_day(bench: Bench, day: int) -> None:
    """An incident in the morning, a sensor fault, a full disk, an acknowledgement on odd days; all well by night."""
    start = day * DAY_S
    bench.flags((start + 1, "a"), (start + 2, "b"), (start + 3, "c"), (start + 30, "d"), (start + 31, "e"))
    bench.says(start + 60, "a", flag(150, 64, features=True))  # waits for a Score that does not come
    bench.says(start + 70, "b", health(why=4))
    bench.at(start + 80, Noticed(AlarmKind.JOURNAL_SPACE, True, ms(start + 80), f"day {day}"))
    if day % 2:
        bench.asks(start + 90, CommandKind.ACKNOWLEDGE, PUMP)
    bench.at(start + 100, Noticed(AlarmKind.JOURNAL_SPACE, False, ms(start + 100)))
    for second, node in enumerate("abcde", start + 4000):
        bench.says(second, node, health())
    bench.until(start + DAY_S - 1)


def test_the_state_after_a_year_is_as_small_as_after_a_week() -> None:
    bench, sizes, timers = Bench.of(plant(model="m")), [], []
    for day in range(1, 366):
        a_day(bench, day)
        sizes.append(len(snapshot.take(bench.engine)))
        timers.append(len(bench.engine.timers._heap))
    assert len(bench.incidents()) >= 365
    assert max(sizes[7:]) <= max(sizes[:7]) + 100  # numbers become longer
    assert max(timers[7:]) <= max(timers[:7])
