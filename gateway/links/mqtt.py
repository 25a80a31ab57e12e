"""Nodes behind an MQTT broker: up on PREFIX/<kid>/up, down on PREFIX/<kid>/down (nodes/wire/SPEC.md, "Links").

The broker gets its PUBACK when a message arrives here, before the journal has it. That is safe: what makes a message
durable to its node is the Ack that the gateway sends after the commit; without it the node sends again.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import BaseModel, Field, model_validator

from gateway.links import Address, Frame, LinkFailed
from gateway.links.fields import DEFAULT_QUEUE, Endpoint, Name, QueueLength, split_endpoint
from gateway.links.inbox import Inbox
from gateway.mqtt import Connection
from gateway.mqtt.packets import text

UP = b"/up"
KID = re.compile(rb"[0-9A-Fa-f]{8}")
MAX_UNDER_WAY = 65535  # messages that the broker may send before the first is acknowledged (MQTT 5)

# What goes wrong reaches the host as LinkFailed; the client's own lines would say it twice.
_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL)


class Settings(BaseModel, frozen=True, extra="forbid", strict=True):
    """One `[[link]]` with `type = "mqtt"`."""

    type: Literal["mqtt"]
    name: Name
    broker: Endpoint = Field(default="localhost:1883", description='"host:port" of the broker.')
    version: Literal["3.1.1", "5"] = Field(
        default="5", description="MQTT version to speak; with 5 a broker keeps more for a gateway that is busy."
    )
    prefix: str = Field(
        default="stethos/nodes",
        pattern=r"^[^/+#\x00]+(/[^/+#\x00]+)*$",
        max_length=200,
        description="Topics of the nodes start with this.",
    )
    client_id: str = Field(
        default="",
        max_length=64,
        description='Names the session at the broker, where it must be unique; "" is "stethos-" and the link\'s name.',
    )
    session_expiry_s: int = Field(
        default=7 * 86400,
        ge=0,
        le=2**32 - 1,
        description="How long the broker keeps messages for an absent gateway (MQTT 5; with 3.1.1 the broker says).",
    )
    keepalive_s: int = Field(
        default=30, ge=5, le=3600, description="Silence after which the broker is asked for a sign."
    )
    timeout_s: float = Field(default=10.0, gt=0, le=120, description="How long the broker may take for an answer.")
    tls: bool = Field(default=False, description="Speak TLS and verify the broker's name.")
    ca_file: Path | None = Field(
        default=None,
        strict=False,
        description="Authorities that may vouch for the broker (PEM); default: the system's.",
    )
    cert_file: Path | None = Field(default=None, strict=False, description="The gateway's certificate chain (PEM).")
    key_file: Path | None = Field(default=None, strict=False, description="The certificate's private key (PEM).")
    user: str | None = Field(default=None, min_length=1, description="User name at the broker.")
    password_file: Path | None = Field(
        default=None, strict=False, description="File that holds the password, which is its first line."
    )
    queue: QueueLength = DEFAULT_QUEUE

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("ca_file, cert_file and key_file have no effect without tls = true")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs cert_file")
        if self.password_file and not self.user:
            raise ValueError("password_file needs user")
        return self


class Link:
    """A client with a persistent session: what nodes sent while the gateway was away arrives when it is back.

    The Address of a frame is the kid part of its topic. Counts, besides those of every Link: `bad_topic` (the kid part
    is not eight hexadecimal digits) and `answer_refused` (the broker let an answer not pass; MQTT 5).
    """

    def __init__(self, settings: Settings, count: Callable[[str], None]) -> None:
        self._settings = settings
        self._count = count
        self._inbox = Inbox(settings.queue, count)
        self._prefix = f"{settings.prefix}/".encode()
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect and subscribe. Raises LinkFailed, also if the broker refuses the login or the subscription."""
        if self._connection is not None:
            return
        connection = self._new_connection()
        self._inbox.open()  # a broker that kept our session sends before it is asked
        try:
            await connection.__aenter__()
            self._connection = connection
            connection.gone.add_done_callback(lambda gone: self._inbox.fail(self._named(gone.result())))
            granted = await connection.subscribe(f"{self._settings.prefix}/+/up", qos=1)
            if any(code.is_failure if isinstance(code, ReasonCode) else code >= 0x80 for code in granted):
                raise LinkFailed(self._named(f"the subscription to {self._settings.prefix}/+/up is refused"))
        # UnicodeError: a host name that cannot be one
        except (aiomqtt.MqttError, UnicodeError) as error:
            await self._leave(connection)
            raise LinkFailed(self._named(error)) from error
        except BaseException:
            await self._leave(connection)
            raise

    async def receive(self) -> list[Frame]:
        """As the contract says."""
        return await self._inbox.receive()

    async def send(self, address: Address, data: bytes) -> None:
        """Publish one answer; returns when it is on its way. A broker that acknowledges none fails the Link after
        `timeout_s` to twice as long. What is lost is sent again by the nodes, so nothing waits for the broker here.
        """
        if self._connection is None:
            raise LinkFailed(self._named("not open"))
        try:
            await self._connection.send(text(f"{self._settings.prefix}/{address}/down"), data)
        except aiomqtt.MqttError as error:
            raise LinkFailed(self._named(error)) from error
        self._count("sent")

    async def close(self) -> None:
        """Disconnect; the broker keeps the session."""
        if self._connection is not None:
            await self._leave(self._connection)

    def _new_connection(self) -> Connection:
        settings = self._settings
        host, port = split_endpoint(settings.broker)
        five = settings.version == "5"
        properties = Properties(PacketTypes.CONNECT) if five else None  # type: ignore[no-untyped-call]
        if properties is not None:
            properties.SessionExpiryInterval = settings.session_expiry_s
            properties.ReceiveMaximum = min(settings.queue, MAX_UNDER_WAY)
        try:
            return Connection(
                host,
                port,
                on_message=self._accept,
                on_refused=lambda _: self._count("answer_refused"),
                version=settings.version,
                identifier=settings.client_id or f"stethos-{settings.name}",
                clean_session=None if five else False,
                clean_start=False if five else MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
                username=settings.user,
                password=_first_line(settings.password_file) if settings.password_file else None,
                tls_context=self._tls() if settings.tls else None,
                keepalive=settings.keepalive_s,
                timeout=settings.timeout_s,
                logger=_client_log,
            )
        except OSError as error:  # a certificate, key or password file; ssl.SSLError is one
            raise LinkFailed(self._named(error)) from error

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        if self._settings.cert_file:
            context.load_cert_chain(self._settings.cert_file, self._settings.key_file)
        return context

    def _accept(self, topic: bytes, payload: bytes, _: bool) -> None:
        kid = topic.removeprefix(self._prefix).removesuffix(UP)
        if KID.fullmatch(kid):
            self._inbox.put(payload, kid.decode())
        else:
            self._count("bad_topic")

    async def _leave(self, connection: Connection) -> None:
        self._connection = None
        await connection.leave()
        self._inbox.fail(self._named("closed"))

    def _named(self, why: object) -> str:
        return f"{self._settings.name}: mqtt {self._settings.broker}: {why}"


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n", 1)[0]
