"""Commands that come over MQTT: strict JSON in, a result with the client's own id out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.outputs import Host
from gateway.outputs.mqtt.payloads import VERSION, encoded

COMMAND_BYTES = 8192
WAITING = 64  # commands that may wait for the one before them


class Request(BaseModel):
    """What a client publishes on the commands topic. `until` goes with "shelve"; `learn` with "acknowledge": what is
    there now is normal from now on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1]
    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    kind: CommandKind
    actor: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    alarm: Annotated[str, StringConstraints(max_length=256)] = ""
    event: Annotated[int, Field(ge=0, lt=2**63)] = 0
    comment: Annotated[str, StringConstraints(max_length=1000)] = ""
    until: AwareDatetime | None = None
    learn: bool = False

    def command(self, origin: str) -> Command:
        """As the gateway understands it."""
        until_ms = int(self.until.timestamp() * 1000) if self.until else 0
        return Command(self.kind, self.actor, origin, self.alarm, self.event, self.comment, until_ms, self.learn)


def read_request(payload: bytes) -> Request:
    """Strict; ValueError says what is wrong, in one line."""
    if len(payload) > COMMAND_BYTES:
        raise ValueError(f"longer than {COMMAND_BYTES} bytes")
    try:
        return Request.model_validate_json(payload)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or 'payload'}: {e['msg']}" for e in error.errors())
        raise ValueError("; ".join(faults)[:500]) from error


def claimed_id(payload: bytes) -> str | None:
    """The id in a payload that is otherwise wrong, so that its sender learns of it."""
    try:
        request = json.loads(payload[:COMMAND_BYTES])
    except (ValueError, RecursionError):
        return None
    claimed = request.get("id") if isinstance(request, dict) else None
    return claimed if isinstance(claimed, str) and len(claimed) <= 64 else None


def result_payload(request_id: str | None, result: CommandResult) -> dict[str, object]:
    """What is published about a command; `request_id` is the client's own."""
    return {
        "v": VERSION,
        "id": request_id,
        "outcome": result.outcome,
        "event": result.event or None,
        "detail": result.detail,
    }


class Commands:
    """Commands on their way from the broker to the engine, carried out one after the other.

    Counts `commands`, `commands_malformed` (answered as refused) and `commands_overflow` (dropped: WAITING of them
    wait already).
    """

    def __init__(self, host: Host, origin: str) -> None:
        self._host = host
        self._origin = origin
        self._queue: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue(WAITING)

    def put(self, payload: bytes, *, retained: bool) -> None:
        """A command has come; never waits."""
        if self._queue.full():
            self._host.count("commands_overflow")
        else:
            self._queue.put_nowait((payload, retained))

    async def run(self, answer: Callable[[bytes], Awaitable[object]]) -> None:
        """Carry out what comes and hand each result to `answer`, until cancelled or until `answer` raises."""
        while True:
            payload, retained = await self._queue.get()
            await answer(encoded(await self._carry_out(payload, retained=retained)))

    async def _carry_out(self, payload: bytes, *, retained: bool) -> dict[str, object]:
        try:
            if retained:
                raise ValueError("a retained command is not carried out: it would be again at every reconnection")
            request = read_request(payload)
        except ValueError as error:
            self._host.count("commands_malformed")
            return result_payload(claimed_id(payload), CommandResult(Outcome.REFUSED, detail=str(error)))
        self._host.count("commands")
        result = await self._host.command(request.command(self._origin))
        return result_payload(request.id, result)
