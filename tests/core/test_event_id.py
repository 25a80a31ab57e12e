from hypothesis import given
from hypothesis import strategies as st

from gateway.core.event_id import ID_BYTES, EventIds

GATEWAY = bytes(range(8))
events = st.integers(1, 2**32 - 1)


def test_an_id_is_gateway_life_and_number() -> None:
    assert EventIds(GATEWAY).id_of(258).hex() == "00010203040506070000000000000102"
    restored = EventIds.of_marks(GATEWAY, {"restored/7": 300, "restored/3": 258, "epoch": 7, "down/restored/9": 1})
    assert [restored.id_of(n).hex()[16:] for n in (258, 259, 300, 301)] == [
        "0000000000000102", "0000000300000103", "000000030000012c", "000000070000012d",
    ]  # fmt: skip


@given(event=events, kept=events, other=events)
def test_what_a_lost_life_has_named_is_named_otherwise_and_what_was_kept_is_named_as_before(
    event: int, kept: int, other: int
) -> None:
    before, after = EventIds(GATEWAY, ((10, 2),)), EventIds(GATEWAY, ((10, 2), (kept, 5)))
    assert (before.id_of(event) == after.id_of(event)) == (event <= kept)
    assert (after.id_of(event) == after.id_of(other)) == (event == other)
    assert len(after.id_of(event)) == ID_BYTES


@given(event=events, kept=events, noise=st.binary(max_size=15))
def test_only_an_id_that_was_given_leads_back_to_its_event(event: int, kept: int, noise: bytes) -> None:
    ids = EventIds(GATEWAY, ((kept, 5),))
    assert ids.event_of(ids.id_of(event)) == event
    assert ids.event_of(EventIds(GATEWAY).id_of(event)) == (event if event <= kept else 0)
    assert ids.event_of(EventIds(bytes(8)).id_of(event)) == 0
    assert ids.event_of(noise) == 0
    assert ids.event_of(ids.id_of(event)[:15]) == 0
