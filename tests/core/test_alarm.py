"""ISA-18.2: active or not, acknowledged or not, shelved, out of service, delays."""

import pytest

from gateway.core.command import CommandKind as K
from gateway.core.command import Outcome
from gateway.core.update import AlarmState
from tests.core.plants import Bench, anomaly, flag, health, ms, plant

PUMP = anomaly("pump")
NAME = str(PUMP)


def raised(**settings) -> Bench:
    """Raised at second 1; the condition ends at second 121."""
    return Bench.of(plant(**settings)).flags((0, "a"), (1, "b"))


def counts(bench: Bench) -> tuple[int, int]:
    return tuple(bench.tag(f"gateway/gateway/alarms_{name}").value for name in ("active", "unacknowledged"))


def test_active_acknowledged_normal():
    bench = raised()
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.UNACKNOWLEDGED, (1, 1))
    assert bench.asks(2, K.ACKNOWLEDGE, NAME, comment="seen").outcome is Outcome.DONE
    change = bench.alarm(PUMP)
    assert (change.state, change.actor, change.origin, change.comment) == (
        AlarmState.ACKNOWLEDGED, "ann", "bench", "seen",
    )  # fmt: skip
    assert counts(bench) == (1, 0)
    bench.until(121)
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.NORMAL, (0, 0))
    assert not bench.alarm(PUMP).retain
    assert bench.alarm(PUMP).actor == ""


def test_active_returned_normal():
    bench = raised().until(121)
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.RETURNED, (0, 1))
    assert bench.alarm(PUMP).retain
    bench.asks(130, K.ACKNOWLEDGE, NAME)
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.NORMAL, (0, 0))


@pytest.mark.parametrize("acknowledged", [False, True])
def test_raised_again_waits_for_an_acknowledgement_again(acknowledged):
    bench = raised()
    if acknowledged:
        bench.asks(2, K.ACKNOWLEDGE, NAME)
    bench.flags((300, "a"), (301, "b"))
    assert bench.alarm(PUMP).state is AlarmState.UNACKNOWLEDGED
    assert bench.alarm(PUMP).onset_ms == ms(301)


def test_an_acknowledgement_by_event():
    bench = raised()
    event = bench.alarm(PUMP).event
    assert bench.asks(2, K.ACKNOWLEDGE, event=event).outcome is Outcome.DONE


def test_who_has_seen_the_raise_has_seen_its_revisions():
    bench = raised()
    event = bench.alarm(PUMP).event
    for index in range(40):  # each one earlier than all before
        bench.flags((-0.5 - index, "abc"[index % 3]), late_s=2 + index)
    assert bench.asks(45, K.ACKNOWLEDGE, NAME, event=event).outcome is Outcome.DONE


def test_an_event_of_an_earlier_activity_acknowledges_nothing():
    bench = raised()
    old = bench.alarm(PUMP).event
    bench.flags((300, "a"), (301, "b"))
    assert bench.asks(302, K.ACKNOWLEDGE, NAME, event=old).outcome is Outcome.UNKNOWN_EVENT
    assert bench.asks(302, K.ACKNOWLEDGE, event=old).outcome is Outcome.UNKNOWN_EVENT
    assert bench.alarm(PUMP).state is AlarmState.UNACKNOWLEDGED


@pytest.mark.parametrize(
    ("alarm", "event", "outcome"),
    [
        ("asset/pimp/anomaly", 0, Outcome.UNKNOWN_ALARM),
        ("nonsense", 0, Outcome.UNKNOWN_ALARM),
        ("", 0, Outcome.UNKNOWN_EVENT),
        ("", 4711, Outcome.UNKNOWN_EVENT),
        (NAME, 4711, Outcome.UNKNOWN_EVENT),
        ("asset/fan/anomaly", 2, Outcome.UNKNOWN_EVENT),
        ("asset/fan/anomaly", 0, Outcome.ALREADY),
    ],
)
def test_what_cannot_be_acknowledged(alarm, event, outcome):
    bench = raised()
    before = len(bench.updates)
    assert bench.asks(2, K.ACKNOWLEDGE, alarm, event=event).outcome is outcome
    assert len(bench.updates) == before


def test_acknowledged_already():
    bench = raised()
    bench.asks(2, K.ACKNOWLEDGE, NAME)
    assert bench.asks(3, K.ACKNOWLEDGE, NAME).outcome is Outcome.ALREADY


@pytest.mark.parametrize(("comment", "until_s"), [("", 100), ("noise", 2), ("noise", 0)])
def test_shelving_needs_a_reason_and_an_end(comment, until_s):
    bench = raised()
    assert bench.asks(2, K.SHELVE, NAME, comment=comment, until_s=until_s).outcome is Outcome.REFUSED
    assert bench.alarm(PUMP).state is AlarmState.UNACKNOWLEDGED


def test_the_shelf_ends_by_itself():
    bench = raised()
    assert bench.asks(2, K.SHELVE, NAME, comment="noise", until_s=50).outcome is Outcome.DONE
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.SHELVED, (0, 0))
    bench.until(50)
    change = bench.alarm(PUMP)
    assert (change.transition, change.source_ms, change.state) == ("unshelved", ms(50), AlarmState.UNACKNOWLEDGED)
    assert counts(bench) == (1, 1)
    assert bench.asks(51, K.UNSHELVE, NAME).outcome is Outcome.ALREADY


