import asyncio
import datetime
import ipaddress
import logging
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pydantic
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.links import LinkFailed
from gateway.links.mqtt import Link, Settings
from tests.system.broker import mosquitto

KID = "0a0b0c0d"
UP = f"stethos/nodes/{KID}/up"


def link_to(broker: str, counts: Counter[str], **more: Any) -> Link:
    return Link(Settings(type="mqtt", name="air", broker=broker, **more), lambda name: counts.update([name]))


@asynccontextmanager
async def opened(link: Link) -> AsyncIterator[Link]:
    try:
        await link.open()
        yield link
    finally:
        await link.close()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_what_was_sent_while_the_gateway_was_away_arrives(tmp_path: Path, version: str) -> None:
    async with mosquitto(tmp_path, persistence=True) as broker:
        link = link_to(broker.address, Counter(), version=version)
        async with opened(link):
            pass
        async with aiomqtt.Client(broker.host, broker.port) as node:
            for i in range(50):
                await node.publish(UP, bytes([i]), qos=1)
        await broker.stop()
        await broker.start()
        got: list[bytes] = []
        async with opened(link), asyncio.timeout(20):
            while len(got) < 50:
                got += [frame.data for frame in await link.receive()]
        assert got == [bytes([i]) for i in range(50)]


async def test_a_topic_that_names_no_node_is_counted(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    async with (
        mosquitto(tmp_path) as broker,
        opened(link_to(broker.address, counts, prefix="plant/north")) as link,
        aiomqtt.Client(broker.host, broker.port) as node,
    ):
        for part in ("0a0b0c", "0a0b0c0d0e", "0a0b0c0g", ""):
            await node.publish(f"plant/north/{part}/up", b"lost", qos=1)
        await node.publish(f"plant/north/{KID.upper()}/up", b"found", qos=1)
        [frame] = await link.receive()
        assert (frame.data, frame.address) == (b"found", KID.upper())
    assert counts == {"bad_topic": 4, "received": 1}


async def test_a_refused_subscription_is_a_failure_that_says_so() -> None:
    # mosquitto's access lists let every subscription pass and filter what is sent, so this broker is a few bytes.
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def packet() -> bytes:
            head = await reader.readexactly(2)  # these packets are short: one byte of length
            return await reader.readexactly(head[1])

        await packet()
        writer.write(bytes([0x20, 2, 0, 0]))  # CONNACK: accepted
        subscribe = await packet()
        writer.write(bytes([0x90, 3, *subscribe[:2], 0x80]))  # SUBACK: failure
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(LinkFailed, match=r"the subscription to stethos/nodes/.*/up is refused"):
            await link_to(f"{host}:{port}", Counter(), version="3.1.1").open()


async def test_a_user_with_a_password_from_a_file(tmp_path: Path) -> None:
    known = tmp_path / "known"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(known), "gateway", "open sesame"], check=True)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("open sesame\n")
    wrong.write_text("open barley\n")
    async with mosquitto(tmp_path, lines=["allow_anonymous false", f"password_file {known}"]) as broker:
        async with opened(link_to(broker.address, Counter(), user="gateway", password_file=str(right))) as link:
            await link.send(KID, b"heard by the broker")
        for bad in ({"password_file": str(wrong)}, {"password_file": str(tmp_path / "missing")}, {}):
            with pytest.raises(LinkFailed, match="air: mqtt"):
                await link_to(broker.address, Counter(), user="gateway", **bad).open()


