"""A parcel: an image that waits for a node, is taken in pieces, and goes when the node has it or will not have it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import mailbox, snapshot
from gateway.core.command import Outcome
from gateway.core.entry import Offered, Posted
from gateway.core.mailbox import Code, Order, Parcel
from gateway.wire.image import CHUNK_BYTES, MANIFEST, Manifest, Reply, Store, manifest_for, reply_text
from gateway.wire.messages import BirthMore, HealthMore, Offer, Result
from tests.core.plants import Bench, birth, health, ms, plant

PAYLOAD = bytes(range(250)) * 4
IMAGE = manifest_for("board", Store.MODEL, PAYLOAD, 7)
LOW, ENOUGH = 2600, 2900


@pytest.fixture
def bench():
    bench = Bench.of(plant(), well=False)
    bench.says(0, "a", birth())
    return bench


def offer(bench, at_s, image=IMAGE, *, least_mv=2700, node="a", expires_s=3600.0):
    return bench.at(at_s, Offered(node, image, least_mv, ms(expires_s), "ann", "cli uid 0")).result


def waiting(bench, node="a"):
    box = bench.engine.mail.boxes.get(node)
    return box.letters if box else []


def due(bench, node="a"):
    box = bench.engine.mail.boxes.get(node)
    return box.due if box else None


def result(number, code, detail=None):
    return Result(2, 0, number, int(code), None if detail is None else int(detail))


def battery(load_mv):
    return health()._replace(more=HealthMore(load_mv, 0, 0, 0))


def test_the_node_leads_through_its_parcel_until_it_has_it(bench):
    assert offer(bench, 1).outcome is Outcome.DONE
    bench.says(2, "a", birth()._replace(last_command=4))
    assert due(bench).message == Offer(5, Store.MODEL, len(PAYLOAD), hashlib.sha256(PAYLOAD).digest(), 7)
    for at, wanted in enumerate((0, 384, 768, 384)):
        bench.says(3 + at, "a", result(5, Code.GO_ON, wanted))
        assert due(bench).wanted == wanted
    bench.says(9, "a", result(5, Code.DONE))
    assert not bench.engine.mail.boxes and "letter_not_taken" not in bench.engine.ledger.counters


def test_refused_at_the_offer_is_for_good_and_at_a_chunk_asks_for_the_offer_again(bench):
    offer(bench, 1)
    bench.says(2, "a", birth())
    bench.says(3, "a", result(1, Code.GO_ON, 384))
    bench.says(4, "a", result(1, Code.REFUSED))
    assert due(bench).wanted == 384
    bench.says(5, "a", result(1, Code.FAILED, Reply.UNCONFIRMED))
    assert due(bench).id == 1, "what it has been given before is on trial: later, perhaps"
    bench.says(6, "a", result(1, Code.FAILED, Reply.HASH))
    assert not bench.engine.mail.boxes
    offer(bench, 7)
    bench.says(8, "a", birth()._replace(last_command=1))
    bench.says(9, "a", result(2, Code.REFUSED))
    assert not bench.engine.mail.boxes
    assert bench.engine.ledger.counters["letter_not_taken"] == 2


@pytest.mark.parametrize("store", [Store.MODEL, Store.LEARNER, Store.FIRMWARE])
def test_a_birth_that_names_the_image_is_as_good_as_the_result_that_was_lost(bench, store):
    image = manifest_for("board", store, PAYLOAD, 7)
    mine, other = image.sha256[:8], b"12345678"

    def born(model, learner, counter):
        bench.says(3, "a", birth()._replace(last_command=1, model=model, more=BirthMore(128, 0, counter, 0, learner)))

    offer(bench, 1, image)
    born(other, other, 6)
    assert due(bench).image == image
    born(*{Store.MODEL: (mine, None, 0), Store.LEARNER: (None, mine, 0), Store.FIRMWARE: (None, None, 7)}[store])
    assert not bench.engine.mail.boxes


def test_a_parcel_goes_on_after_restarts_of_either_side(bench):
    offer(bench, 1)
    bench.says(2, "a", birth())
    bench.says(3, "a", result(1, Code.GO_ON, 768))
    bench.restarts(4)
    assert due(bench) is None, "the node is asked first which letter was its last"
    bench.says(5, "a", birth()._replace(last_command=1))
    assert due(bench) == Parcel(1, IMAGE, 2700, ms(3600), 768)
    bench.says(6, "a", birth()._replace(last_command=1))
    assert due(bench).id == 1


def test_a_weak_battery_holds_a_parcel_back_and_nothing_else(bench):
    bench.says(1, "a", battery(LOW))
    offer(bench, 2)
    assert due(bench) is None
    bench.says(2, "a", birth())
    bench.says(3, "a", battery(LOW))
    bench.at(4, Posted("a", Order.IDENTIFY, None, ms(3600), "ann", "cli"))
    assert due(bench).message.kind == Order.IDENTIFY
    bench.says(4, "a", battery(ENOUGH))
    assert due(bench).message.kind == Order.IDENTIFY, "it has been told that, and has not answered"
    bench.says(5, "a", battery(LOW))
    bench.says(5, "a", result(1, Code.DONE))
    assert due(bench) is None and len(waiting(bench)) == 1
    bench.says(6, "a", battery(ENOUGH))
    assert due(bench).id == 3, "its number is above those that the node was told meanwhile"
    bench.says(7, "a", battery(LOW))
    assert due(bench) is None, "also half-way"
    offer(bench, 8, least_mv=0)
    assert due(bench).least_mv == 0


def test_without_a_voltage_under_load_that_at_rest_counts_and_without_any_nothing_is_held(bench):
    offer(bench, 1, least_mv=3001)
    bench.says(2, "a", birth())
    assert due(bench)
    bench.says(3, "a", health())  # 3000 mV
    assert due(bench) is None


def test_what_a_node_said_of_its_battery_before_counts_when_a_parcel_is_posted(bench):
    bench.says(1, "a", health())
    offer(bench, 2, least_mv=3001)
    bench.says(3, "a", birth())
    assert due(bench) is None


def test_a_newer_parcel_for_a_store_takes_the_place_of_the_older(bench):
    newer = manifest_for("board", Store.MODEL, PAYLOAD[::-1], 8)
    offer(bench, 1)
    offer(bench, 2, manifest_for("board", Store.FIRMWARE, PAYLOAD, 1))
    bench.at(3, Posted("a", Order.IDENTIFY, None, ms(3600), "ann", "cli"))  # of the number that a store has, too
    bench.says(4, "a", birth())
    offer(bench, 5, newer)
    assert [letter.key for letter in waiting(bench)] == [(True, 3), (False, 1), (True, 0)]
    assert waiting(bench)[-1].image == newer
    assert bench.engine.ledger.counters["letter_superseded"] == 1


def test_images_have_a_bound_and_one_for_many_nodes_counts_once(bench, monkeypatch):
    monkeypatch.setattr(mailbox, "MAX_IMAGES_BYTES", 1500)
    assert offer(bench, 1).outcome is Outcome.DONE
    assert offer(bench, 2, node="b").outcome is Outcome.DONE
    other = manifest_for("board", Store.MODEL, PAYLOAD[::-1], 8)
    refused = offer(bench, 3, other, node="c")
    assert (refused.outcome, refused.detail) == (
        Outcome.REFUSED, "images for other nodes take all the room there is for them",
    )  # fmt: skip
    assert bench.engine.ledger.counters["image_refused"] == 1
    assert bench.engine.mail.images() == {IMAGE.sha256: len(PAYLOAD)}
    assert offer(bench, 4, node="nobody").detail == "nobody: no node of this plant"


def test_a_parcel_expires_by_itself_and_its_image_with_it(bench):
    offer(bench, 1, expires_s=10)
    bench.until(10)
    assert not bench.engine.mail.boxes and bench.engine.mail.images() == {}


def test_a_snapshot_holds_the_parcels(bench):
    offer(bench, 1)
    bench.says(2, "a", birth())
    bench.says(3, "a", battery(ENOUGH))
    bench.says(3, "a", result(1, Code.GO_ON, 384))
    state = snapshot.take(bench.engine)
    again = snapshot.restore(state)
    assert again.mail.boxes == bench.engine.mail.boxes
    assert again.mail.boxes["a"].battery_mv == ENOUGH
    assert snapshot.take(again) == state


NODE_SAYS = st.one_of(
    st.tuples(st.just("born"), st.integers(0, 6)),
    st.tuples(st.just("result"), st.integers(0, 4)),
    st.tuples(st.just("battery"), st.sampled_from([LOW, ENOUGH])),
    st.tuples(st.just("offer"), st.sampled_from(list(Store))),
    st.tuples(st.just("command"), st.sampled_from([Order.IDENTIFY, Order.BIRTH])),
)


@given(st.lists(NODE_SAYS, max_size=25))
def test_whatever_happens_numbers_that_go_out_only_rise_and_none_goes_out_below_what_the_node_has_said(script):
    bench = Bench.of(plant(), well=False)
    told = said = 0
    for at, (what, *how) in enumerate(script, 1):
        match what:
            case "born":
                said = max(said, how[0])
                bench.says(at, "a", birth()._replace(last_command=said))
            case "result":
                said = max(said, told)  # of what it was told last, which it then has kept
                bench.says(at, "a", result(told, how[0], 0))
            case "battery":
                bench.says(at, "a", battery(how[0]))
            case "offer":
                offer(bench, at, manifest_for("board", how[0], PAYLOAD, at))
            case "command":
                bench.at(at, Posted("a", how[0], None, ms(3600), "ann", "cli"))
        if letter := due(bench):
            assert letter.id >= max(told, said), "the node would take it for one that it has done"
            told = letter.id
            assert not (isinstance(letter, Parcel) and bench.engine.mail.boxes["a"].battery_mv == LOW)


def test_a_manifest_is_what_it_was_and_damage_is_named():
    signed = replace_signature(IMAGE)
    assert Manifest.parse(signed.pack() + PAYLOAD) == signed
    assert Manifest.parse(IMAGE.pack()) == IMAGE
    for broken in (b"", IMAGE.pack()[:-1], b"X" + IMAGE.pack()[1:], IMAGE.pack()[:4] + b"\x09" + IMAGE.pack()[5:]):
        with pytest.raises(ValueError, match="manifest"):
            Manifest.parse(broken)
    with pytest.raises(ValueError, match="1 to 16 bytes"):
        manifest_for("a board of a long name", Store.MODEL, b"", 1)


def replace_signature(image):
    return image._replace(signature=bytes(range(64)))


@pytest.mark.parametrize("store", list(Store))
def test_pieces_joined_are_the_file(store):
    image, pieces = manifest_for("board", store, PAYLOAD, 1), []
    while piece := image.piece(PAYLOAD, sum(map(len, pieces))):
        pieces.append(piece)
    assert b"".join(pieces) == (b"" if store is Store.LEARNER else image.pack()) + PAYLOAD
    assert len(b"".join(pieces)) == image.file_size
    assert len(pieces[0]) == CHUNK_BYTES >= MANIFEST.size and all(len(piece) % 8 == 0 for piece in pieces[:-1])


def test_every_reason_of_a_node_has_words():
    final = set(Reply) - {Reply.OK, Reply.OFFSET, Reply.TORN, Reply.NOT_OPEN}
    assert len({reply_text(reply) for reply in final}) == len(final)
    assert reply_text(99) == "code 99"
