"""The control socket: how the command line speaks to the running gateway.

One JSON line in, one JSON line out. The socket lies in the state folder and is its owner's alone, so that whoever may
read the keys may also acknowledge an alarm from the shell, and nobody else.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from gateway.core.command import Command, CommandResult
from gateway.core.entry import Offered, Posted
from gateway.runtime.decider import Decider
from gateway.runtime.reload import Reloaded
from gateway.wire.image import MANIFEST, Manifest

NAME = "control.sock"
MAX_LINE = 1_048_576
"""Room for an image of 512 KiB, in base64."""
MAX_ASKING = 32  # at once; each is answered, or let go, in time
PATIENCE_S = 10.0
RELOAD = "reload"  # requests that are no Command
POST = "post"
OFFER = "offer"
RELOAD_PATIENCE_S = 60.0  # models are loaded and tried, parts are closed and opened


@dataclass(frozen=True, slots=True)
class _Offer:
    """`file`: manifest and payload, in base64. The rest as in `Offered`."""

    node: str
    file: str
    least_mv: int
    expires_ms: int
    actor: str
    origin: str


_Asked = TypeVar("_Asked", Command, Posted, _Offer)


class ControlFailed(Exception):  # noqa: N818 - the world's or the operator's fault
    """The gateway does not run, or did not understand."""


class Control:
    """Serves the control socket."""

    def __init__(self, state_dir: Path, decider: Decider, reload: Callable[[], asyncio.Future[Reloaded]]) -> None:
        self._path = state_dir / NAME
        self._decider = decider
        self._reload = reload
        self._asking = 0

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
        if self._asking >= MAX_ASKING:
            writer.write(json.dumps({"error": "too many are asking at once"}).encode() + b"\n")
            writer.close()
            return
        self._asking += 1
        try:
            await self._answer(reader, writer)
        finally:
            self._asking -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S) as patience:
                request = _request(await reader.readline())
                if request.get("kind") == RELOAD:
                    patience.reschedule(asyncio.get_running_loop().time() + RELOAD_PATIENCE_S)
                    answer = asdict(await asyncio.shield(self._reload()))
                else:
                    answer = await self._command(request, _peer(writer))
        except TimeoutError:
            answer = {"error": "no answer in time; what was asked may still be done"}
        except (ValueError, RecursionError, OSError) as error:
            answer = {"error": str(error) or type(error).__name__}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    async def _command(self, request: dict[str, Any], origin: str) -> dict[str, Any]:
        result = await self._asked(request, origin)
        return {"outcome": str(result.outcome), "event": result.event, "detail": result.detail}

    async def _asked(self, request: dict[str, Any], origin: str) -> CommandResult:
        letter = {key: value for key, value in request.items() if key != "kind"} | {"origin": origin}
        if request.get("kind") == POST:
            return await self._decider.post(_read(Posted, letter))
        if request.get("kind") == OFFER:
            return await self._decider.offer(*_image(_read(_Offer, letter)))
        return await self._decider.command(_read(Command, request | {"origin": origin}))


def _request(line: bytes) -> dict[str, Any]:
    request = json.loads(line)
    if not isinstance(request, dict):
        raise ValueError("not a command: a JSON object is expected")
    return request


def _read(wanted: type[_Asked], request: dict[str, Any]) -> _Asked:
    """ValueError for anything that is not what is wanted."""
    if unknown := request.keys() - wanted.__dataclass_fields__.keys():
        raise ValueError(f"not a command: unknown {', '.join(sorted(unknown))}")
    try:
        return TypeAdapter(wanted).validate_json(json.dumps(request), strict=True)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"not a command: {'; '.join(faults)}") from error


def _image(asked: _Offer) -> tuple[Offered, bytes]:
    """What is offered, and its payload. ValueError if that is not what its manifest says."""
    file = base64.b64decode(asked.file, validate=True)
    manifest, payload = Manifest.parse(file), file[MANIFEST.size :]
    if (len(payload), hashlib.sha256(payload).digest()) != (manifest.size, manifest.sha256):
        raise ValueError("what is offered is not what its manifest says")
    return Offered(asked.node, manifest, asked.least_mv, asked.expires_ms, asked.actor, asked.origin), payload


def answers(state_dir: Path) -> bool:
    """Whether a gateway listens on the control socket: after a crash its file is there though nobody does."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(state_dir / NAME))
        except OSError:
            return False
    return True


def ask(state_dir: Path, request: dict[str, Any], patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """Ask the running gateway, and wait for its answer. Raises ControlFailed if none runs or it refuses to."""
    path = state_dir / NAME
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2 * patience_s)  # its own error comes first
        try:
            client.connect(str(path))
            with suppress(BrokenPipeError):  # it has closed already, and said why
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
