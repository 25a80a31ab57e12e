"""MQTT topics and payloads, and the ways in: names that must not escape their level, passwords, TLS."""

from __future__ import annotations

import datetime
import ipaddress
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.core.event_id import EventIds
from gateway.core.plant import AlarmKind, AlarmText, Kind, Priority, Scope, TagId, TagType
from gateway.core.update import Quality, TagChange
from gateway.outputs import Gap, OutputFailed
from gateway.outputs.mqtt import Output, Settings, addresses
from gateway.outputs.mqtt.commands import read_request
from gateway.outputs.mqtt.payloads import TagForm, alarm_payload, gap_payload, iso, quiet_payload
from gateway.outputs.mqtt.topics import Topics
from tests.outputs.host import PLANT, PUMP, MemoryHost, plant_of, tag
from tests.system.broker import mosquitto

PLANT_TAGS: dict[str, TagType] = {t.tag: kind for t, kind in PLANT.tags() if t.scope is Scope.NODE}
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


def told(kind: TagType, change: TagChange) -> dict[str, Any]:
    return json.loads(TagForm(kind, b"gateway!").payload(change))


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.lists(NAMES, max_size=5, unique=True))
@settings(max_examples=50, deadline=None)
def test_every_tag_and_alarm_has_a_topic_of_its_own(assets: list[str], nodes: list[str]) -> None:
    plant = plant_of(
        {name: slot for slot, name in enumerate(assets)}, {name: (assets[0], i) for i, name in enumerate(nodes)}
    )
    where = addresses(plant, Settings())
    assert where.keys() == {t for t, _ in plant.tags()}
    topics = Topics(plant, "stethos")
    every = [*where.values(), *map(topics.alarm, plant.alarm_ids()), topics.status, topics.alarm_events,
             topics.incident_events, topics.gaps, topics.commands, topics.results]  # fmt: skip
    assert len(set(every)) == len(every)
    assert all(topic.startswith("stethos/works/") and "#" not in topic and "+" not in topic for topic in every)


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "$SYS", "a\0b", "a\nb", "\x7f"])
async def test_a_name_that_would_leave_its_level_is_refused(name: str) -> None:
    asset = replace(PLANT.assets["pump-1"], line=name)
    for plant in (
        replace(PLANT, site=name),
        replace(PLANT, assets={**PLANT.assets, "pump-1": asset}),
        plant_of({"a": 0}, {name: ("a", 0)}),
    ):
        with pytest.raises(ValueError, match="level of an MQTT topic"):
            addresses(plant, Settings())
    host = MemoryHost(replace(PLANT, site=name))
    output = Output(Settings())
    with pytest.raises(OutputFailed, match="level of an MQTT topic"):
        await output.open(host, host.present)
    await output.close()


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a//b", "a/+", "#", "$share/x", "a b"])
def test_a_prefix_that_is_no_topic_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        Settings(prefix=prefix)


@pytest.mark.parametrize("broker", ["", "host", "host:", ":1883", "host:port", "::1:1883", "a b:1883", "host:70000"])
def test_a_broker_without_host_and_port_is_refused(broker: str) -> None:
    with pytest.raises(ValidationError):
        Settings(broker=broker)


@pytest.mark.parametrize("table", [{"ca_file": "ca.pem"}, {"password_file": "secret"}, {"tls": "yes"}, {"will": True}])
def test_settings_that_do_not_fit_together_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(table)


def test_values_are_in_their_unit() -> None:
    volts, degrees = PLANT_TAGS["battery"], PLANT_TAGS["temperature"]
    assert told(volts, tag(Scope.NODE, "n1", "battery", 3001))["value"] == 3.001
    assert told(degrees, tag(Scope.NODE, "n1", "temperature", -7))["value"] == -0.07
    assert told(PLANT_TAGS["anomalous"], tag(Scope.NODE, "n1", "anomalous", True))["value"] is True
    assert told(PLANT_TAGS["link"], tag(Scope.NODE, "n1", "link", -70))["value"] == -70
    assert told(volts, tag(Scope.NODE, "n1", "battery", None))["value"] is None


@pytest.mark.parametrize("quality", list(Quality))
def test_only_good_has_no_reason(quality: Quality) -> None:
    payload = told(PLANT_TAGS["battery"], tag(Scope.NODE, "n1", "battery", 1, quality))
    assert payload["quality"] == ("good" if quality.is_good else "bad" if quality.is_bad else "uncertain")
    assert (payload["reason"] is None) == (quality is Quality.GOOD)


