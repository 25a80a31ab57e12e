"""Nodes behind an MQTT broker: up on PREFIX/<kid>/up, down on PREFIX/<kid>/down (nodes/wire/SPEC.md, "Links").

The broker gets its PUBACK when a message arrives here, before the journal has it. That is safe: what makes a message
durable to its node is the Ack that the gateway sends after the commit; without it the node sends again.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
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

KID = re.compile(r"[0-9A-Fa-f]{8}")
FAREWELL_S = 1.0  # how long closing waits for a broker that does not take the DISCONNECT

# What goes wrong reaches the host as LinkFailed; the client's own lines would say it twice.
_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL)


class Settings(BaseModel, frozen=True, extra="forbid", strict=True):
    """One `[[link]]` with `type = "mqtt"`."""

    type: Literal["mqtt"]
    name: Name
    broker: Endpoint = Field(default="localhost:1883", description='"host:port" of the broker.')
    version: Literal["3.1.1", "5"] = Field(default="3.1.1", description="MQTT version to speak.")
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
    is not eight hexadecimal digits).
    """

    def __init__(self, settings: Settings, count: Callable[[str], None]) -> None:
        self._settings = settings
        self._count = count
        self._inbox = Inbox(settings.queue, count)
        self._client: aiomqtt.Client | None = None
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and subscribe. Raises LinkFailed, also if the broker refuses the login or the subscription."""
        if self._client is not None:
            return
        client = self._new_client()
        self._inbox.open()  # a broker that kept our session sends before it is asked
        try:
            await client.__aenter__()
            self._client = client
            self._watch = asyncio.create_task(self._fail_when_gone(client), name=f"link {self._settings.name}")
            granted = await client.subscribe(f"{self._settings.prefix}/+/up", qos=1)
            if any(code.is_failure if isinstance(code, ReasonCode) else code >= 0x80 for code in granted):
                raise LinkFailed(self._named(f"the subscription to {self._settings.prefix}/+/up is refused"))
        # UnicodeError: a host name that cannot be one
        except (aiomqtt.MqttError, UnicodeError) as error:
            await self._leave(client)
            raise LinkFailed(self._named(error)) from error
        except BaseException:
            await self._leave(client)
            raise

    async def receive(self) -> list[Frame]:
        """As the contract says."""
        return await self._inbox.receive()

    async def send(self, address: Address, data: bytes) -> None:
        """Publish one answer; returns when the broker has it."""
        if self._client is None:
            raise LinkFailed(self._named("not open"))
        try:
            await self._client.publish(f"{self._settings.prefix}/{address}/down", data, qos=1)
        except aiomqtt.MqttError as error:
            # A broker that takes nothing delivers nothing: the receiver need not wait for the keepalive to know.
            self._inbox.fail(self._named(error))
            raise LinkFailed(self._named(error)) from error
        self._count("sent")

    async def close(self) -> None:
        """Disconnect; the broker keeps the session."""
        if self._client is not None:
            await self._leave(self._client)

    def _new_client(self) -> aiomqtt.Client:
        settings, accept = self._settings, self._accept

        class Straight(asyncio.Queue[aiomqtt.Message]):
            """Hands messages on as they arrive: the Inbox is the one bound, and it counts."""

            def put_nowait(self, item: aiomqtt.Message) -> None:
                accept(item)

        host, port = split_endpoint(settings.broker)
        five = settings.version == "5"
        properties = Properties(PacketTypes.CONNECT) if five else None  # type: ignore[no-untyped-call]
        if properties is not None:
            properties.SessionExpiryInterval = settings.session_expiry_s
        try:
            return aiomqtt.Client(
                host,
                port,
                identifier=settings.client_id or f"stethos-{settings.name}",
                protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
                clean_session=None if five else False,
                clean_start=False if five else MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
                username=settings.user,
                password=_first_line(settings.password_file) if settings.password_file else None,
                tls_context=self._tls() if settings.tls else None,
                keepalive=settings.keepalive_s,
                timeout=settings.timeout_s,
                queue_type=Straight,
                logger=_client_log,
            )
        except OSError as error:  # a certificate, key or password file; ssl.SSLError is one
            raise LinkFailed(self._named(error)) from error

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        if self._settings.cert_file:
            context.load_cert_chain(self._settings.cert_file, self._settings.key_file)
        return context

    def _accept(self, message: aiomqtt.Message) -> None:
        kid = message.topic.value.removeprefix(f"{self._settings.prefix}/").removesuffix("/up")
        if not KID.fullmatch(kid):
            self._count("bad_topic")
        elif isinstance(message.payload, bytes):
            self._inbox.put(message.payload, kid)

    async def _fail_when_gone(self, client: aiomqtt.Client) -> None:
        try:
            async for _ in client.messages:
                pass  # none comes this way: see Straight
        except aiomqtt.MqttError as error:
            self._inbox.fail(self._named(error.__cause__ or error))

    async def _leave(self, client: aiomqtt.Client) -> None:
        watch, self._watch, self._client = self._watch, None, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        # Also after a failed __aenter__, which leaves the socket open to a broker that accepts and says nothing.
        client.timeout = FAREWELL_S
        with suppress(aiomqtt.MqttError):
            await client.__aexit__(None, None, None)
        self._inbox.fail(self._named("closed"))

    def _named(self, why: object) -> str:
        return f"{self._settings.name}: mqtt {self._settings.broker}: {why}"


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n", 1)[0]
