"""`[learning] acknowledged = "learn"`: each acknowledgement of an anomaly says that what is there now is normal.

It is put into the command before that is journalled: the journal has what was decided on, and replay needs no settings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from gateway.core.command import CommandKind
from gateway.core.engine import Engine
from gateway.core.entry import Commanded
from gateway.core.plant import AlarmKind

Asked = TypeVar("Asked")


def learning(body: Asked, engine: Engine) -> Asked | Commanded:
    """What was asked for, as it is to be journalled. `engine`: as it stands."""
    if not isinstance(body, Commanded) or body.command.kind is not CommandKind.ACKNOWLEDGE or engine.plant is None:
        return body
    named = engine.alarms.named(body.command, engine.plant.alarm_ids())
    is_anomaly = named is not None and named.kind is AlarmKind.ANOMALY
    return Commanded(replace(body.command, learn=True)) if is_anomaly else body