@given(st.integers(1, 2**42))
def test_times_keep_their_milliseconds(ms: int) -> None:
    text = iso(ms)
    assert text is not None
    assert text.endswith("Z")
    at = datetime.datetime.fromisoformat(text)
    assert (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) == datetime.timedelta(milliseconds=ms)


def test_the_text_of_an_assets_alarm_names_its_nodes() -> None:
    text = AlarmText("{asset} sounds wrong", "it may fail", "look at {node}", Priority.HIGH, 600)
    plant = replace(PLANT, alarms=dict.fromkeys(AlarmKind, text))
    raised = MemoryHost(plant).raised()
    for payload in (quiet_payload(plant, PUMP, b"gateway!"), alarm_payload(plant, raised, EventIds(b"gateway!"))):
        assert (payload["cause"], payload["action"]) == ("pump-1 sounds wrong", "look at n1, n2")


def test_a_gap_says_what_was_given_up_and_has_an_id_of_its_own() -> None:
    gateway = bytes(range(8))
    ids_of = EventIds(gateway)
    gap = gap_payload(Gap(258, 261), ids_of)
    assert gap.items() >= {"first_event": 258, "last_event": 261, "count": 4, "gateway": gateway.hex()}.items()
    ids = {gap["id"], gap_payload(Gap(258, 262), ids_of)["id"], *(ids_of.id_of(n).hex() for n in range(258, 263))}
    assert len(ids) == 7


@given(st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.text()), st.text(max_size=9))
def test_whatever_a_tag_holds_its_payload_is_json(value: bool | int | str | None, unit: str) -> None:
    kind = TagType("any", Kind.TEXT, "", unit, states=('quo"ted', "b\\n"))
    payload = told(kind, TagChange(TagId(Scope.NODE, "n1", "any"), value, Quality.GOOD, 0))
    assert (payload["value"], payload["unit"], payload["source_time"]) == (value, unit, None)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2
    assert payload.get("state") == (kind.states[value] if known else None)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_request_or_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_request(payload)


def test_shelving_carries_its_end() -> None:
    text = '{"v":1,"id":"s","kind":"shelve","alarm":"asset/pump-1/anomaly","actor":"kim","comment":"works","until":%s}'
    command = read_request((text % '"2026-01-01T01:00:00.250+01:00"').encode()).command("mqtt b:1")
    assert command.until_ms == 1_767_225_600_250
    assert (command.kind, command.alarm, command.origin) == ("shelve", "asset/pump-1/anomaly", "mqtt b:1")


async def test_user_and_password(tmp_path: Path) -> None:
    host, secret, users = MemoryHost(), tmp_path / "secret", tmp_path / "users"
    secret.write_text("correct horse\n")
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "kim", "correct horse"], check=True)
    async with mosquitto(tmp_path, lines=["allow_anonymous false", f"password_file {users}"]) as broker:
        for user, opens in (("kim", True), (None, False), ("eve", False)):
            output = Output(Settings(broker=broker.address, user=user, password_file=secret if user else None))
            try:
                if opens:
                    await output.open(host, host.present)
                else:
                    with pytest.raises(OutputFailed, match=r"Not authorized|not authorised|Bad user"):
                        await output.open(host, host.present)
            finally:
                await output.close()
    output = Output(Settings(user="kim", password_file=tmp_path / "nowhere"))
    with pytest.raises(OutputFailed, match="nowhere"):
        await output.open(host, host.present)


async def test_tls_checks_the_brokers_certificate(tmp_path: Path) -> None:
    host = MemoryHost()
    certificate, key = own_certificate(tmp_path)
    lines = ["allow_anonymous true", f"certfile {certificate}", f"keyfile {key}"]
    async with mosquitto(tmp_path, lines=lines) as broker:
        trusting = Output(Settings(broker=broker.address, tls=True, ca_file=certificate))
        await trusting.open(host, host.present)
        await trusting.write([tag(Scope.NODE, "n1", "battery", 3000)])
        await trusting.close()
        strict = Output(Settings(broker=broker.address, tls=True))
        with pytest.raises(OutputFailed, match="certificate"):
            await strict.open(host, host.present)
        await strict.close()


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker of a test")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "broker.crt", folder / "broker.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths
