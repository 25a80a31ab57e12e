"""Processes of a bench: what they cost, and the gateway under a NOTIFY_SOCKET of ours."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path

READY_S = 300.0
STOP_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process, in seconds (proc(5), stat: utime, stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MiB (proc(5), status: VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


class GatewayEnded(Exception):
    """It did not come up, or ended by itself; the message holds the end of its log."""


class Gateway:
    """A gateway process that can be ended and started again. `start_s`: from exec to READY=1, the last time."""

    def __init__(self, config: Path, module: Sequence[str] = ("gateway",)) -> None:
        """`module` ends in `stethos run`."""
        self._config = config
        self._module = module
        self._log = config.parent / "gateway.log"
        self._notify = config.parent / "notify"
        self._ready = asyncio.Event()
        self._ear: socket.socket | None = None
        self._process: Process | None = None
        self.start_s = 0.0

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None, "not running"
        return self._process.pid

    async def start(self) -> None:
        """Returns when it says READY. Raises GatewayEnded, or TimeoutError if it says nothing."""
        self._listen()
        began_s = time.monotonic()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._module, "run", "-c", str(self._config),
                stdin=DEVNULL, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": str(self._notify)},
            )  # fmt: skip
        ready, ended = asyncio.create_task(self._ready.wait()), asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({ready, ended}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            ended.cancel()
        self.start_s = time.monotonic() - began_s
        if not self._ready.is_set():
            said = self._log.read_text()[-2000:]
            if self._process.returncode is None:
                raise TimeoutError(f"no READY from the gateway in {READY_S:.0f} s: {said}")
            raise GatewayEnded(f"the gateway ended with {self._process.returncode}: {said}")

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Returns its exit code, 0 if there was nothing to end. Raises TimeoutError if it had to be killed."""
        process, self._process = self._process, None
        try:
            if process is None:
                return 0
            if process.returncode is None:
                process.send_signal(how)
            try:
                return await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
                raise
        finally:
            self._deafen()

    def _listen(self) -> None:
        """Be its service manager, for as long as it runs: nobody else would take what it says."""
        self._notify.unlink(missing_ok=True)
        self._ready.clear()
        self._ear = ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.setblocking(False)
        ear.bind(str(self._notify))
        asyncio.get_running_loop().add_reader(ear, self._hear, ear)

    def _hear(self, ear: socket.socket) -> None:
        if b"READY=1" in ear.recv(4096).split(b"\n"):
            self._ready.set()

    def _deafen(self) -> None:
        if self._ear is not None:
            asyncio.get_running_loop().remove_reader(self._ear)
            self._ear.close()
            self._ear = None