@pytest.mark.parametrize(("second", "end"), [(30, 90), (90, 30)])
def test_shelved_again_the_newest_end_counts(second, end):
    bench = raised()
    bench.asks(2, K.SHELVE, NAME, comment="noise", until_s=second)
    bench.asks(3, K.SHELVE, NAME, comment="noise", until_s=end)
    bench.until(end - 0.001)
    assert bench.alarm(PUMP).state is AlarmState.SHELVED
    assert bench.until(end).alarm(PUMP).state is AlarmState.UNACKNOWLEDGED


def test_unshelved_by_hand():
    bench = raised()
    bench.asks(2, K.SHELVE, NAME, comment="noise", until_s=1000)
    assert bench.asks(3, K.UNSHELVE, NAME).outcome is Outcome.DONE
    assert bench.until(2000).history(PUMP) == ["raised", "shelved", "unshelved", "returned"]


def test_on_the_shelf_it_lives_on():
    bench = Bench.of(plant())
    bench.asks(0, K.SHELVE, NAME, comment="cleaning", until_s=500)
    bench.flags((1, "a"), (2, "b"))
    assert (bench.alarm(PUMP).transition, bench.alarm(PUMP).state) == ("raised", AlarmState.SHELVED)
    assert counts(bench) == (0, 0)
    assert bench.asks(3, K.ACKNOWLEDGE, NAME).outcome is Outcome.DONE
    bench.until(500)
    assert bench.alarm(PUMP).state is AlarmState.NORMAL


def test_out_of_service_until_a_person_says_otherwise():
    bench = Bench.of(plant())
    assert bench.asks(0, K.OUT_OF_SERVICE, NAME, comment="overhaul").outcome is Outcome.DONE
    assert bench.asks(0, K.OUT_OF_SERVICE, NAME).outcome is Outcome.ALREADY
    bench.flags((1, "a"), (2, "b"))
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.OUT_OF_SERVICE, (0, 0))
    assert bench.asks(3, K.IN_SERVICE, NAME).outcome is Outcome.DONE
    assert (bench.alarm(PUMP).state, counts(bench)) == (AlarmState.UNACKNOWLEDGED, (1, 1))
    assert bench.asks(4, K.IN_SERVICE, NAME).outcome is Outcome.ALREADY


def test_the_on_delay_passes_first():
    bench = raised(on_delay_s=30).until(30.999)
    assert not bench.alarms(PUMP)
    bench.until(31)
    change = bench.alarm(PUMP)
    assert (change.transition, change.source_ms, change.at_ms, change.incident) == ("raised", ms(1), ms(31), 1)


def test_back_before_the_on_delay_is_over_raises_nothing():
    bench = raised(on_delay_s=200).until(1000)
    assert bench.story() == [(1, "opened"), (1, "closed")]
    assert not bench.alarms(PUMP)


def test_a_second_on_delay_runs_in_full():
    bench = raised(on_delay_s=150).flags((130, "a"), (131, "b"), (200, "a"))
    bench.until(280.999)
    assert not bench.alarms(PUMP)
    assert bench.until(281).history(PUMP) == ["raised"]


def test_an_on_delay_longer_than_the_shelf():
    bench = Bench.of(plant(on_delay_s=100))
    bench.asks(0, K.SHELVE, NAME, comment="noise", until_s=50)
    bench.flags((1, "a"), (2, "b"))
    assert bench.until(102).history(PUMP) == ["shelved", "unshelved", "raised"]


def test_the_on_delay_of_late_data_counts_from_the_event():
    bench = Bench.of(plant(on_delay_s=30)).flags((0, "a"), (1, "b"), late_s=20)
    assert not bench.until(30).alarms(PUMP)
    assert bench.until(31).history(PUMP) == ["raised"]


def test_what_was_over_before_its_on_delay_is_not_raised_late():
    bench = Bench.of(plant(on_delay_s=200)).flags((0, "a"), (1, "b"), late_s=1000)
    assert bench.story() == [(1, "opened"), (1, "closed")]
    assert not bench.alarms(PUMP)


def test_the_off_delay_passes_first():
    bench = raised(off_delay_s=40).until(160.999)
    assert bench.history(PUMP) == ["raised"]
    bench.until(161)
    assert (bench.history(PUMP), bench.alarm(PUMP).source_ms) == (["raised", "returned"], ms(121))


def test_back_before_the_off_delay_is_over_does_not_return():
    bench = raised(off_delay_s=40).flags((122, "a"), (123, "b"))
    assert bench.until(200).history(PUMP) == ["raised", "revised"]
    assert (bench.alarm(PUMP).active, bench.alarm(PUMP).incident) == (True, 2)
    assert bench.until(1000).history(PUMP) == ["raised", "revised", "returned"]


def test_a_chattering_sensor_is_one_alarm():
    bench = Bench.of(plant(off_delay_s=40))
    for second in range(0, 200, 20):
        bench.says(second, "a", health(why=4))
        bench.says(second + 10, "a", health())
    name = "node/a/sensor_fault"
    alarms = [u for u in bench.updates if str(getattr(u, "alarm", "")) == name]
    assert [str(u.transition) for u in alarms] == ["raised"]
    bench.until(1000)
    assert bench.engine.present_alarms()[-1].transition == "returned"


def test_present_alarms_are_what_was_said():
    bench = raised(on_delay_s=30)
    assert bench.engine.present_alarms() == []
    bench.until(31).says(40, "c", flag())
    assert bench.engine.present_alarms() == [bench.alarm(PUMP)]
