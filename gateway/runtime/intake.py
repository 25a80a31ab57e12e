"""Intake: Links in, acknowledgements out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateway.core.mailbox import Box, Code, Parcel
from gateway.core.nodes import NOTICES
from gateway.links import Address, Link, LinkFailed
from gateway.runtime.admission import Admission, Admitted, Verdict
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Decider
from gateway.runtime.inbound import Arrival
from gateway.runtime.metrics import Metrics
from gateway.runtime.outbox import Outbox
from gateway.wire.image import reply_text
from gateway.wire.messages import Ack, Birth, Chunk, Command, DownMessage, Flag, Health, Offer, Result

BATCH = 256  # frames handed on at once
BITMAP_BITS = 32
MAIL_MAX = 23  # as many as an Ack can say (nodes/wire/wire.cddl)
MAIL_AGAIN_MS = 500  # a letter that was just sent is not sent again to what else a node says in that wake
_new = tuple.__new__  # a NamedTuple made of what it holds, without the call of Python that its own name is

log = structlog.get_logger()


async def session(name: str, link: Link, decider: Decider, count: Callable[[str], None]) -> None:
    """Open a Link, hand on what it receives and send its answers until it fails. Raises LinkFailed."""
    outbox = Outbox(link, count)
    try:
        await link.open()
        log.info("link up", link=name)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(outbox.run(), name=f"answers of {name}")
            while True:
                frames = await link.receive()
                for at in range(0, len(frames), BATCH):
                    await decider.put([_new(Arrival, (frame, name, outbox)) for frame in frames[at : at + BATCH]])
    except BaseExceptionGroup as group:
        failed, ours = group.split(LinkFailed)
        if failed is None or ours is not None:
            raise
        raise LinkFailed(str(failed.exceptions[0])) from group
    finally:
        outbox.close()
        await link.close()


class Answers:
    """Acknowledges durable messages: one Ack per node and group, through the Link that brought the message, and behind
    it the oldest letter of the node's mailbox, or the piece of an image that the node asks for.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._mailed: dict[str, tuple[int, int]] = {}  # number of the letter sent last to a node, and when (Unix ms)

    def heard(
        self,
        heard: Sequence[tuple[Arrival, Admitted]],
        admission: Admission,
        knows_schedule: Callable[[str], bool],
        mail: Callable[[str], Box | None],
        image: Callable[[bytes], bytes | None],
    ) -> None:
        """Seal the answers to a group of messages, and let them go. `image`: payload by its SHA-256."""
        by_node: dict[tuple[str, Outbox, Address], list[Admitted]] = {}
        for arrival, admitted in heard:
            node, message = admitted.node, admitted.message
            key = node, arrival.via, arrival.frame.address
            if said := by_node.get(key):
                said.append(admitted)
            else:
                by_node[key] = [admitted]
            if isinstance(message, Health):
                self._metrics.health(node, message)
            elif isinstance(message, Birth) and admitted.verdict is Verdict.ACCEPTED:
                self._metrics.born(node, message)
            elif isinstance(message, Flag) and message.why in NOTICES and admitted.verdict is Verdict.ACCEPTED:
                log.warning("a node gives notice", node=node, notice=NOTICES[message.why].removeprefix("notice_"))
            elif isinstance(message, Result) and admitted.verdict is Verdict.ACCEPTED:
                _tell(node, message)
        now_ms = self._clock.now_ms()
        for (node, outbox, address), said in by_node.items():
            box = mail(node)
            letter = self._due(node, box, said, now_ms, image) if box else None
            waiting = min(sum(map(box.sendable, box.letters)), MAIL_MAX) if box and letter else 0
            birth_wanted = not knows_schedule(node) or (box is not None and box.last is None)
            answers: list[DownMessage] = [*_acks(said, now_ms, waiting, birth_wanted=birth_wanted)]
            if letter:
                answers.append(letter)
            for answer in answers:
                envelope = admission.seal(node, answer)
                if envelope is None:
                    self._metrics.event("ack_not_sealed")
                else:
                    outbox.put(address, envelope)

    def _due(
        self, node: str, box: Box, said: Sequence[Admitted], now_ms: int, image: Callable[[bytes], bytes | None]
    ) -> Command | Offer | Chunk | None:
        """What is sent of the oldest letter: a piece of its image if it is that which the node has asked for, else the
        letter itself, unless it was sent just now.
        """
        due = box.due
        if due is None:
            return None
        sent, sent_ms = self._mailed.get(node, (0, 0))
        answer: Command | Offer | Chunk | None = due.message
        if isinstance(due, Parcel) and due.wanted is not None and _asks(said, due.id):
            payload = image(due.image.sha256)
            if payload is None:
                self._metrics.event("image_missing")
            piece = due.image.piece(payload or b"", due.wanted)
            answer = Chunk(due.id, due.wanted, piece) if payload and piece else None
        elif sent == due.id and 0 <= now_ms - sent_ms < MAIL_AGAIN_MS:
            return None
        self._mailed[node] = due.id, now_ms
        return answer


def _asks(said: Sequence[Admitted], letter: int) -> bool:
    """Whether a node wants the next piece."""
    return any(
        isinstance(m := admitted.message, Result) and m.id == letter and m.code == Code.GO_ON for admitted in said
    )


def _tell(node: str, result: Result) -> None:
    if result.code == Code.FAILED and result.detail is not None:
        log.warning("a node does not take what it was sent", node=node, reason=reply_text(result.detail))
    elif result.code not in (Code.DONE, Code.GO_ON):
        log.warning("a node does not do what it was told", node=node, letter=result.id, code=result.code)


def _acks(said: Sequence[Admitted], now_ms: int, mail: int, *, birth_wanted: bool) -> list[Ack]:
    """The answers to what one node has said in a group, at least one message; `mail`: letters that wait."""
    if len(said) == 1 and said[0].verdict is not Verdict.UNPLACEABLE:  # as nearly always
        return [_new(Ack, (said[0].seq & 0xFFFF, 0, now_ms, 0, mail, birth_wanted))]
    durable = [admitted for admitted in said if admitted.verdict is not Verdict.UNPLACEABLE]
    numbers = {admitted.seq for admitted in durable}
    acks = [Ack(*span, now_ms, 0, mail, birth_wanted) for span in spans(sorted(numbers))]
    if len(durable) < len(said):
        born = any(isinstance(admitted.message, Birth) for admitted in durable)
        acks.append(Ack(None, 0, now_ms, 0, mail, not born))
    return acks


def spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Whole message numbers, rising, as (base, bitmap) of an Ack: as few as the bitmap's reach allows."""
    found: list[tuple[int, int]] = []
    first = -1 - BITMAP_BITS
    for number in numbers:
        ahead = number - first
        if found and ahead <= BITMAP_BITS:
            base, bitmap = found[-1]
            found[-1] = (base, bitmap | 1 << (ahead - 1))
        else:
            first = number
            found.append((number & 0xFFFF, 0))
    return found
