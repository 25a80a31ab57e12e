"""Reads the committed vectors."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.wire.messages import Message

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "vectors"
MESSAGES = ("birth", "flag", "window", "health", "result", "ack", "command")


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))


def as_json(message: Message) -> dict[str, Any]:
    """A message in the form that the vectors have."""

    def plain(value: Any) -> Any:
        match value:
            case bytes():
                return value.hex()
            case dict():
                return {key: plain(item) for key, item in value.items()}
            case tuple():
                return list(value)
            case int() if value > 2**53:
                return str(value)
        return value

    return {name: plain(value) for name, value in asdict(message).items()}
