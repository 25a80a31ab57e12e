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

from gateway.core.command import Command, CommandKind
from gateway.runtime.decider import Decider

NAME = "control.sock"
MAX_LINE = 65_536
PATIENCE_S = 10.0

_KIND = TypeAdapter(CommandKind)


class ControlFailed(Exception):  # noqa: N818 - the world's or the operator's fault
    """The gateway does not run, or did not understand."""


class Control:
    """Serves the control socket."""

    def __init__(self, state_dir: Path, decider: Decider) -> None:
        self._path = state_dir / NAME
        self._decider = decider

    async def run(self) -> None:
        """Serve until cancelled."""
        self._path.unlink(missing_ok=True)
        old = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_LINE)
        finally:
            os.umask(old)
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await reader.readline()
                answer = await self._answer(json.loads(line), _peer(writer))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ValueError, OSError) as error:
            writer.write(json.dumps({"error": str(error) or type(error).__name__}).encode() + b"\n")
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any], origin: str) -> dict[str, Any]:
        try:
            command = Command(
                _KIND.validate_python(request["kind"]),
                actor=str(request["actor"]),
                origin=origin,
                alarm=str(request.get("alarm", "")),
                event=int(request.get("event", 0)),
                comment=str(request.get("comment", "")),
                until_ms=int(request.get("until_ms", 0)),
            )
        except (KeyError, ValidationError) as error:
            raise ValueError(f"not a command: {error}") from error
        result = await self._decider.command(command)
        return {"outcome": str(result.outcome), "event": result.event, "detail": result.detail}


def ask(state_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the running gateway. Raises ControlFailed if none runs or it refuses the request."""
    path = state_dir / NAME
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
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
