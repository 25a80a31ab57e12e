"""The journal's chain of hashes, as pure functions.

The hash of entry i is SHA-256(hash of entry i-1 ‖ head ‖ outcome); before the first entry stands SHA-256(gateway id).
Head and outcome are unambiguous: every variable part is preceded by its length. Integers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

GATEWAY_ID_BYTES = 8

_HEAD = struct.Struct(">qqqQQ")  # id, at_ms, version, length of kind, length of body
_OUTCOME = struct.Struct(">?QQ")  # is there a decision, its length, number of events
_EVENT = struct.Struct(">qq")  # event number, index in the decision's updates
_CHECKPOINT = struct.Struct(">qqqqQQ")  # entry, at_ms, last event, anchor, lengths of the two hashes
_SNAPSHOT = struct.Struct(">qQ")  # entry, length of the engine version


def gateway_id(public_key: bytes) -> bytes:
    """The 8 bytes that name a gateway for good, from its raw Ed25519 public key (32 bytes)."""
    return sha256(public_key).digest()[:GATEWAY_ID_BYTES]


def genesis(gateway: bytes) -> bytes:
    """What stands before the first entry."""
    return sha256(gateway).digest()


def outcome(decision: bytes | None, events: Sequence[tuple[int, int]]) -> bytes:
    """Canonical form of what an entry led to: its encoded Updates, and (event number, index) of each event in them."""
    packed = b"".join(_EVENT.pack(number, index) for number, index in events)
    return _OUTCOME.pack(decision is not None, len(decision or b""), len(events)) + (decision or b"") + packed


NO_OUTCOME = outcome(None, ())


def link(previous: bytes, entry: int, at_ms: int, kind: bytes, version: int, body: bytes, led_to: bytes) -> bytes:
    """Hash of one entry (32 bytes). `kind` is UTF-8, `led_to` is from `outcome`."""
    head = _HEAD.pack(entry, at_ms, version, len(kind), len(body))
    return sha256(b"".join((previous, head, kind, body, led_to))).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The state of the chain after one entry. Signed, it is a checkpoint: where an audit can begin.

    `anchor` is the newest configuration entry up to here (0: none yet) and `anchor_hash` its hash in the chain, so
    that this one entry stays verifiable when everything up to here has been pruned.
    """

    entry: int
    hash: bytes
    at_ms: int  # of the entry; 0 before the first
    last_event: int
    anchor: int
    anchor_hash: bytes

    def message(self, gateway: bytes) -> bytes:
        """The bytes that are signed (Ed25519, RFC 8032)."""
        numbers = (self.entry, self.at_ms, self.last_event, self.anchor, len(self.hash), len(self.anchor_hash))
        return b"stethos checkpoint\0" + gateway + _CHECKPOINT.pack(*numbers) + self.hash + self.anchor_hash


def snapshot_message(gateway: bytes, entry: int, engine_version: bytes, state: bytes) -> bytes:
    """The bytes that are signed (Ed25519) for the engine's state after `entry`."""
    head = _SNAPSHOT.pack(entry, len(engine_version))
    return b"stethos snapshot\0" + gateway + head + engine_version + sha256(state).digest()
