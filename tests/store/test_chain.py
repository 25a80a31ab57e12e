"""The chain's encoding: known values worked out by hand from its description, and no two contents with one hash."""

from __future__ import annotations

import struct
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from gateway.store import chain

INT = st.integers(-(2**63), 2**63 - 1)
EVENTS = st.lists(st.tuples(INT, INT), max_size=3)
CONTENT = st.tuples(
    INT, INT, st.binary(max_size=4), INT, st.binary(max_size=4), st.none() | st.binary(max_size=4), EVENTS
)


def _link(content: tuple[int, int, bytes, int, bytes, bytes | None, list[tuple[int, int]]]) -> bytes:
    *head, decision, events = content
    return chain.link(bytes(32), *head, chain.outcome(decision, events))  # type: ignore[arg-type]


def test_an_entry_is_hashed_as_described() -> None:
    # previous, then id, at_ms, version and two lengths in 8 bytes each, kind, body, then the outcome
    numbers = b"".join(n.to_bytes(8, "big") for n in (7, 1000, 2, 4, 3))
    led_to = b"\1" + (2).to_bytes(8, "big") + (1).to_bytes(8, "big") + b"UP" + struct.pack(">QQ", 5, 0)
    expected = sha256(bytes(range(32)) + numbers + b"tick" + b"abc" + led_to).digest()
    assert chain.link(bytes(range(32)), 7, 1000, b"tick", 2, b"abc", chain.outcome(b"UP", [(5, 0)])) == expected


def test_the_chain_begins_with_the_gateway() -> None:
    assert chain.gateway_id(bytes(32)) == sha256(bytes(32)).digest()[:8]
    assert chain.genesis(b"\1\2\3\4\5\6\7\0") == sha256(b"\1\2\3\4\5\6\7\0").digest()


@given(CONTENT, CONTENT)
def test_different_entries_have_different_hashes(a: tuple[object, ...], b: tuple[object, ...]) -> None:
    assert (_link(a) == _link(b)) == (a == b)  # type: ignore[arg-type]


def test_no_decision_is_not_an_empty_decision() -> None:
    assert chain.outcome(None, ()) != chain.outcome(b"", ())


def test_a_boundary_moved_between_kind_and_body_changes_the_hash() -> None:
    a = chain.link(b"", 1, 1, b"tick", 1, b"s", chain.NO_OUTCOME)
    assert a != chain.link(b"", 1, 1, b"ticks", 1, b"", chain.NO_OUTCOME)
