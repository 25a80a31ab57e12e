"""The service manager's side of the daemon: readiness, reloads, a line of status, and the watchdog (sd_notify(3)).

The protocol is one datagram of lines on a unix socket, and is spoken here rather than through systemd-python: a gateway
installed without that C extension must not be killed by a watchdog it could not feed. Outside a service manager
(`NOTIFY_SOCKET` not set) all of it does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Self

import structlog

from gateway.core.liveness import Alive
from gateway.runtime.decider import Decider
from gateway.runtime.pump import Pump

STATUS_S = 10.0
"""The line of status is at most this old."""

SETTLE_S = 60.0
"""An Output that has neither opened nor failed by then holds up readiness no longer: nodes are heard all the same."""

log = structlog.get_logger()


class Service:
    """What the service manager is told. Whatever cannot be sent is logged and counted, and the gateway goes on."""

    def __init__(
        self, address: str = "", watchdog_s: float = 0, count: Callable[[str], None] = lambda name: None
    ) -> None:
        """`address` of the manager's socket ("": there is none); `watchdog_s`: 0 if it does not watch."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._pause_s = min(STATUS_S, watchdog_s / 2) if watchdog_s else STATUS_S
        self._count = count
        self._note = ""
        self._ready = False

    @classmethod
    def of(cls, environment: Mapping[str, str], count: Callable[[str], None]) -> Self:
        """As the manager has announced itself to this process (sd_notify(3), sd_watchdog_enabled(3))."""
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_us = int(environment.get("WATCHDOG_USEC", "0")) if watched else 0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog_us / 1e6, count)

    async def attend(
        self, settled: Iterable[asyncio.Event], pulse: Callable[[], Awaitable[None]], status: Callable[[], str]
    ) -> None:
        """Say READY once every Output has had its first try; then feed the watchdog after each `pulse` (the pipeline
        has turned), and say how things are. A loop or a pipeline that stands still feeds nobody.
        """
        if not self._address:
            return
        await pulse()
        await _all(settled)
        await self._send("READY=1", f"STATUS={status()}")
        self._ready = True
        while True:
            await pulse()
            await self._send("WATCHDOG=1", f"STATUS={'; '.join(filter(None, [self._note, status()]))}")
            await asyncio.sleep(self._pause_s)

    async def reloading(self) -> None:
        """The configuration is being read again; `reloaded` follows. Before READY that is part of the start."""
        if not self._ready:
            return
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        await self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    async def reloaded(self, note: str = "") -> None:
        """The reload is over. A `note`, such as why nothing was changed, heads the status until the next reload."""
        self._note = " ".join(note.split())
        if self._ready:
            await self._send("READY=1", *([f"STATUS={self._note}"] if note else []))

    async def stopping(self) -> None:
        """The end has begun: it is no failure."""
        await self._send("STOPPING=1", "STATUS=stopping: what was accepted is being decided")

    async def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.setblocking(False)
            try:
                manager.connect(self._address)
                await asyncio.get_running_loop().sock_sendall(manager, "\n".join(lines).encode())
            except OSError as error:
                self._count("notify_failed")
                log.warning("the service manager cannot be told", lines=lines, reason=str(error))


async def _all(settled: Iterable[asyncio.Event]) -> None:
    try:
        async with asyncio.timeout(SETTLE_S):
            for event in settled:
                await event.wait()
    except TimeoutError:
        log.warning("an output neither opens nor fails; ready without it")


def status(decider: Decider, pumps: Iterable[Pump]) -> str:
    """One line for a person who types `systemctl status stethos`."""
    nodes, alarms = decider.engine.nodes.nodes.values(), decider.engine.alarms
    lost = sum(node.alive is Alive.LOST for node in nodes)
    parts = [
        "accepting" if decider.accepting else "NOT ACCEPTING, the journal cannot be written",
        f"{sum(node.heard for node in nodes)} of {len(nodes)} nodes heard" + (f", {lost} lost" if lost else ""),
        f"{alarms.active} alarms active, {alarms.unacknowledged} unacknowledged",
    ]
    outputs = list(pumps)
    for word, names in (
        ("up", [pump.name for pump in outputs if pump.up]),
        ("DOWN", [pump.name for pump in outputs if not pump.up]),
    ):
        if names:
            parts.append(f"{', '.join(names)} {word}")
    return "; ".join(parts)
