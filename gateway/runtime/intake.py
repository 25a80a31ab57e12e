"""Intake: Links in, acknowledgements out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateway.core.mailbox import Box, Letter
from gateway.core.nodes import NOTICES
from gateway.links import Address, Link, LinkFailed
from gateway.runtime.admission import Admission, Admitted, Verdict
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Decider
from gateway.runtime.inbound import Arrival
from gateway.runtime.metrics import Metrics
from gateway.runtime.outbox import Outbox
from gateway.wire.messages import Ack, Birth, Command, Flag, Health

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
    it the oldest letter of the node's mailbox.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._mailed: dict[str, tuple[Letter, int]] = {}  # what was sent last to a node, and when (Unix ms)

    def heard(
        self,
        heard: Sequence[tuple[Arrival, Admitted]],
        admission: Admission,
        knows_schedule: Callable[[str], bool],
        mail: Callable[[str], Box | None],
    ) -> None:
        """Seal the answers to a group of messages, and let them go."""
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
        now_ms = self._clock.now_ms()
        for (node, outbox, address), said in by_node.items():
            box = mail(node)
            letter = self._due(node, box, now_ms) if box else None
            waiting = min(len(box.letters), MAIL_MAX) if box and letter else 0
            birth_wanted = not knows_schedule(node) or (box is not None and box.due is None)
            answers: list[Ack | Command] = [*_acks(said, now_ms, waiting, birth_wanted=birth_wanted)]
            if letter:
                answers.append(letter.command)
            for answer in answers:
                envelope = admission.seal(node, answer)
                if envelope is None:
                    self._metrics.event("ack_not_sealed")
                else:
                    outbox.put(address, envelope)

    def _due(self, node: str, box: Box, now_ms: int) -> Letter | None:
        """The oldest that can be sent, unless it was sent just now."""
        sent, sent_ms = self._mailed.get(node, (None, 0))
        if box.due is None or (sent == box.due and 0 <= now_ms - sent_ms < MAIL_AGAIN_MS):
            return None
        self._mailed[node] = box.due, now_ms
        return box.due


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
