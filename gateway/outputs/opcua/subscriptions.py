"""All subscriptions of the server. Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_server import InternalServer
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.status_codes import StatusCodes

from gateway.outputs.opcua.event import Event
from gateway.outputs.opcua.items import Items, Room
from gateway.outputs.opcua.publishing import Subscription

Count = Callable[[str], None]

MOST_WAITING = 200_000  # notifications in all queues, some 100 MB
_PUBLISHING_MS, _USUAL_MS = (10.0, 60_000.0), 1000.0
_ALIVE_MS, _LIFETIME_MS = 60_000.0, 600_000.0


class Subscriptions(SubscriptionService):
    """All subscriptions of the server."""

    def __init__(self, space: AddressSpace, server: InternalServer, most_items: int, count: Count) -> None:
        super().__init__(space, server)
        self._server = server
        self._most_items = most_items
        self._room = Room(MOST_WAITING)
        self._count = count

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        session_id: ua.NodeId,
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        """The original grants any publishing interval, down to a busy loop, and any lifetime, up to years in which the
        subscription of a client that is gone takes another's place; and makes its own subscription and item service.
        """
        if len(self.subscriptions) >= self._server.max_subscriptions:
            self._count("subscriptions_refused")
            raise ServiceError(StatusCodes.BadTooManySubscriptions)
        self._sub_id_counter += 1
        granted = _granted(params)
        granted.SubscriptionId = known_id = self._sub_id_counter
        subscription = Subscription(
            granted,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self.subscriptions.pop(known_id, None),
            no_acks_limit=self._server.max_unacked_messages_per_subscription,
            max_queue_size=self._server.max_monitored_item_queue_size,
            publishing_enabled=params.PublishingEnabled,
            most=params.MaxNotificationsPerPublish,
            count=self._count,
        )
        subscription.monitored_item_srv = Items(subscription, self.aspace, self._most_items, self._room, self._count)
        self.subscriptions[known_id] = subscription
        await subscription.start()
        return granted

    @property
    def want_events(self) -> bool:
        """Whether any client has subscribed to events."""
        return any(self.items_of(known).event_items() for known in self.subscriptions)

    def retry(self, subscription_id: int) -> None:
        """A client that did not read does so again."""
        subscription = self.subscriptions.get(subscription_id)
        if isinstance(subscription, Subscription):
            subscription.retry()

    def items_of(self, subscription_id: int) -> Items:
        """The monitored items of a subscription; KeyError if there is none such."""
        items = self.subscriptions[subscription_id].monitored_item_srv
        assert isinstance(items, Items)
        return items

    async def trigger_event(self, event: Event, subscription_id: int | None = None) -> None:
        """Hand an event to every subscription, or to one. The original also keeps a copy of each retained condition
        under the last event's object; here `Conditions` knows them.
        """
        for known_id, subscription in tuple(self.subscriptions.items()):
            if subscription_id in (None, known_id):
                await subscription.monitored_item_srv.trigger_event(event)


def _granted(params: ua.CreateSubscriptionParameters) -> ua.CreateSubscriptionResult:
    """What a client gets of what it asks for (0: what the server likes): a sign of life at least once a minute, and a
    lifetime of three of them at least (Part 4, 5.14.2) and ten minutes at most.
    """
    low, high = _PUBLISHING_MS
    wanted = params.RequestedPublishingInterval
    interval = _USUAL_MS if math.isnan(wanted) else min(max(wanted, low), high)
    most_alive, most = int(_ALIVE_MS // interval), int(_LIFETIME_MS // interval)
    alive = min(params.RequestedMaxKeepAliveCount or most_alive, most_alive)
    lifetime = min(max(params.RequestedLifetimeCount or most, 3 * alive), most)
    return ua.CreateSubscriptionResult(
        RevisedPublishingInterval=interval, RevisedLifetimeCount=lifetime, RevisedMaxKeepAliveCount=alive
    )
