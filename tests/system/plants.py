"""Small plants of real processes for the system tests, on free ports."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from gateway.demo.plant import DemoAsset, DemoNode, DemoPlant, Ports
from tests.system.clients import run

T = TypeVar("T")

_BELOW_EPHEMERAL = range(20_000, 32_000)  # the kernel gives none of these to somebody who asks for any port


def free_ports() -> Ports:
    """Five loopback ports that nobody holds."""
    return Ports(*(_free_port() for _ in range(5)))


def _free_port() -> int:
    while True:
        port = random.choice(_BELOW_EPHEMERAL)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port


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
