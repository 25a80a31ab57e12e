"""Provisioning as the tests do it: a node.json, a board's port, a registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.provision import micropython_board, provisioning
from gateway.provision.boards import Software
from gateway.provision.provisioning import Order
from gateway.store.keys import NodeKey, Registry
from tests.provision.board import ROOT, Board

FILES = ROOT / "nodes" / "micropython"
UDP = {"kind": "wifi_udp", "ssid": "works", "key": "key", "gateway": "127.0.0.1:47200"}
ROOM = {
    "hardware": "esp32-sht3x",
    "sensor": {"chip": "sht3x", "bus": {"kind": "i2c", "id": 0, "scl": 22, "sda": 21}},
    "feature_set": 3, "samples": 32, "rate_millihz": 50_000,
    "limits": [[2000, 2800], [3000, 5000]],
    "radio": UDP,
}  # fmt: skip
MOTOR = {
    "hardware": "esp32-lis3dh",
    "sensor": {"chip": "lis3dh", "bus": {"kind": "i2c", "id": 0, "scl": 22, "sda": 21}},
    "radio": UDP,
}  # fmt: skip


def order(
    folder: Path,
    name: str,
    settings: dict[str, Any],
    *,
    replace: bool = False,
    model: bytes | None = None,
    **software: Path,
) -> Order:
    """`software`: native, mpy_cross."""
    file = folder / "node.json"
    file.write_text(json.dumps(settings))
    return Order(name, micropython_board.read(file), model, Software(FILES, **software), replace)


def provision(board: Board, state_dir: Path, wanted: Order, said: list[str] | None = None) -> NodeKey:
    """As the command does; what it says goes to `said`."""
    return provision_at(str(board.port), state_dir, wanted, said if said is not None else [])


def provision_at(port: str, state_dir: Path, wanted: Order, said: list[str]) -> NodeKey:
    """At a port."""
    found = micropython_board.open_board(port, 115200, 10)
    assert found
    registry = Registry.open(state_dir)
    try:
        return provisioning.provision(found, registry, state_dir, wanted, now_ms=1, say=said.append)
    finally:
        registry.close()
        found.close()


def keys(state_dir: Path) -> tuple[NodeKey, ...]:
    """The registry's."""
    registry = Registry.open(state_dir)
    try:
        return registry.list()
    finally:
        registry.close()


def key_on(board: Board) -> tuple[str, str]:
    """Id and secret of key.json."""
    key = json.loads((board.folder / "key.json").read_bytes())
    return key["id"], key["secret"]
