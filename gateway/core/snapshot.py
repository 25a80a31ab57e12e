"""Snapshots of the engine: restore + the remaining entries = the same state, to the last byte of every Update."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import cbor2
from pydantic import TypeAdapter

from gateway.core.alarm import Alarm
from gateway.core.engine import ENGINE_VERSION, Engine
from gateway.core.entry import with_gateway_alarms
from gateway.core.evidence import Basis, Episode, Evidence, Verdict
from gateway.core.incident import Bout, Incident
from gateway.core.liveness import Alive, Schedule
from gateway.core.mailbox import Box, Letter, Order, Parcel
from gateway.core.nodes import NodeState
from gateway.core.plant import AlarmId, Plant
from gateway.core.rescore import Pending
from gateway.core.update import AlarmChange, Quality, TagChange, decode_updates, encode_updates
from gateway.wire.image import Manifest

_PLANT = TypeAdapter(Plant)


class SnapshotBroken(ValueError):  # noqa: N818 - named like the other faults of stored things
    """A snapshot cannot be read; the journal is replayed from an older one instead."""


def take(engine: Engine) -> bytes:
    """The whole state of an engine."""
    return cbor2.dumps(
        {
            "version": ENGINE_VERSION,
            "last_id": engine.last_id,
            "now_ms": engine.now_ms,
            "plant": None if engine.plant is None else _PLANT.dump_python(engine.plant),
            "event": engine.ledger.event,
            "tags": encode_updates(list(engine.ledger.tags.values())),
            "counters": engine.ledger.counters,
            "timers": engine.timers.state(),
            "alarms": [_alarm_row(alarm) for alarm in engine.alarms.alarms.values()],
            "incident_number": engine.incidents.number,
            "incidents": [_incident_row(incident) for incident in engine.incidents.incidents.values()],
            "evidence": {
                name: [[v.event_ms, v.entry, v.node, int(v.basis), v.score_pct, v.why] for v in evidence.verdicts]
                for name, evidence in engine.assets.evidence.items()
            },
            "forgotten_ms": engine.assets.forgotten_ms,
            "anomalous_ms": engine.assets.anomalous_ms,
            "normal_ms": engine.assets.normal_ms,
            "asset_quality": {name: int(quality) for name, quality in engine.assets.quality.items()},
            "pending": [
                [entry, p.node, p.model, p.event_ms, p.deadline_ms, p.feature_set, p.values, p.claimed]
                for entry, p in engine.rescores.pending.items()
            ],
            "nodes": {name: _node_row(node) for name, node in engine.nodes.nodes.items()},
            "mail": {
                name: [box.last, box.battery_mv, [_letter_row(letter) for letter in box.letters]]
                for name, box in engine.mail.boxes.items()
            },
        }
    )


def restore(data: bytes) -> Engine:
    """The inverse of `take`. Whether another engine version's state is wanted is the caller's to know. Raises
    SnapshotBroken.
    """
    try:
        return _restore(cbor2.loads(data))
    except SnapshotBroken:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, EOFError, cbor2.CBORError) as error:
        raise SnapshotBroken(f"unreadable: {error}") from error


def _restore(s: dict[str, Any]) -> Engine:
    engine = Engine()
    engine.last_id, engine.now_ms = s["last_id"], s["now_ms"]
    engine.plant = None if s["plant"] is None else _PLANT.validate_python(with_gateway_alarms(s["plant"]))
    engine.ledger.event = s["event"]
    engine.ledger.counters = s["counters"]
    engine.ledger.tags = {u.tag: u for u in decode_updates(s["tags"]) if isinstance(u, TagChange)}
    engine.timers.take_over(s["timers"])
    engine.alarms.restore(dict(_alarm(row) for row in s["alarms"]))
    engine.incidents.number = s["incident_number"]
    engine.incidents.take_over(map(_incident, s["incidents"]))
    engine.assets.evidence = {
        name: Evidence([Verdict(at, entry, node, Basis(basis), pct, why) for at, entry, node, basis, pct, why in rows])
        for name, rows in s["evidence"].items()
    }
    engine.assets.forgotten_ms = s["forgotten_ms"]
    engine.assets.anomalous_ms, engine.assets.normal_ms = s["anomalous_ms"], s["normal_ms"]
    engine.assets.quality = {name: Quality(quality) for name, quality in s["asset_quality"].items()}
    engine.rescores.pending = {
        entry: Pending(node, model, event_ms, deadline_ms, feature_set, tuple(values), claimed)
        for entry, node, model, event_ms, deadline_ms, feature_set, values, claimed in s["pending"]
    }
    engine.nodes.nodes = {
        name: NodeState(asset, Schedule(*schedule), Alive(alive), *rest)
        for name, (asset, schedule, alive, *rest) in s["nodes"].items()
    }
    engine.mail.boxes = {
        name: Box([_letter(row) for row in letters], last, battery_mv)
        for name, (last, battery_mv, letters) in s.get("mail", {}).items()
    }
    engine.nodes.lost = sum(n.alive is Alive.LOST for n in engine.nodes.nodes.values())
    return engine


def _letter_row(letter: Letter | Parcel) -> list[object]:
    number, what, *rest = letter
    return [number, letter.image.pack() if isinstance(letter, Parcel) else what, *rest]


def _letter(row: list[Any]) -> Letter | Parcel:
    number, what, *rest = row
    if isinstance(what, bytes):
        return Parcel(number, Manifest.parse(what), *rest)
    return Letter(number, Order(what), *rest)


def _node_row(node: NodeState) -> list[object]:
    asset, schedule, alive, *rest = (getattr(node, name) for name in NodeState.__slots__)
    return [asset, list(astuple(schedule)), int(alive), *rest]


def _alarm_row(alarm: Alarm) -> list[object]:
    last, *rest = (getattr(alarm, name) for name in Alarm.__slots__)
    return [encode_updates([last]), *rest]


def _alarm(row: list[Any]) -> tuple[AlarmId, Alarm]:
    last, *rest = row
    (change,) = decode_updates(last)
    if not isinstance(change, AlarmChange):
        raise SnapshotBroken(f"an alarm of the form {row!r}")
    return change.alarm, Alarm(change, *rest)


def _incident_row(i: Incident) -> list[object]:
    return [i.id, [[b.asset, list(b.episode), b.over, b.reachable] for b in i.bouts], i.origin]


def _incident(row: list[Any]) -> Incident:
    number, rows, origin = row
    bouts = [
        Bout(asset, number, Episode(onset, decided, last, tuple(nodes), pct), over, reachable)
        for asset, (onset, decided, last, nodes, pct), over, reachable in rows
    ]
    return Incident(number, bouts, origin, not all(bout.over for bout in bouts))
