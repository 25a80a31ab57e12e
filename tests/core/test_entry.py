"""Entries and Updates: their binary forms, older versions, broken ones."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import entry as entries
from gateway.core import update as updates
from gateway.core.command import Command, CommandKind
from gateway.core.entry import (
    Commanded,
    Configured,
    EntryBroken,
    EntryKind,
    Learned,
    Noticed,
    Offered,
    Posted,
    Report,
    Scored,
    Started,
    Tick,
)
from gateway.core.mailbox import Order
from gateway.core.plant import AlarmId, AlarmKind, Scope, TagId
from gateway.core.update import AlarmChange, AlarmTransition, IncidentChange, IncidentTransition, Quality, TagChange
from gateway.wire.image import Store, manifest_for
from gateway.wire.messages import Flag
from tests.core.plants import MODEL, birth, flag, health, ms, plant, report, window

BODIES = [
    Configured(plant()),
    Configured(plant(model="m", on_delay_s=1.5)),
    Configured(plant(), "journal.keep_days = 90.0\nlink.b.baud = 9600", ("link b: started", "model m: changed")),
    Started("0.1.0"),
    report("a", birth(), ms(1)),
    report("a", flag(features=True), ms(1)),
    report("a", health(), ms(1)),
    report("a", window(), ms(1)),
    Scored(7, 250, 100, MODEL),
    Scored(7, 0, 0, b"", "does not fit"),
    Commanded(Command(CommandKind.SHELVE, "ann", "cli uid 0", "asset/pump/anomaly", 3, "noise", ms(9))),
    Commanded(Command(CommandKind.ACKNOWLEDGE, "ann", "cli uid 0", "asset/pump/anomaly", learn=True)),
    Posted("a", Order.COLLECT, 12, ms(9), "ann", "cli uid 0"),
    Posted("a", Order.IDENTIFY, None, ms(9), "ann", "cli uid 0"),
    Offered("a", manifest_for("board", Store.MODEL, b"image", 7), 2700, ms(9), "ann", "cli uid 0"),
    Learned("a", "commissioned", "240 rows", b"state"),
    Tick(),
    Noticed(AlarmKind.JOURNAL_SPACE, True, ms(1), "12 MiB free"),
    Noticed(AlarmKind.OUTPUT_BEHIND, False, ms(1)),
]

PUMP = AlarmId(Scope.ASSET, "pump", AlarmKind.ANOMALY)
SAID = [
    TagChange(TagId(Scope.NODE, "a", "battery"), 3000, Quality.STALE, ms(0)),
    TagChange(TagId(Scope.NODE, "a", "anomalous"), True, Quality.GOOD, ms(0)),
    TagChange(TagId(Scope.NODE, "a", "battery"), None, Quality.NO_DATA, 0),
    AlarmChange(
        1, PUMP, AlarmTransition.SHELVED, True, False, ms(9), False, ms(1), ms(2), ms(1), 1, True, "ann", "cli"
    ),
    IncidentChange(2, 1, IncidentTransition.GROWN, ("pump", "fan"), ("a", "b"), "pump", ms(0), ms(1), ms(2), True),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_entry_round_trip(body):
    kind, version, data = entries.encode(body)
    assert (kind, version) == (EntryKind(kind), entries.VERSIONS[kind])
    assert entries.decode(str(kind), version, data) == body
    assert entries.encode(entries.decode(str(kind), version, data)) == (kind, version, data)


@given(
    st.integers(0, 2**63), st.integers(-(2**31), 2**63), st.integers(0, 2**31), st.binary(max_size=40), st.text(),
)  # fmt: skip
def test_what_is_put_together_by_hand_is_what_an_encoder_writes(number, value, threshold, data, name):
    score = Scored(number, value, threshold, data, name)
    said = Report(name, "link", number, threshold, number, data, health())
    assert entries.encode(score)[2] == cbor2.dumps(list(score))
    assert entries.encode(said)[2] == cbor2.dumps(list(said[:6]))
    assert updates.encode_decision([], [(number, threshold)]) == cbor2.dumps([[], [[number, threshold]]])


def test_every_kind_is_covered():
    assert {entries.encode(body)[0] for body in BODIES} == set(EntryKind)


def test_an_older_version_is_brought_up_step_by_step(monkeypatch):
    """Once upon a time, `started` had no version, and then only a number."""
    monkeypatch.setattr(entries, "VERSIONS", {**entries.VERSIONS, EntryKind.STARTED: 3})
    upcasters = {
        (EntryKind.STARTED, 1): lambda fields: [*fields, 0],
        (EntryKind.STARTED, 2): lambda fields: [f"0.{fields[0]}.0"],
    }
    monkeypatch.setattr(entries, "UPCASTERS", upcasters)
    assert entries.decode("started", 1, cbor2.dumps([])) == Started("0.0.0")
    assert entries.decode("started", 2, cbor2.dumps([7])) == Started("0.7.0")
    assert entries.decode("started", 3, cbor2.dumps(["1.0.0"])) == Started("1.0.0")


def test_every_older_version_has_an_upcaster():
    for kind, version in entries.VERSIONS.items():
        assert all((kind, older) in entries.UPCASTERS for older in range(1, version)), kind


@pytest.mark.parametrize(
    ("kind", "version", "data", "says"),
    [
        ("prophecy", 1, cbor2.dumps([]), "prophecy"),
        ("tick", 2, cbor2.dumps([]), "newer than this release"),
        ("tick", 0, cbor2.dumps([]), "tick version 0"),
        ("tick", 1, cbor2.dumps([1]), "tick: fields that do not fit"),
        ("tick", 1, b"", "tick version 1"),
        ("tick", 1, b"\xff", "tick: fields that do not fit"),
        ("started", 1, cbor2.dumps("no list"), "do not fit"),
        ("started", 1, cbor2.dumps(7), "do not fit"),
        ("score", 1, cbor2.dumps(["7", 1, 1, b"", ""]), "do not fit"),
        ("command", 1, cbor2.dumps(["dance", "", "", "", 0, "", 0]), "dance"),
        ("report", 1, cbor2.dumps(["a", "l", 1, 0, 1, b"\x63"]), "report version 1"),
        ("report", 1, cbor2.dumps(["a", "l", 1, 0, 1, b""]), "report version 1"),
        ("config", 1, cbor2.dumps([{"site": "works"}]), "config version 1"),
        ("config", 2, cbor2.dumps([{"site": "works"}]), "config version 2"),
        ("config", 3, cbor2.dumps([{"site": "works"}]), "config: fields that do not fit"),
        ("config", 3, cbor2.dumps([{"site": "works"}, "", []]), "config version 3"),
        ("config", 4, cbor2.dumps([{}, "", []]), "config version 4 is newer than this release, which knows 3"),
        ("noticed", 1, cbor2.dumps(["node_lost", True, 0, ""]), "not an alarm of the gateway"),
        ("noticed", 1, cbor2.dumps(["journal_space", True]), "fields that do not fit"),
    ],
)
def test_what_cannot_be_read_says_so(kind, version, data, says):
    with pytest.raises(EntryBroken, match=says):
        entries.decode(kind, version, data)


def test_a_plant_of_the_first_release_gains_the_alarms_of_the_gateway():
    kind, _, data = entries.encode(Configured(plant()))
    fields, *_ = cbor2.loads(data)
    own = {"journal_space": None, "output_behind": None}
    old = cbor2.dumps([fields | {"alarms": {k: text for k, text in fields["alarms"].items() if k not in own}}])
    assert len(old) < len(data)
    assert entries.decode(kind, 1, old).plant.alarms.keys() == set(AlarmKind)


def test_a_configuration_of_the_first_releases_says_nothing_but_the_plant():
    kind, _, data = entries.encode(Configured(plant(), "journal.keep_days = 90.0", ("link b: started",)))
    fields, *_ = cbor2.loads(data)
    assert entries.decode(kind, 2, cbor2.dumps([fields])) == Configured(plant())


def test_updates_round_trip():
    assert updates.decode_updates(updates.encode_updates(SAID)) == SAID
    assert updates.decode_decision(updates.encode_decision(SAID, [(7, ms(5))])) == SAID
    assert updates.decode_updates(updates.encode_updates([])) == []


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
TIMES = st.integers(0, 2**63)


@given(st.lists(st.tuples(st.sampled_from(list(Scope)), VALUES, st.sampled_from(list(Quality)), TIMES)))
def test_tags_are_written_by_hand_as_cbor2_writes_them(rows):
    changes = [TagChange(TagId(scope, "a-1", "score"), *rest) for scope, *rest in rows]
    plain = [[0, f"{scope}/a-1/score", value, int(quality), at] for scope, value, quality, at in rows]
    assert updates.encode_updates(changes) == cbor2.dumps(plain)


@given(st.text(max_size=40), TIMES, TIMES, TIMES, st.binary(max_size=600))
def test_reports_are_written_by_hand_as_cbor2_writes_them(name, seq, generation, at_ms, payload):
    fields = [name, f"link-{name}", seq, generation, at_ms, payload]
    *_, data = entries.encode(Report(*fields, Flag(0, 0, 0, 0, 0)))
    assert data == cbor2.dumps(fields)


@pytest.mark.parametrize(
    "rows",
    [
        7,
        [7],
        [[9]],
        [[0, "node/a", 1, 0, 0]],
        [[0, "node/a/battery", 1.5, 0, 0]],
        [[0, "node/a/battery", 1, 99, 0]],
        [[1, 1, str(PUMP), "raised"]],
        [[1, 1, str(PUMP), "exploded", *[0] * 12]],
        [[2, 1, 1, "opened", [], []]],
    ],
)
def test_what_is_no_update(rows):
    with pytest.raises(ValueError, match=r".+"):
        updates.decode_updates(cbor2.dumps(rows))
    with pytest.raises(ValueError, match=r".+"):
        updates.decode_decision(cbor2.dumps([rows, []]))


@pytest.mark.parametrize("data", [b"", b"\xff", cbor2.dumps(7), cbor2.dumps([[]]), cbor2.dumps([[], 7])])
def test_what_is_no_decision(data):
    with pytest.raises(ValueError, match=r".+"):
        updates.decode_decision(data)


def test_the_bytes_of_updates_do_not_change_unnoticed():
    """A journal of an earlier release is compared byte for byte with what is decided today."""
    assert updates.encode_updates(SAID[:1]).hex() == ("8185006e6e6f64652f612f62617474657279190bb80a1b000001a3185c5000")
