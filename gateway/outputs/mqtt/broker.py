"""The connection to the broker, as the settings have it."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.mqtt import Connection
from gateway.outputs.mqtt.commands import COMMAND_BYTES
from gateway.outputs.mqtt.settings import Settings

KEEPALIVE_S = 20  # the broker publishes the will after one and a half of it
PACKET_BYTES = 2 * COMMAND_BYTES  # longest packet that the broker may send to us (MQTT 5)

# What goes wrong reaches the host as OutputFailed; the client's own lines would say it twice.
_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL)


def connection(
    settings: Settings, name: str, will: aiomqtt.Will, on_message: Callable[[bytes, bytes, bool], None],
    on_refused: Callable[[str], None],
) -> Connection:  # fmt: skip
    """A connection that is yet to be entered; `name` is the client id unless one is configured. Raises OSError if a
    certificate, key or password cannot be read.
    """
    s = settings
    host, port = s.endpoint
    v5 = s.version == "5"
    limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    limits.MaximumPacketSize = PACKET_BYTES
    return Connection(
        host,
        port,
        on_message=on_message,
        on_refused=on_refused,
        version=s.version,
        identifier=s.client_id or name,
        username=s.user,
        password=s.password_file.read_text().partition("\n")[0] if s.password_file else None,
        clean_session=None if v5 else True,
        properties=limits if v5 else None,
        will=will,
        tls_context=_tls(s) if s.tls else None,
        timeout=s.timeout_s,
        keepalive=KEEPALIVE_S,
        logger=_client_log,
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
