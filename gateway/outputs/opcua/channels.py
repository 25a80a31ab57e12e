"""Subclasses that correct asyncua's channels and its listening socket.

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
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.internal_session import SessionState
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import uatcp_to_binary
from asyncua.ua.uaerrors import UaError
from cryptography.exceptions import InvalidSignature

from gateway.outputs.opcua.ids import standard, status
from gateway.outputs.opcua.sessions import CALLER, Caller, Core, Session
from gateway.outputs.opcua.trust import leaf

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 65535
LIMITS = TransportLimits(
    max_recv_buffer=_CHUNK_BYTES,
    max_send_buffer=_CHUNK_BYTES,
    max_chunk_count=MAX_MESSAGE_BYTES // _CHUNK_BYTES + 1,
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
        except BaseException:
            if typeid == _ACTIVATE:
                self.session = session
            raise
        finally:
            CALLER.reset(caller)

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


class Connection(OPCUAProtocol):
    """One socket."""

    def __init__(self, core: Core, gate: Gate, *args: Any) -> None:
        super().__init__(core, *args)
        self._core = core
        self._gate = gate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The original makes its own processor."""
        super().connection_made(transport)
        if self.processor is None:
            self._core.count("connections_refused")
            return
        assert isinstance(transport, asyncio.Transport)
        self.processor = Processor(self._core, transport, self.limits, self._gate)
        self.processor.set_policies(self.policies)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        """The original waits for as many bytes as a header promises, and keeps rubbish for ever."""
        super().data_received(data)
        rest = self._buffer
        if len(rest) > _CHUNK_BYTES or (len(rest) >= 4 and rest[:3] not in (b"HEL", b"OPN", b"MSG", b"CLO")):
            self._core.count("malformed")
            self._buffer = b""
            if self.transport is not None:
                self.transport.abort()


class Listener(BinaryServer):
    """The listening socket."""

    def __init__(self, core: Core, gate: Gate, host: str, port: int) -> None:
        super().__init__(core, host, port, LIMITS)
        self._core = core
        self._gate = gate

    def _make_protocol(self) -> OPCUAProtocol:
        return Connection(self._core, self._gate, self._policies, self.clients, self.closing_tasks, self.limits)

    async def stop(self) -> None:
        """The original does not wait for its connections to end, and a client that reads nothing would hold it."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self.iserver.asyncio_transports):
            transport.abort()
        while self.clients:  # noqa: ASYNC110 - each leaves in its connection_lost, which is queued already
            await asyncio.sleep(0)
        await super().stop()


class SecuredServer(Server):
    """The server with the corrections above."""

    def __init__(self, core: Core, gate: Gate) -> None:
        super().__init__(iserver=core)
        self.application_type = ua.ApplicationType.Server
        self.name = self.manufacturer_name = "Stethos"
        self.product_uri = "urn:stethos:product"
        self._core = core
        self._gate = gate

    async def start(self) -> None:
        """Listen. Raises OSError if the address is not to be had. The original makes its own BinaryServer."""
        await self._setup_server_nodes()
        await self.iserver.start()
        self.bserver = Listener(self._core, self._gate, self.endpoint.hostname or "", self.endpoint.port or 0)
        self.bserver.set_policies(self._policies)
        await self.bserver.start()
