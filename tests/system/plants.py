"""Small plants of real processes for the system tests, on free ports."""

from __future__ import annotations

import asyncio
import fcntl
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from gateway.demo.plant import DemoAsset, DemoNode, DemoPlant, Ports, built_in
from gateway.demo.processes import House
from tests.system.clients import run

T = TypeVar("T")

FAILING = "sim:motor?fault=imbalance&at=0&ramp=0"
FIRST_MODELS = Path(__file__).parents[2] / "build" / "models"

_BELOW_EPHEMERAL = range(20_000, 32_000)  # the kernel gives none of these to somebody who asks for any port
_BLOCK = 100


def free_ports() -> Ports:
    """Five loopback ports that nobody holds and no other test process will be given while this one lives."""
    return Ports(*(_free_port() for _ in range(5)))


@dataclass(frozen=True)
class _Block:
    """Ports of this process alone, one after the other and round again. `held` is what tells the others: a name among
    the abstract Unix sockets, which goes with the process.
    """

    held: socket.socket
    ports: Iterator[int]


@cache
def _own_block() -> _Block:
    held = socket.socket(socket.AF_UNIX)
    firsts = _BELOW_EPHEMERAL[::_BLOCK]
    for first in random.sample(firsts, len(firsts)):
        with suppress(OSError):
            held.bind(f"\0stethos-test-ports-{first}")
            return _Block(held, cycle(range(first, first + _BLOCK)))
    raise AssertionError("every block of ports is held by another test process")


def _free_port() -> int:
    for port in islice(_own_block().ports, _BLOCK):
        with suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port of this process's block is free")


def first_models() -> Path:
    """The folder of the demo's bundles, made once for all test processes."""
    FIRST_MODELS.parent.mkdir(exist_ok=True)
    with (FIRST_MODELS.parent / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built_in(FIRST_MODELS)
    return FIRST_MODELS


async def fail(house: House, name: str) -> None:
    """From now on the motor of a node is out of balance: when, no clock decides."""
    await house.end_node(name)
    await house.start_node(name, "--source", FAILING)


def motor(name: str, asset: str, link: str, models: Path, source: str, seed: int, heartbeat_ms: int) -> DemoNode:
    """A simulated motor node that looks three times a second."""
    image = str(models / "motor-node" / "image.cbor")
    arguments = ("--source", source, "--model", image, "--seed", str(seed), "--wake-ms", "300")
    return DemoNode(name, asset, link, (*arguments, "--heartbeat-ms", str(heartbeat_ms)))


def asset(name: str, nodes: tuple[str, ...], k: int) -> DemoAsset:
    """An asset whose nodes are re-scored by the motors' host model."""
    return DemoAsset(name, "hall-1", "line-1", k, (), tuple((node, "motor-host") for node in nodes))


def plant(assets: tuple[DemoAsset, ...], nodes: tuple[DemoNode, ...], models: Path) -> DemoPlant:
    """One whose incidents stay open for the length of a test."""
    return DemoPlant("works", assets, nodes, models, window_s=20, quiet_s=900)


async def stethos(config: Path, *arguments: str, ok: tuple[int, ...] = (0,), hash_seed: str = "random") -> str:
    """What the command line prints, in a process of its own."""
    env = {"PYTHONHASHSEED": hash_seed, "COLUMNS": "240", "PATH": "/usr/bin:/bin"}
    return await run(sys.executable, "-m", "gateway", *arguments, "-c", str(config), ok=ok, env=env)


async def until(found: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
    """The first true answer of `found`."""
    end = time.monotonic() + timeout_s
    while not (answer := found()):
        assert time.monotonic() < end, f"no {what} in {timeout_s:.0f} s"
        await asyncio.sleep(0.05)
    return answer


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def metrics(port: int) -> dict[tuple[str, ...], float]:
    """(metric, label values in the order of their names...) -> value, as Prometheus reads them."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
