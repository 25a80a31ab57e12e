"""The demo's MQTT broker on loopback: mosquitto if this machine has it, else amqtt in this process.

amqtt makes the demo run where nothing can be installed, and is no broker for a plant: it speaks MQTT 3.1.1 only, and a
subscriber that comes back does not get what was sent while it was away.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal

HOST = "127.0.0.1"
START_S = 10.0
STOP_S = 5.0


class BrokerFailed(Exception):  # noqa: N818 - it is the world's fault, not an error in the program
    """No broker to be had; the message says why."""


def broker(port: int) -> AbstractAsyncContextManager[None]:
    """A broker that accepts everybody on loopback at `port`, while the context lasts. Raises BrokerFailed."""
    found = _mosquitto()
    return mosquitto(found, port) if found else embedded(port)


def mqtt_version() -> Literal["5", "3.1.1"]:
    """The newest version that `broker` will speak here."""
    return "5" if _mosquitto() else "3.1.1"


def _mosquitto() -> str | None:
    # Debian keeps daemons out of an ordinary user's PATH.
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


@asynccontextmanager
async def mosquitto(executable: str, port: int) -> AsyncIterator[None]:
    """A mosquitto child process, which without a configuration serves loopback only and keeps nothing."""
    _require_free(port)
    process = await asyncio.create_subprocess_exec(
        executable,
        "-p",
        str(port),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is the demo's to handle: the broker is the last to go
    )
    try:
        await _until_it_accepts(process, port)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def embedded(port: int) -> AsyncIterator[None]:
    """An amqtt broker in this process."""
    try:
        from amqtt.broker import Broker
        from amqtt.errors import BrokerError
    except ImportError as error:
        raise BrokerFailed("no MQTT broker: install mosquitto, or stethos[demo]") from error
    _require_free(port)
    running = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await running.start()
    except BrokerError as error:
        raise BrokerFailed(f"amqtt on {HOST}:{port}: {error}") from error
    try:
        yield
    finally:
        await running.shutdown()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BrokerFailed(f"an MQTT broker cannot listen on {HOST}:{port}: {error}") from error


async def _until_it_accepts(process: asyncio.subprocess.Process, port: int) -> None:
    try:
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return
    except TimeoutError as error:
        raise BrokerFailed(f"mosquitto does not accept on {HOST}:{port} after {START_S:.0f} s") from error
    raise BrokerFailed(f"mosquitto ended at once on {HOST}:{port} with code {process.returncode}")
