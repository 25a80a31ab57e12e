"""Subclasses that correct asyncua's sessions, its Call service and the server behind them.

Each says what the original does. Checked against asyncua 2.1.0; tests/outputs/opcua/test_patches.py fails with another
version until somebody has looked again, and shows the attacks that these close.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, MethodService
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509

from gateway.outputs.opcua import standard
from gateway.outputs.opcua.ids import status
from gateway.outputs.opcua.subscriptions import Count, Subscriptions
from gateway.outputs.opcua.trust import leaf, uris_of

CHECKED_AGAINST = "2.1.0"

_NOBODY = User(role=UserRole.Anonymous)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request is being processed."""

    processor: UaProcessor
    peer: str  # IP address
    certificate: bytes  # the channel's, DER, proven by its signature; b"" on a channel without security

    @property
    def user(self) -> User | None:
        """The user of the session, None before there is one."""
        session = self.processor.session
        return session.user if session is not None else None


CALLER: ContextVar[Caller] = ContextVar("opcua_caller")
"""Set while a client's request is processed. asyncua hands neither user nor peer to method callbacks."""


class Session(InternalSession):
    """A client's session."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """The original's authentication token, the secret that names a session, is a counter."""
        super().__init__(*args, **kwargs)
        self.certificate = b""
        if self.external:
            self.iserver.unregister_external_session(self)
            self.auth_token = ua.NodeId(ua.ByteString(secrets.token_bytes(32)))
            self.iserver.register_external_session(self)

    async def create_session(
        self, params: ua.CreateSessionParameters, sockname: tuple[str, int] | None = None
    ) -> ua.CreateSessionResult:
        """The original believes `ClientCertificate` without comparing it with the channel's, which is the one whose
        key the client has proven to own.
        """
        self.certificate = CALLER.get().certificate
        if self.certificate:
            if leaf(params.ClientCertificate) != self.certificate:
                raise ServiceError(StatusCodes.BadCertificateInvalid)
            uris = uris_of(x509.load_der_x509_certificate(self.certificate))
            if params.ClientDescription.ApplicationUri not in uris:
                raise ServiceError(StatusCodes.BadCertificateUriInvalid)
        return await super().create_session(params, sockname)

    def activate_session(
        self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None
    ) -> ua.ActivateSessionResult:
        """The original lets a session move to a channel of another client."""
        if leaf(peer_certificate) != self.certificate:
            raise ServiceError(StatusCodes.BadSecurityChecksFailed)
        return super().activate_session(params, peer_certificate)

    def _own(self, subscription_id: int) -> InternalSubscription | None:
        """The subscription of that id, if it is this session's. The original has no notion of whose a subscription is:
        any client could delete or change any other's.
        """
        subscription = self.subscription_service.subscriptions.get(subscription_id)
        return subscription if subscription is not None and subscription.session_id == self.session_id else None

    def _demand(self, subscription_id: int) -> None:
        if self._own(subscription_id) is None:
            raise ServiceError(StatusCodes.BadSubscriptionIdInvalid)

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        """Remembers who owns it, for a transfer after the session is gone."""
        result = await super().create_subscription(params, callback, request_callback)
        subscription = self.subscription_service.subscriptions[result.SubscriptionId]
        _owners[subscription] = (self.user.name, self.certificate)
        return result

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Only one's own."""
        self._demand(params.SubscriptionId)
        return super().modify_subscription(params)

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[Any]:
        """Only in one's own subscription."""
        self._demand(params.SubscriptionId)
        return await super().create_monitored_items(params)

    async def modify_monitored_items(self, params: ua.ModifyMonitoredItemsParameters) -> list[Any]:
        """Only in one's own subscription."""
        self._demand(params.SubscriptionId)
        return await super().modify_monitored_items(params)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Only in one's own subscription."""
        self._demand(params.SubscriptionId)
        return await super().delete_monitored_items(params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Only in one's own subscription."""
        self._demand(params.SubscriptionId)
        return await super().set_monitoring_mode(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Only of one's own subscriptions."""
        params.SubscriptionIds = [i if self._own(i) else 0 for i in params.SubscriptionIds]
        return await super().set_publishing_mode(params)

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """Only one's own."""
        return await super().delete_subscriptions([i if self._own(i) else 0 for i in ids])

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Only of one's own subscription. The original answers an empty message where there is nothing to repeat."""
        subscription = self._own(params.SubscriptionId)
        if subscription is None:
            raise ServiceError(StatusCodes.BadSubscriptionIdInvalid)
        if params.RetransmitSequenceNumber not in subscription._not_acknowledged_results:
            raise ServiceError(StatusCodes.BadMessageNotAvailable)
        return super().republish(params)

    def publish(self, acks: Iterable[ua.SubscriptionAcknowledgement] | None = None) -> tuple[int, list[ua.StatusCode]]:
        """Acknowledges in one's own subscriptions only, and counts only those."""
        own = [s for s in self.subscription_service.subscriptions.values() if s.session_id == self.session_id]
        if not own:
            raise ServiceError(StatusCodes.BadNoSubscription)
        results = []
        for ack in acks or ():
            subscription = self._own(ack.SubscriptionId)
            if subscription is None:
                results.append(status(StatusCodes.BadSubscriptionIdInvalid))
            else:
                subscription.publish([ack.SequenceNumber])
                results.append(ua.StatusCode())
        return len(own), results

    async def transfer_subscriptions(  # type: ignore[override]  # as in the original
        self, params: ua.TransferSubscriptionsParameters, callback: Callable[..., Any]
    ) -> list[ua.TransferResult]:
        """Only those that the same user made with the same client. The original also leaves the subscription to draw
        on the publish requests of the connection that it came from.
        """
        mine = (self.user.name, self.certificate)
        subscriptions = self.subscription_service.subscriptions
        wanted = [subscriptions.get(int(i)) for i in params.SubscriptionIds]
        params.SubscriptionIds = [
            i if s is not None and _owners.get(s) == mine else 0
            for i, s in zip(params.SubscriptionIds, wanted, strict=True)
        ]
        results = await super().transfer_subscriptions(params, callback)
        for subscription, result in zip(wanted, results, strict=True):
            if subscription is not None and result.StatusCode.is_good():
                request = CALLER.get().processor.get_publish_request
                subscription.pub_request_callback = request  # type: ignore[assignment]  # UInt32 is an int
        return results


_owners: WeakKeyDictionary[InternalSubscription, tuple[str | None, bytes]] = WeakKeyDictionary()

Handler = Callable[[ua.CallMethodRequest], Awaitable[ua.CallMethodResult]]


class Methods(MethodService):
    """The Call service. The original refuses a call on an ObjectId that is no node; Part 9 (5.7.3) wants Acknowledge
    to take a ConditionId, whether or not the condition is in the address space.
    """

    def __init__(self, space: AddressSpace) -> None:
        super().__init__(space)
        self.handlers: dict[ua.NodeId, Handler] = {}

    async def _call(self, method: ua.CallMethodRequest) -> ua.CallMethodResult:
        handler = self.handlers.get(method.MethodId)
        if handler is not None:
            return await handler(method)
        node = self._aspace.get(method.MethodId)
        if node is not None and node.call is None:
            return ua.CallMethodResult(StatusCode=status(StatusCodes.BadMethodInvalid))
        return await super()._call(method)


class Core(InternalServer):
    """The protocol-independent half of the server."""

    def __init__(self, users: Any, max_sessions: int, max_subscriptions: int, max_items: int, count: Count) -> None:
        super().__init__(user_manager=users)
        self.allow_remote_admin = False
        self.max_connections = max_sessions
        self.max_subscriptions = max_subscriptions
        self.max_monitored_item_queue_size = 1000
        self.max_unacked_messages_per_subscription = 100
        self.max_pending_messages_per_connection = 100
        self.max_session_timeout_ms = 120_000
        self.patience_s = 30.0  # with a client that does not read
        self.count = count
        self.methods = Methods(self.aspace)
        self.method_service.stop()
        self.method_service = self.methods
        self.subscriptions = Subscriptions(self.aspace, self, max_items, count)
        self.subscription_service = self.subscriptions
        self.isession.subscription_service = self.subscriptions

    async def load_standard_address_space(self, shelf_file: object = None) -> None:
        """The original fills in far more than is served."""
        await asyncio.to_thread(standard.fill, self.aspace)

    def create_session(self, name: str, user: User = _NOBODY, external: bool = False) -> InternalSession:
        """The original never bounds the number of sessions that wait to be activated."""
        if len(self._external_sessions) >= 2 * self.max_connections:
            self.count("sessions_refused")
            raise ServiceError(StatusCodes.BadTooManySessions)
        return Session(self, self.aspace, self.subscription_service, name, user=user, external=external)

    @staticmethod
    def blocked(transport: asyncio.Transport) -> bool:
        """Whether a client leaves unread what has been sent to it."""
        return transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]

    def decrypt_user_token(self, isession: Any, token: ua.UserNameIdentityToken) -> tuple[str, str]:
        """The original decrypts RSA PKCS#1 v1.5 with the server's key for any policy: a padding oracle."""
        if token.EncryptionAlgorithm and token.EncryptionAlgorithm.endswith("rsa-1_5"):
            raise ServiceError(StatusCodes.BadIdentityTokenInvalid)
        return super().decrypt_user_token(isession, token)

    async def stop(self) -> None:
        """The original leaves clients' sessions and their tasks behind, and waits up to a second for its clock."""
        for session in tuple(self._external_sessions.values()):
            await session.close_session(True)
        if self.time_task is not None:
            self.time_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.time_task
            self.time_task = None
        await super().stop()
