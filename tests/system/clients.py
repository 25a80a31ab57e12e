"""Clients that nobody here wrote, as child processes: each line they print is one JSON value, and all are kept."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"
TIMEOUT_S = 30.0

Line = dict[str, Any]


class Stream:
    """What a running client has said so far."""

    def __init__(self, command: Sequence[str], stdin: asyncio.StreamWriter | None = None) -> None:
        self.lines: list[Line] = []
        self._stdin = stdin
        self._command = command
        self._more = asyncio.Condition()
        self._ended = False

    async def read(self, source: asyncio.StreamReader) -> None:
        """Until the client ends."""
        async for line in source:
            if line.startswith(b"{"):
                self.lines.append(json.loads(line))
                async with self._more:
                    self._more.notify_all()
        self._ended = True
        async with self._more:
            self._more.notify_all()

    def tell(self, line: object) -> None:
        """Give the client a line of JSON to read."""
        assert self._stdin is not None
        self._stdin.write(json.dumps(line).encode() + b"\n")

    async def until(self, found: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> Any:
        """The first true answer of `found`, which is asked again at every new line."""
        try:
            async with asyncio.timeout(timeout_s), self._more:
                while not (answer := found()):
                    assert not self._ended, f"{self._command[:2]} ended without {what}: {self.lines[-3:]}"
                    await self._more.wait()
                return answer
        except TimeoutError:
            raise AssertionError(f"no {what} from {self._command[:2]} in {timeout_s:.0f} s") from None

    async def first(self, fits: Callable[[Line], Any], what: str, after: int = 0, timeout_s: float = TIMEOUT_S) -> Line:
        """The first line from number `after` on that fits."""
        found: Line = await self.until(
            lambda: next((line for line in self.lines[after:] if fits(line)), None), what, timeout_s
        )
        return found


@asynccontextmanager
async def streaming(*command: str) -> AsyncIterator[Stream]:
    """A client that runs while the context lasts."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=1 << 20)
    assert process.stdout is not None
    stream = Stream(command, process.stdin)
    reader = asyncio.create_task(stream.read(process.stdout))
    try:
        yield stream
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reader


async def run(*command: str, ok: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None) -> str:
    """What a program printed, once it has ended with one of the codes in `ok`: if not 0, with its complaint."""
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=env)
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode in ok, f"{command} ended with {process.returncode}: {out.decode()}{err.decode()}"
    return out.decode() if process.returncode == 0 else out.decode() + err.decode()


async def lines(*command: str) -> list[Line]:
    """What a client printed, once it has ended well."""
    return [json.loads(line) for line in (await run(*command)).splitlines() if line.startswith("{")]


def mosquitto_sub(port: int, *options: str) -> tuple[str, ...]:
    """mosquitto_sub at QoS 1, a JSON object a message."""
    return ("mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-F", "%J", *options)


def opcua(script: str, port: int, login: tuple[str, str], pki: Path, *options: str) -> tuple[str, ...]:
    """One of the node-opcua programs, against a gateway's endpoint."""
    return ("node", str(PEERS / script), f"opc.tcp://127.0.0.1:{port}/stethos", *login, str(pki), *options)


class Desk:
    """Runs node-opcua programs one after the other, without loading the library each time."""

    def __init__(self, stream: Stream, port: int, login: tuple[str, str], pki: Path) -> None:
        self._stream = stream
        self._arguments = (f"opc.tcp://127.0.0.1:{port}/stethos", *login, str(pki))
        self._one_at_a_time = asyncio.Lock()

    async def run(self, script: str, *options: str) -> list[Line]:
        """What one of them printed."""
        async with self._one_at_a_time:
            began = len(self._stream.lines)
            self._stream.tell((script, *self._arguments, *options))
            await self._stream.first(lambda line: "done" in line, script, began, 2 * TIMEOUT_S)
            return self._stream.lines[began:-1]


def modbus(script: str, port: int, *arguments: object) -> tuple[str, ...]:
    """One of the modbus-serial programs."""
    return ("node", str(PEERS / script), "127.0.0.1", str(port), *map(str, arguments))


async def mbpoll(port: int, address: int, count: int) -> list[int]:
    """Input registers as mbpoll (Debian) reads them."""
    out = await run(
        "mbpoll", "-m", "tcp", "-a", "1", "-0", "-1", "-q", "-t", "3:hex", "-p", str(port), "-r", str(address),
        "-c", str(count), "127.0.0.1",
    )  # fmt: skip
    return [int(line.split()[-1], 16) for line in out.splitlines() if line.startswith("[")]
