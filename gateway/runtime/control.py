"""The control socket: how the command line speaks to the running gateway.

One JSON line in, one JSON line out. The socket lies in the state folder and is its owner's alone, so that whoever may
read the keys may also acknowledge an alarm from the shell, and nobody else.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.core.command import Command
from gateway.runtime.decider import Decider

NAME = "control.sock"
MAX_LINE = 65_536
PATIENCE_S = 10.0

_COMMAND = TypeAdapter(Command)


class ControlFailed(Exception):  # noqa: N818 - the world's or the operator's fault
    """The gateway does not run, or did not understand."""


class Control:
    """Serves the control socket."""

    def __init__(self, state_dir: Path, decider: Decider) -> None:
        self._path = state_dir / NAME
        self._decider = decider

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_unix_server(self._serve, sock=self._bound(), limit=MAX_LINE)
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    def _bound(self) -> socket.socket:
        self._path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX)
        old = os.umask(0o177)
        try:
            bound.bind(str(self._path))
        except OSError:
            bound.close()
            raise
        finally:
            os.umask(old)
        return bound

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self._answer(await reader.readline(), _peer(writer))
        except TimeoutError:
            answer = {"error": f"no answer within {PATIENCE_S:g} s; what was asked may still be done"}
        except (ValueError, RecursionError, OSError) as error:
            answer = {"error": str(error) or type(error).__name__}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    async def _answer(self, line: bytes, origin: str) -> dict[str, Any]:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise ValueError("not a command: a JSON object is expected")
        command = _command(request | {"origin": origin})
        result = await self._decider.command(command)
        return {"outcome": str(result.outcome), "event": result.event, "detail": result.detail}


def _command(request: dict[str, Any]) -> Command:
    """ValueError for anything that is no command."""
    if unknown := request.keys() - Command.__dataclass_fields__.keys():
        raise ValueError(f"not a command: unknown {', '.join(sorted(unknown))}")
    try:
        return _COMMAND.validate_json(json.dumps(request), strict=True)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"not a command: {'; '.join(faults)}") from error


def ask(state_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the running gateway, and wait for its answer. Raises ControlFailed if none runs or it refuses to."""
    path = state_dir / NAME
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2 * PATIENCE_S)  # its own error comes first
        try:
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile("rb") as answer:
                line = answer.readline(MAX_LINE)
        except OSError as error:
            raise ControlFailed(f"{path}: {error.strerror or error}: does the gateway run?") from error
    reply: dict[str, Any] = json.loads(line) if line else {"error": "the gateway hung up"}
    if "error" in reply:
        raise ControlFailed(str(reply["error"]))
    return reply


def _peer(writer: asyncio.StreamWriter) -> str:
    """The peer's user id, as the kernel vouches for it."""
    sock = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return f"cli uid {uid}"
