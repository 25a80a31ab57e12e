"""Retained messages of what the plant no longer has.

A broker keeps a retained message until somebody clears it: without this, a node that was removed would show its last
values to every new subscriber, for good. What is swept is what carries this gateway's id and is no topic of the plant.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from hashlib import sha256

MOST = 100_000  # topics cleared in one sweep; the rest waits for the plant's next change


class Sweep:
    """Notes what a broker has retained that is ours, and not to be kept."""

    def __init__(self, keep: Collection[str], gateway_id: bytes) -> None:
        self.stale: set[str] = set()
        self._keep = keep
        self._gateway = gateway_id.hex()

    def heard(self, topic: str, payload: bytes) -> None:
        """The broker has a retained message."""
        if topic not in self._keep and len(self.stale) < MOST and self._is_ours(payload):
            self.stale.add(topic)

    def _is_ours(self, payload: bytes) -> bool:
        if self._gateway.encode() not in payload:
            return False
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            return False
        return isinstance(said, dict) and said.get("gateway") == self._gateway


def fingerprint(topics: Collection[str]) -> int:
    """63 bits that change with the set of topics: whether there can be anything to sweep."""
    return int.from_bytes(sha256("\n".join(sorted(topics)).encode()).digest()[:8]) >> 1
