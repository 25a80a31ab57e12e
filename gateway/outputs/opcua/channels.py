"""Subclasses that correct asyncua's channels.

Each says what the original does. Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`).
"""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import Any, Protocol

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import ServiceError
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.server.internal_session import SessionState
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import uatcp_to_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from gateway.outputs.opcua.ids import standard, status
from gateway.outputs.opcua.sessions import CALLER, Caller, Core, Session
from gateway.outputs.opcua.trust import leaf

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 65535
LIMITS = TransportLimits(
    max_recv_buffer=CHUNK_BYTES,
    max_send_buffer=CHUNK_BYTES,
    max_chunk_count=MAX_MESSAGE_BYTES // CHUNK_BYTES + 1,
    max_message_size=MAX_MESSAGE_BYTES,
)

_log = logging.getLogger(__name__)


def _request(name: str) -> ua.NodeId:
    return standard(getattr(ObjectIds, f"{name}Request_Encoding_DefaultBinary"))


_CREATE, _ACTIVATE = _request("CreateSession"), _request("ActivateSession")
_SESSIONLESS = {_request("GetEndpoints"), _request("FindServers"), _request("CloseSecureChannel")}
_REGISTER = {_request("RegisterServer"), _request("RegisterServer2")}


class Gate(Protocol):
    """Who may come in."""

    none: bool

    def trusts(self, certificate: bytes) -> bool:
        """Whether a client with this certificate (DER) may open a channel."""
        ...


class Refused(UaError):  # noqa: N818 - the peer's fault, not an error in the program
    """A client that is not let in; the connection ends with this status code."""

    def __init__(self, code: int) -> None:
        super().__init__(status(code).name)
        self.code = code


class Processor(UaProcessor):
    """One connection."""

    def __init__(self, core: Core, transport: asyncio.Transport, limits: TransportLimits, gate: Gate) -> None:
        super().__init__(core, transport, limits)
        self._core = core
        self._gate = gate
        self._peer = str(self.name[0]) if isinstance(self.name, tuple) else ""

    def get_publish_request(self, subscription_id: ua.IntegerId) -> Any:
        """The original writes to a client that does not read, as often as it has asked for something."""
        if self._core.blocked(self._transport):
            self._publish_results_subs[subscription_id] = True
            return None
        return super().get_publish_request(subscription_id)

    def go_on(self) -> None:
        """The client reads again: what waits for it can be sent."""
        for known in self._publish_results_subs:
            self._core.subscriptions.retry(known)

    @property
    def _is_secure(self) -> bool:
        return not isinstance(self._connection.security_policy, SecurityPolicyNone)

    async def process(self, header: Any, body: Any) -> bool:
        """The original logs what is malformed and stays connected; takes an Acknowledge from a client and lets it
        lift the message limits; and leaves a refused client without an answer.
        """
        try:
            if header.MessageType in (ua.MessageType.Acknowledge, ua.MessageType.Error):
                self._core.count("malformed")
                raise Refused(StatusCodes.BadTcpMessageTypeInvalid)
            return bool(await super().process(header, body))  # type: ignore[no-untyped-call]
        except Refused as refused:
            code = refused.code
        except (UaError, InvalidSignature, ValueError, struct.error) as error:
            _log.debug("%s: %s", self._peer, error)
            self._core.count("malformed")
            code = StatusCodes.BadTcpInternalError
        message = ua.ErrorMessage(status(code), ua.String(""))
        self._transport.write(uatcp_to_binary(ua.MessageType.Error, message))  # type: ignore[arg-type]
        return False

    def open_secure_channel(self, algohdr: Any, seqhdr: Any, body: Any) -> None:
        """The original opens a channel for any certificate, and asks for trust only in the session's parameters. Here
        is the one place that every client with security passes, at the start and at every renewal.
        """
        if self._is_secure and not self._gate.trusts(leaf(algohdr.SenderCertificate)):
            self._core.count("untrusted")
            raise Refused(StatusCodes.BadSecurityChecksFailed)
        super().open_secure_channel(algohdr, seqhdr, body)  # type: ignore[no-untyped-call]

    async def _process_message(self, typeid: ua.NodeId, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        """The original gives a connection somebody's live session as soon as it names its token, and keeps it even if
        the signature is then wrong.
        """
        session = self.session
        certificate = leaf(self._connection.security_policy.peer_certificate) if self._is_secure else b""
        caller = CALLER.set(Caller(self, self._peer, certificate))
        try:
            await self._admit(typeid, requesthdr.AuthenticationToken, certificate)
            return await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]
        except BaseException as error:
            if typeid == _ACTIVATE:
                self.session = session
            if not isinstance(error, ServiceError | UaStatusCodeError):
                raise
            return self._fault(requesthdr, seqhdr, error.code)
        finally:
            CALLER.reset(caller)

    def _fault(self, requesthdr: Any, seqhdr: Any, code: int) -> bool:
        """Answer a request that cannot be served. The original logs each as an error, also what clients commonly do."""
        self._core.count("service_faults")
        _log.debug("%s: %s", self._peer, status(code).name)
        response = ua.ServiceFault()
        response.ResponseHeader.ServiceResult = status(code)
        self.send_response(requesthdr.RequestHandle, seqhdr, response)  # type: ignore[no-untyped-call]
        return True

    async def _admit(self, typeid: ua.NodeId, token: ua.NodeId, certificate: bytes) -> None:
        """The original serves everything on an unsecured channel, lets anybody register servers, ignores the token of
        a request, and forgets a session when the same connection creates another.
        """
        if typeid in _REGISTER:
            raise ServiceError(StatusCodes.BadServiceUnsupported)
        if typeid in _SESSIONLESS:
            return
        if not self._is_secure and not self._gate.none:
            raise ServiceError(StatusCodes.BadSecurityModeInsufficient)
        if typeid == _CREATE:
            if self.session is not None:
                if self.session.is_activated():
                    raise ServiceError(StatusCodes.BadTooManySessions)
                await self.session.close_session(True)
        elif self.session is not None:
            if token != self.session.auth_token or self.session.state is SessionState.Closed:
                raise ServiceError(StatusCodes.BadSessionIdInvalid)
        elif typeid == _ACTIVATE:
            known = self.iserver.lookup_external_session(token)
            if not isinstance(known, Session) or known.certificate != certificate:
                raise ServiceError(StatusCodes.BadSessionIdInvalid)