async def test_a_broker_that_accepts_and_says_nothing_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        link = link_to(f"{host}:{port}", Counter(), timeout_s=0.3)
        with caplog.at_level(logging.DEBUG), pytest.raises(LinkFailed, match=f"{port}.*timed out"):
            await link.open()
        async with asyncio.timeout(10):
            await gone.wait()  # the connection is closed, not forgotten
        await link.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_broker_that_takes_no_answer_fails_the_link(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, opened(link_to(broker.address, Counter(), timeout_s=0.3)) as link:
        receiving = asyncio.create_task(link.receive())
        broker.send_signal(signal.SIGSTOP)
        try:
            await link.send(KID, b"into the void")
            async with asyncio.timeout(4):  # far below the keepalive
                with pytest.raises(LinkFailed, match="timed out"):
                    await receiving
            with pytest.raises(LinkFailed, match="timed out"):
                await link.send(KID, b"into the void")
        finally:
            broker.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_answers_do_not_wait_for_the_broker(tmp_path: Path, version: str) -> None:
    answers = [number.to_bytes(2) for number in range(2500)]  # more than WINDOW
    async with (
        mosquitto(tmp_path, lines=["allow_anonymous true", "max_queued_messages 0"]) as broker,
        aiomqtt.Client(broker.host, broker.port) as node,
        opened(link_to(broker.address, Counter(), version=version)) as link,
    ):
        await node.subscribe(f"stethos/nodes/{KID}/down", qos=1)
        async with asyncio.timeout(30):
            for answer in answers:
                await link.send(KID, answer)
            assert sorted([(await anext(node.messages)).payload for _ in answers]) == answers


async def test_an_answer_that_the_broker_refuses_is_counted(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text("topic read stethos/nodes/+/up\n")
    counts: Counter[str] = Counter()
    async with (
        mosquitto(tmp_path, lines=["allow_anonymous true", f"acl_file {access}"]) as broker,
        opened(link_to(broker.address, counts, version="5")) as link,
        asyncio.timeout(20),
    ):
        await link.send(KID, b"not for you")
        while not counts["answer_refused"]:
            await asyncio.sleep(0.01)
    assert counts == {"sent": 1, "answer_refused": 1}


async def test_a_broker_keeps_what_a_busy_gateway_does_not_read_yet(tmp_path: Path) -> None:
    """A loop that is held up for long takes what a stock broker would have dropped (it queues 1000 of QoS 1)."""
    counts: Counter[str] = Counter()
    async with mosquitto(tmp_path) as broker, opened(link_to(broker.address, counts)) as link:
        node = subprocess.Popen(
            ["mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", UP, "-l"],
            stdin=subprocess.PIPE,
        )
        node.communicate(b"".join(b"%d\n" % i for i in range(3000)), timeout=60)  # the loop stands still
        got: list[bytes] = []
        async with asyncio.timeout(20):
            while len(got) < 3000:
                got += [frame.data for frame in await link.receive()]
    assert got == [b"%d" % i for i in range(3000)]
    assert counts == {"received": 3000}


async def test_a_host_that_cannot_be_one_is_a_failure() -> None:
    with pytest.raises(LinkFailed, match="air"):
        await link_to("a" * 100 + ":1883", Counter()).open()


def certify(folder: Path, name: str, signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None) -> Any:
    """Write NAME.pem and NAME.key, signed by `signer` or, as an authority, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[0].subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(ski, critical=False)
        .sign(signer[1] if signer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key


async def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority = certify(tmp_path, "authority", None)
    for name in ("broker", "gateway"):
        certify(tmp_path, name, authority)
    certify(tmp_path, "stranger", None)
    lines = [
        f"cafile {tmp_path}/authority.pem",
        f"certfile {tmp_path}/broker.pem",
        f"keyfile {tmp_path}/broker.key",
        "require_certificate true",
        "use_identity_as_username true",
        "allow_anonymous false",
    ]
    own = {"cert_file": f"{tmp_path}/gateway.pem", "key_file": f"{tmp_path}/gateway.key"}
    async with mosquitto(tmp_path, lines=lines) as broker:
        good = {"tls": True, "ca_file": f"{tmp_path}/authority.pem", **own}
        async with opened(link_to(broker.address, Counter(), **good)) as link:
            await link.send(KID, b"heard by the broker")
        for bad in (
            {**good, "ca_file": f"{tmp_path}/stranger.pem"},
            {**good, "ca_file": f"{tmp_path}/missing.pem"},
            {"tls": True, "ca_file": f"{tmp_path}/authority.pem"},
            {},
        ):
            link = link_to(broker.address, Counter(), timeout_s=2.0, **bad)
            with pytest.raises(LinkFailed, match="air: mqtt"):
                await link.open()
            await link.close()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ca_file": "/x"}, "tls = true"),
        ({"tls": True, "key_file": "/x"}, "key_file needs cert_file"),
        ({"password_file": "/x"}, "password_file needs user"),
        ({"prefix": "a/+/b"}, "prefix"),
        ({"prefix": "/a"}, "prefix"),
        ({"broker": "nowhere"}, "host:port"),
        ({"version": "4"}, "version"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=says):
        Settings(type="mqtt", name="air", **wrong)
