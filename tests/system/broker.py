"""A real mosquitto for tests: on a free loopback port, with its own files, ended by its own pid.

async with mosquitto(tmp_path) as broker:
    async with aiomqtt.Client("127.0.0.1", broker.port): ...
    await broker.stop()    # the broker goes away
    await broker.start()   # and comes back on the same port
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

START_TIMEOUT_S = 10.0
PORT_ATTEMPTS = 5


class BrokerDown(Exception):
    """mosquitto did not start; the message holds its log."""


class Broker:
    """One mosquitto process, which can be stopped and started again on the same port."""

    host = "127.0.0.1"

    def __init__(self, folder: Path, port: int, lines: Sequence[str]) -> None:
        self.port = port
        self.log = folder / f"mosquitto-{port}.log"
        self._config = folder / f"mosquitto-{port}.conf"
        self._config.write_text("\n".join([f"listener {port} {self.host}", *lines, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port`"""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Start, and return when the listener accepts. Raises BrokerDown, with the log, if it ends instead."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [executable(), "-c", str(self._config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                # Its own word, not only an open port: the port might be somebody else's.
                while b" running" not in self.log.read_bytes():
                    if self._process.poll() is not None:
                        raise BrokerDown(self.log.read_text(errors="replace"))
                    await asyncio.sleep(0.01)
        except BaseException:
            await self.stop(signal.SIGKILL)
            raise

    def send_signal(self, how: signal.Signals) -> None:
        """SIGSTOP makes it a broker that holds its connections and does nothing, SIGCONT wakes it."""
        assert self._process is not None, "not running"
        self._process.send_signal(how)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process: SIGTERM saves a persistent broker's state, SIGKILL is the power cut."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while self._process.poll() is None:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self._process.kill()
            self._process.wait()
        self._process = None


@asynccontextmanager
async def mosquitto(folder: Path, *, persistence: bool = False, lines: Sequence[str] = ()) -> AsyncIterator[Broker]:
    """A running mosquitto that keeps its files in `folder`. `lines` go into its configuration after the listener
    (TLS, passwords: `allow_anonymous` is then yours to give); without any, everybody may connect.
    """
    base = list(lines) or ["allow_anonymous true"]
    # As root, mosquitto would turn into a user who cannot write to `folder`.
    base += [f"user {pwd.getpwuid(os.getuid()).pw_name}", f"persistence {str(persistence).lower()}"]
    if persistence:
        base.append(f"persistence_location {folder}/")
    for attempt in range(PORT_ATTEMPTS):
        broker = Broker(folder, free_port(), base)
        try:
            await broker.start()
            break
        except BrokerDown as error:  # somebody was quicker to take the port
            if attempt + 1 == PORT_ATTEMPTS or "in use" not in str(error):
                raise
    try:
        yield broker
    finally:
        await broker.stop()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def executable() -> str:
    """Where mosquitto is: Debian keeps it out of an ordinary user's PATH."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
    if found is None:
        raise FileNotFoundError("mosquitto is not installed (Debian package mosquitto)")
    return found
