"""Intake: Links in, acknowledgements out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateway.links import Address, Link, LinkFailed
from gateway.runtime.admission import Admission, Admitted
from gateway.runtime.clock import Clock
from gateway.runtime.decider import Decider
from gateway.runtime.inbound import Arrival
from gateway.runtime.metrics import Metrics
from gateway.runtime.outbox import Outbox
from gateway.wire.messages import Ack

BITMAP_BITS = 32

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
                for frame in await link.receive():
                    await decider.put(Arrival(frame, name, outbox))
    except BaseExceptionGroup as group:
        failed, ours = group.split(LinkFailed)
        if failed is None or ours is not None:
            raise
        raise LinkFailed(str(failed.exceptions[0])) from group
    finally:
        outbox.close()
        await link.close()


class Answers:
    """Acknowledges durable messages: one Ack per node and group, through the Link that brought the message."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def heard(
        self, heard: Sequence[tuple[Arrival, Admitted]], admission: Admission, knows_schedule: Callable[[str], bool]
    ) -> None:
        """Seal the answers to a group of messages, and let them go."""
        by_node: dict[tuple[str, Outbox, Address], set[int]] = {}
        for arrival, admitted in heard:
            by_node.setdefault((admitted.node, arrival.via, arrival.frame.address), set()).add(admitted.seq)
        for (node, outbox, address), numbers in by_node.items():
            for base, bitmap in spans(sorted(numbers)):
                ack = Ack(base, bitmap, self._clock.now_ms(), 0, 0, not knows_schedule(node))
                envelope = admission.ack(node, ack)
                if envelope is None:
                    self._metrics.event("ack_not_sealed")
                else:
                    outbox.put(address, envelope)


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
