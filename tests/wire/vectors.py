"""Reads the committed vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.wire.messages import EnergyUc, Features, Message

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "vectors"
MESSAGES = ("birth", "flag", "window", "health", "result", "ack", "command")


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))


def as_json(message: Message | Features | EnergyUc) -> dict[str, Any]:
    """A message, or a part of one, in the form that the vectors have."""

    def plain(value: Any) -> Any:
        match value:
            case bytes():
                return value.hex()
            case Features() | EnergyUc():
                return as_json(value)
            case tuple():
                return list(value)
            case int() if value > 2**53:
                return str(value)
        return value

    return {name: plain(value) for name, value in message._asdict().items()}
