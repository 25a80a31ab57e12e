"""What a person asks for, from whichever side: OPC UA, Modbus, MQTT or the command line.

A command is journalled with who asked, where from and the comment; the engine answers it with a `CommandResult`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CommandKind(StrEnum):
    """What can be asked of an Alarm (ISA-18.2)."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    UNKNOWN_ALARM = "unknown_alarm"
    UNKNOWN_EVENT = "unknown_event"  # the event named is not the alarm's newest: what was seen is not what stands
    ALREADY = "already"  # it is so already
    REFUSED = "refused"  # malformed or not allowed, the detail says why


@dataclass(frozen=True, slots=True)
class Command:
    """One request. Alarms are named by `alarm` ("asset/pump-1/anomaly"), by `event`, or by both (then both must fit).

    `until_ms` (Unix ms) goes with SHELVE, which needs a comment as its reason, too. `learn` goes with ACKNOWLEDGE of an
    anomaly: what is there now is normal from now on, and is learned.
    """

    kind: CommandKind
    actor: str
    origin: str  # the protocol and the peer's address, such as "opcua 127.0.0.1"
    alarm: str = ""
    event: int = 0
    comment: str = ""
    until_ms: int = 0
    learn: bool = False


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The answer, given after the command is durable. `event` is the event it caused, or 0."""

    outcome: Outcome
    event: int = 0
    detail: str = ""
