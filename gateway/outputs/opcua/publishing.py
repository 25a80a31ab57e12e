"""One client's subscription: what waits for it, and when it is sent.

Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.server.internal_subscription import InternalSubscription

from gateway.outputs.opcua import notifications

Count = Callable[[str], None]

MOST = 1000  # notifications in one message
_REPEATABLE_BYTES = 1 << 20  # of messages that the client has not acknowledged yet


class Subscription(InternalSubscription):
    """The original wakes up at every publishing interval, sends whatever waits in one message however long it is, with
    the alarms behind the values, and keeps a hundred of them whatever their size.
    """

    def __init__(self, *args: Any, most: int = MOST, count: Count, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = min(most, MOST) if most else MOST
        self._count = count
        self._deferred: dict[int, Callable[[int], None]] = {}  # items whose Tag has changed -> what samples it
        self._news = asyncio.Event()  # something waits
        self._go_on = asyncio.Event()  # a message has gone, or may go now
        self._sent = time.monotonic()

    @property
    def waits(self) -> bool:
        """Whether there is something to send."""
        queued = self._triggered_datachanges or self._triggered_events
        return bool(self._triggered_statuschanges or (self._publishing_enabled and queued))

    def defer(self, item: int, sample: Callable[[int], None]) -> None:
        """Sample this item once, at the end of the cycle, however often that is said before."""
        if not self._deferred:
            self._news.set()
        self._deferred[item] = sample

    def put(self, item: int, notification: ua.MonitoredItemNotification | bytes, most: int) -> None:
        """Queue a value; of more than `most` the newest stay."""
        queue: list[Any] = self._triggered_datachanges.setdefault(item, [])
        queue.append(notification)
        del queue[:-most]
        self._news.set()

    def _sample(self) -> None:
        deferred, self._deferred = self._deferred, {}
        for item, sample in deferred.items():
            sample(item)

    def retry(self) -> None:
        """Try again to send."""
        self._go_on.set()

    def has_published_results(self) -> bool:
        """Whether a message is due."""
        return self._startup or self.waits or self._keep_alive_count >= self.data.RevisedMaxKeepAliveCount

    async def set_publishing_mode(self, enabled: bool) -> None:
        """On or off."""
        await super().set_publishing_mode(enabled)
        self._news.set()

    async def _trigger_publish(self) -> None:
        self._news.set()

    async def _subscription_loop(self) -> None:
        """Publish at the end of a cycle in which something has come, or when it is time for a sign of life."""
        period = self.data.RevisedPublishingInterval / 1000
        cycle = time.monotonic()
        while not self._closing:
            self._news.clear()
            self._go_on.clear()
            if await self._publish_all():
                alive_until = self._sent + period * self.data.RevisedMaxKeepAliveCount
                if not await _within(alive_until - time.monotonic(), self._news):
                    self._keep_alive_count = self.data.RevisedMaxKeepAliveCount
            elif not await _within(period * self.data.RevisedLifetimeCount, self._go_on):
                await self._expire()
                return
            cycle += math.ceil(max(time.monotonic() - cycle, 1e-9) / period) * period
            await asyncio.sleep(cycle - time.monotonic())

    async def _publish_all(self) -> bool:
        """Send what waits, one message after the other. False if the client has to ask for it first."""
        self._sample()
        while await self.publish_results():
            if not self.waits:
                return True
            await asyncio.sleep(0)  # others want to be served, too
        return not self.has_published_results()

    async def publish_results(self, requestdata: Any = None) -> bool:
        """Also what asyncua calls when a client asks that is late: it gets what is newest now."""
        if requestdata is not None:
            self._sample()
        return await super().publish_results(requestdata)

    async def _expire(self) -> None:
        """The client has not asked for anything for as long as it wanted the subscription to live."""
        self._count("subscriptions_expired")
        self._publish_cycles_count = self.data.RevisedLifetimeCount + 1
        await self.publish_results()

    def _pop_publish_result(self) -> ua.PublishResult:
        result = ua.PublishResult(SubscriptionId=self.data.SubscriptionId)
        message = result.NotificationMessage
        if self._publishing_enabled:
            rows = _take(self._triggered_events, self._most)
            if rows:
                message.NotificationData.append(notifications.events(rows))
            items = _take(self._triggered_datachanges, self._most - len(rows))
            if items:
                message.NotificationData.append(notifications.data_changes(items))
        self._pop_triggered_statuschanges(result)
        self._keep_alive_count = self._publish_cycles_count = 0
        self._startup = False
        self._sent = time.monotonic()
        message.SequenceNumber = self._notification_seq
        if message.NotificationData:
            self._notification_seq = self._notification_seq % 0xFFFFFFFF + 1
            self._keep(result)
        result.MoreNotifications = self.waits
        result.AvailableSequenceNumbers = list(self._not_acknowledged_results)
        self._go_on.set()
        return result

    def _keep(self, result: ua.PublishResult) -> None:
        """For as long as the client does not acknowledge it, as far as there is room."""
        kept = self._not_acknowledged_results
        kept[result.NotificationMessage.SequenceNumber] = result
        size = sum(_size(each) for each in kept.values())
        while len(kept) > 1 and (size > _REPEATABLE_BYTES or len(kept) > self._no_acks_limit):
            size -= _size(kept.pop(next(iter(kept))))
            self._count("unacknowledged_dropped")


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event came in time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _take(queues: dict[int, list[Any]], most: int) -> list[Any]:
    """The first `most` of what is queued, item by item."""
    taken: list[Any] = []
    while queues and len(taken) < most:
        item, queue = next(iter(queues.items()))
        room = most - len(taken)
        taken += queue[:room]
        if len(queue) > room:
            queues[item] = queue[room:]
        else:
            del queues[item]
    return taken


def _size(result: ua.PublishResult) -> int:
    """Bytes of its notifications."""
    return sum(len(data.Body or b"") for data in result.NotificationMessage.NotificationData)
