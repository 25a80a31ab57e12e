"""What the gateway has decided, in the log: every durable change of an Alarm or an Incident, once."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from gateway.core.plant import Plant, Scope
from gateway.core.update import AlarmChange, IncidentChange

log = structlog.get_logger()


def tell(changes: Sequence[AlarmChange | IncidentChange], plant: Plant) -> None:
    """Log changes that are durable. `event` is structlog's word for the message, so the number is `event_number`."""
    for change in changes:
        if isinstance(change, AlarmChange):
            _alarm(change, plant)
        else:
            log.info(
                f"incident {change.transition}", incident=change.incident, event_number=change.event,
                asset=change.origin, assets=list(change.assets), nodes=list(change.nodes),
            )  # fmt: skip


def _alarm(change: AlarmChange, plant: Plant) -> None:
    fields: dict[str, object] = {"alarm": str(change.alarm), "event_number": change.event, "state": str(change.state)}
    if change.alarm.scope is Scope.NODE:
        fields["node"] = change.alarm.name
        if node := plant.nodes.get(change.alarm.name):
            fields["asset"] = node.asset
    elif change.alarm.scope is Scope.ASSET:
        fields["asset"] = change.alarm.name
    if change.incident:
        fields["incident"] = change.incident
    if change.actor:
        fields |= {"actor": change.actor, "origin": change.origin, "comment": change.comment}
    elif change.comment:
        fields["detail"] = change.comment
    log.info(f"alarm {change.transition}", **fields)
