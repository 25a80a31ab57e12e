"""Reads the committed vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.wire.messages import Message

FOLDER = Path(__file__).parents[2] / "nodes" / "wire" / "vectors"
MESSAGES = (
    "birth", "flag", "window", "health", "result", "sampled", "learner_state", "ack", "command", "offer", "chunk",
)  # fmt: skip


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))


ADDED = ("more", "learner")
"""What messages of 0.1.0 have been given since: no vector of that release speaks of it."""


def as_json(message: Message) -> dict[str, Any]:
    """A message in the form that the vectors have."""

    def plain(value: Any) -> Any:
        match value:
            case bytes():
                return value.hex()
            case tuple() if hasattr(value, "_asdict"):
                return {name: plain(part) for name, part in value._asdict().items()}
            case tuple():
                return list(value)
            case int() if value > 2**53:
                return str(value)
        return value

    return {name: plain(value) for name, value in message._asdict().items() if value is not None or name not in ADDED}
