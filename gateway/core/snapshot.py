"""Snapshots of the engine: restore + the remaining entries = the same state, to the last byte of every Update."""

from __future__ import annotations

from typing import Any

import cbor2
from pydantic import TypeAdapter

from gateway.core.alarm import Alarm
from gateway.core.engine import ENGINE_VERSION, Engine
from gateway.core.evidence import Basis, Episode, Evidence, Verdict
from gateway.core.incident import Incident
from gateway.core.liveness import Alive, Schedule
from gateway.core.nodes import NodeState
from gateway.core.plant import AlarmId, Plant
from gateway.core.rescore import Pending
from gateway.core.update import AlarmChange, TagChange, decode_updates, encode_updates

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
            "incident_of_asset": engine.incidents.of_asset,
            "evidence": {
                name: [[v.event_ms, v.entry, v.node, int(v.basis), v.score_pct, v.why] for v in evidence.verdicts]
                for name, evidence in engine.assets.evidence.items()
            },
            "forgotten_ms": engine.assets.forgotten_ms,
            "pending": [
                [entry, p.node, p.model, p.event_ms, p.deadline_ms, p.feature_set, p.values, p.claimed]
                for entry, p in engine.rescores.pending.items()
            ],
            "nodes": {
                name: [n.schedule.heartbeat_ms, n.schedule.last_seen_ms, int(n.alive), n.fault]
                for name, n in engine.nodes.nodes.items()
            },
        }
    )


def restore(data: bytes) -> Engine:
    """The inverse of `take`. Raises SnapshotBroken."""
    try:
        state = cbor2.loads(data)
        if state["version"] != ENGINE_VERSION:
            raise SnapshotBroken(f"taken by engine version {state['version']}, this is {ENGINE_VERSION}")
        return _restore(state)
    except SnapshotBroken:
        raise
    except (ValueError, TypeError, KeyError, EOFError, cbor2.CBORError) as error:
        raise SnapshotBroken(f"unreadable: {error}") from error


def _restore(s: dict[str, Any]) -> Engine:
    engine = Engine()
    engine.last_id, engine.now_ms = s["last_id"], s["now_ms"]
    engine.plant = None if s["plant"] is None else _PLANT.validate_python(s["plant"])
    engine.ledger.event = s["event"]
    engine.ledger.counters = s["counters"]
    engine.ledger.tags = {u.tag: u for u in decode_updates(s["tags"]) if isinstance(u, TagChange)}
    engine.timers.take_over(s["timers"])
    engine.alarms.restore(dict(_alarm(row) for row in s["alarms"]))
    engine.incidents.number = s["incident_number"]
    engine.incidents.incidents = {i.id: i for i in map(_incident, s["incidents"])}
    engine.incidents.of_asset = s["incident_of_asset"]
    engine.assets.evidence = {
        name: Evidence([Verdict(at, entry, node, Basis(basis), pct, why) for at, entry, node, basis, pct, why in rows])
        for name, rows in s["evidence"].items()
    }
    engine.assets.forgotten_ms = s["forgotten_ms"]
    engine.rescores.pending = {
        entry: Pending(node, model, event_ms, deadline_ms, feature_set, tuple(values), claimed)
        for entry, node, model, event_ms, deadline_ms, feature_set, values, claimed in s["pending"]
    }
    engine.nodes.nodes = {
        name: NodeState(Schedule(heartbeat_ms, last_seen_ms), Alive(alive), fault)
        for name, (heartbeat_ms, last_seen_ms, alive, fault) in s["nodes"].items()
    }
    engine.nodes.lost = sum(n.alive is Alive.LOST for n in engine.nodes.nodes.values())
    return engine


def _alarm_row(alarm: Alarm) -> list[object]:
    return [
        encode_updates([alarm.last]), alarm.condition, alarm.condition_source_ms, alarm.delay_ends_ms, alarm.events,
    ]  # fmt: skip


def _alarm(row: list[object]) -> tuple[AlarmId, Alarm]:
    last, *rest = row
    assert isinstance(last, bytes)
    (change,) = decode_updates(last)
    assert isinstance(change, AlarmChange)
    return change.alarm, Alarm(change, *rest)  # type: ignore[arg-type]


def _incident_row(i: Incident) -> list[object]:
    members = [[name, e.onset_ms, e.decided_ms, e.last_ms, list(e.nodes), e.score_pct] for name, e in i.members.items()]
    return [i.id, members, sorted(i.quiet), i.origin]


def _incident(row: list[object]) -> Incident:
    match row:
        case [int(number), list(members), list(quiet), str(origin)]:
            episodes = {
                name: Episode(onset, decided, last, tuple(nodes), pct)
                for name, onset, decided, last, nodes, pct in members
            }
            return Incident(number, episodes, set(quiet), origin)
    raise SnapshotBroken(f"an incident of the form {row!r}")
