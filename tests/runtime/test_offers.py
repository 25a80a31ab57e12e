"""An image goes out piece by piece, each behind the Ack of the Result that wants it, and goes on after a restart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gateway.core.command import Outcome
from gateway.core.entry import Offered, Started
from gateway.core.mailbox import Code
from gateway.runtime import intake
from gateway.store.journal import Journal, JournalFull
from gateway.store.reader import Reader
from gateway.wire.image import Manifest, Store, manifest_for
from gateway.wire.messages import Ack, Chunk, DownMessage, Offer, Result
from tests.runtime.house import KEYS, House, WireNode, running, until

FAR_MS = 2**50
PAYLOAD = bytes(i * 7 % 251 for i in range(900))
IMAGE = manifest_for("board", Store.MODEL, PAYLOAD, 5)
FILE = IMAGE.pack() + PAYLOAD
OFFER = Offer(1, Store.MODEL.value, 900, IMAGE.sha256, 5)


async def offer(house: House, image: Manifest = IMAGE, payload: bytes = PAYLOAD, node: str = "n1") -> Outcome:
    return (await house.decider.offer(Offered(node, image, 0, FAR_MS, "ann", "test"), payload)).outcome


async def heard(house: House, node: WireNode, envelope: bytes) -> DownMessage | None:
    """What the gateway says behind its Ack to one more envelope."""
    before = len(house.wire.sent)
    await house.hand_in(envelope)
    await house.decider.pulse()
    ack = node.open((await house.answered(before + 1))[before])[2]
    assert isinstance(ack, Ack) and ack.mail in (0, 1)
    said = [node.open(data)[2] for data in (await house.answered(before + 1 + ack.mail))[before + 1 :]]
    return said[0] if said else None


def says(node: WireNode, seq: int, code: Code, detail: int | None = None, letter: int = 1) -> bytes:
    return node.say(Result(seq, 0, letter, code.value, detail))


async def test_each_piece_follows_the_result_that_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAIL_AGAIN_MS", 3_600_000)
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        assert await offer(house) is Outcome.DONE
        assert await heard(house, node, node.birth(0)) == OFFER
        assert await heard(house, node, node.say_health(1)) is None, "it was offered just now"
        got = b""
        while len(got) < len(FILE):
            piece = await heard(house, node, says(node, 2 + len(got), Code.GO_ON, len(got)))
            assert isinstance(piece, Chunk) and (piece.transfer, piece.offset) == (1, len(got))
            got += piece.data
        assert got == FILE
        assert await heard(house, node, says(node, 3000, Code.DONE)) is None
        assert not house.decider.engine.mail.boxes and not house.decider.images
    with closing(Reader.open(tmp_path)) as reader:
        assert reader.images() == {}


async def test_a_piece_that_was_lost_is_sent_again_to_the_result_that_is(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await offer(house)
        await heard(house, node, node.birth(0))
        first = await heard(house, node, says(node, 1, Code.GO_ON, 384))
        again = await heard(house, node, says(node, 1, Code.GO_ON, 384))
        assert first == again == Chunk(1, 384, FILE[384:768])
        assert house.verdicts("resent") == 1


async def test_it_goes_on_after_the_gateways_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = WireNode(KEYS[0])
    async with running(tmp_path, graceful=False) as house:
        await offer(house)
        await heard(house, node, node.birth(0))
        await heard(house, node, says(node, 1, Code.GO_ON, 384))
    async with running(tmp_path) as house:
        await house.decider.put(Started("test"))
        assert await heard(house, node, node.birth(2)) == OFFER
        assert await heard(house, node, says(node, 3, Code.GO_ON, 768)) == Chunk(1, 768, FILE[768:])


async def test_after_a_reset_the_node_is_offered_it_again_and_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAIL_AGAIN_MS", 0)
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await offer(house)
        await heard(house, node, node.birth(0))
        await heard(house, node, says(node, 1, Code.GO_ON, 384))
        assert await heard(house, node, says(node, 2, Code.REFUSED)) == OFFER
        assert await heard(house, node, says(node, 3, Code.FAILED, 10)) is None
        assert not house.decider.engine.mail.boxes


async def test_an_image_is_kept_once_and_as_long_as_somebody_waits_for_it(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await offer(house)
        await offer(house, node="n2")
        newer = manifest_for("board", Store.MODEL, b"newer", 6)
        await offer(house, newer, b"newer")
        assert house.decider.images == {IMAGE.sha256: PAYLOAD, newer.sha256: b"newer"}
        await offer(house, newer, b"newer", node="n2")
        await until(lambda: house.decider.images == {newer.sha256: b"newer"})
        assert house.journal.images() == {newer.sha256: b"newer"}
        assert await offer(house, IMAGE, PAYLOAD, node="nobody") is Outcome.REFUSED
        assert house.decider.images.keys() == {newer.sha256}
    async with running(tmp_path) as house:
        assert house.decider.images == {newer.sha256: b"newer"}


class Full(Journal):
    """A journal whose disk can be full."""

    full = False

    def commit(self, group: object) -> None:
        if Full.full:
            raise JournalFull("no room")
        super().commit(group)  # type: ignore[arg-type]


async def test_what_could_not_be_written_is_refused_and_nobody_has_it(tmp_path: Path) -> None:
    async with running(tmp_path, kind=Full) as house:
        await house.decider.pulse()
        Full.full = True
        try:
            assert await offer(house) is Outcome.REFUSED
        finally:
            Full.full = False
        await house.decider.pulse()
        assert not house.decider.images and not house.decider.engine.mail.boxes


async def test_an_image_that_is_gone_is_counted_and_nothing_is_sent_in_its_place(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await offer(house)
        await heard(house, node, node.birth(0))
        house.decider.images.clear()
        assert await heard(house, node, says(node, 1, Code.GO_ON, 0)) is None
        assert house.counted("image_missing") == 1
