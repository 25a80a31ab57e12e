"""Silence is judged against the node's own schedule; quality follows; a restart is nobody's silence."""

from gateway.core.liveness import Alive
from gateway.core.plant import AlarmId, AlarmKind, Liveness, Scope
from gateway.core.update import Quality
from tests.core.plants import Bench, birth, flag, health, ms, plant

LOST = AlarmId(Scope.NODE, "a", AlarmKind.NODE_LOST)
SOLE = {"pump": "a"}


def living(**settings) -> Bench:
    """One node, heard at second 0, with a heartbeat of 100 s."""
    bench = Bench.of(plant(SOLE, **settings))
    bench.says(0, "a", birth(100))
    bench.says(0, "a", health())
    return bench


def alive(bench: Bench) -> Alive:
    return Alive(bench.tag("node/a/liveness").value)


def test_the_ladder():
    bench = living()
    seen = {}
    for second in range(0, 600, 1):
        seen.setdefault(alive(bench.until(second)).name, second)
    assert seen == {"ON_TIME": 0, "DUE": 100, "LATE": 110, "STALE": 210, "LOST": 410}
    assert bench.engine.next_wake_ms is None
    assert bench.tag("node/a/liveness").source_ms == ms(410)


def test_the_ladder_is_configured():
    bench = living(liveness=Liveness(tolerance_pct=0, late_after=2, stale_after=3, lost_after=5))
    seen = {}
    for second in range(0, 600, 1):
        seen.setdefault(alive(bench.until(second)).name, second)
    assert seen == {"ON_TIME": 0, "DUE": 100, "LATE": 200, "STALE": 300, "LOST": 500}


def test_quality_and_alarm_follow_and_recover():
    bench = living()
    assert bench.tag("node/a/battery").quality is Quality.GOOD
    bench.until(210)
    stale = bench.tag("node/a/battery")
    assert (stale.quality, stale.value, stale.source_ms) == (Quality.STALE, 3000, ms(0))
    assert bench.history(LOST) == []
    bench.until(410)
    assert bench.tag("node/a/battery").quality is Quality.LOST
    assert (bench.history(LOST), bench.alarm(LOST).source_ms) == (["raised"], ms(410))
    assert bench.tag("gateway/gateway/nodes_lost").value == 1
    bench.says(500, "a", health())
    assert alive(bench) is Alive.ON_TIME
    assert bench.tag("node/a/battery").quality is Quality.GOOD
    assert bench.history(LOST) == ["raised", "returned"]
    assert bench.tag("gateway/gateway/nodes_lost").value == 0


def test_any_message_is_a_sign_of_life():
    bench = living()
    bench.says(90, "a", flag())
    assert alive(bench.until(189)) is Alive.ON_TIME


def test_a_node_without_a_schedule_is_unknown_and_never_lost():
    bench = Bench.of(plant(SOLE))
    assert bench.tag("node/a/liveness").quality is Quality.NO_DATA
    bench.says(0, "a", health())
    bench.until(10_000_000)
    assert (alive(bench), bench.tag("node/a/liveness").quality) == (Alive.UNKNOWN, Quality.GOOD)
    assert not bench.alarms(LOST)


def test_a_new_schedule_counts_from_its_announcement():
    bench = living()
    bench.says(50, "a", birth(1000))
    assert alive(bench.until(1049)) is Alive.ON_TIME
    bench.says(1049, "a", birth(10))
    assert alive(bench.until(1059)) is Alive.DUE


def test_a_message_that_is_here_already_is_no_silence():
    bench = living()
    bench.ticking = False  # the gateway was busy: the deadline and the message come in one go
    bench.says(409, "a", health(), late_s=2)
    assert not bench.alarms(LOST)
    assert alive(bench) is Alive.ON_TIME


def test_the_gateways_absence_is_not_the_nodes_silence():
    bench = living()
    bench.until(100)
    bench.restarts(5000)
    assert not bench.alarms(LOST)
    assert alive(bench) is Alive.DUE
    assert alive(bench.until(5009)) is Alive.DUE
    assert alive(bench.until(5010)) is Alive.LATE
    assert bench.until(5310).history(LOST) == ["raised"]


def test_what_was_lost_before_a_restart_is_lost_after_it():
    bench = living().until(410)
    bench.restarts(5000)
    assert (alive(bench), bench.history(LOST)) == (Alive.LOST, ["raised"])


def test_after_a_restart_nothing_is_good_until_the_node_reports():
    bench = living()
    bench.restarts(20)
    for tag in ("battery", "temperature", "score", "anomalous", "sensor", "liveness"):
        change = bench.tag(f"node/a/{tag}")
        assert (change.quality, change.source_ms) == (Quality.RESTARTED, ms(0)), tag
    assert bench.tag("node/a/battery").value == 3000
    bench.says(30, "a", birth(100))
    assert bench.tag("node/a/battery").quality is Quality.RESTARTED  # a Birth says nothing of the battery
    assert bench.tag("node/a/liveness").quality is Quality.GOOD
    bench.says(40, "a", health())
    assert bench.tag("node/a/battery").quality is Quality.GOOD


def test_an_asset_is_trusted_as_far_as_its_kth_best_node():
    bench = Bench.of(plant())  # 2 of 3
    quality = lambda: bench.tag("asset/pump/state").quality  # noqa: E731
    assert quality() is Quality.NO_DATA
    bench.says(0, "a", birth(100))
    assert quality() is Quality.NO_DATA
    bench.says(0, "b", birth(1000))
    assert quality() is Quality.GOOD
    bench.says(0, "c", birth(10_000))
    bench.until(420)
    assert quality() is Quality.GOOD  # b and c can still speak up
    bench.says(430, "c", flag(why=4))
    assert quality() is Quality.LOST
    bench.says(440, "a", health())
    assert quality() is Quality.GOOD
    bench.restarts(450)
    assert quality() is Quality.RESTARTED


def test_a_fault_is_not_made_better_by_silence():
    bench = living()
    bench.says(1, "a", health(why=4))
    assert bench.tag("node/a/score").quality is Quality.SENSOR
    bench.until(230)
    assert bench.tag("node/a/score").quality is Quality.SENSOR
    assert bench.tag("node/a/battery").quality is Quality.STALE


def test_older_values_do_not_replace_newer_ones():
    bench = living()
    bench.says(50, "a", health(score=128))
    bench.says(20, "a", health(score=160), late_s=40)
    assert (bench.tag("node/a/score").value, bench.tag("node/a/score").source_ms) == (100, ms(50))
