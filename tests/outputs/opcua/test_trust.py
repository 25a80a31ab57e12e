"""Settings, users and certificates."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from gateway.outputs import OutputFailed, Present
from gateway.outputs.opcua import Output, Settings
from gateway.outputs.opcua.trust import CertificateUnusable, Pki, leaf, uris_of
from gateway.outputs.opcua.users import Users, UsersFileUnusable, set_user
from tests.outputs.opcua.plants import MemoryHost, make_plant
from tests.outputs.opcua.raw import make_identity


@pytest.mark.parametrize("door", ["none", "anonymous"])
def test_open_doors_are_refused_beyond_loopback(door: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        Settings(endpoint="opc.tcp://0.0.0.0:4840/x", **{door: True})
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert getattr(Settings(endpoint=f"opc.tcp://{host}:4840/x", **{door: True}), door)


def test_nothing_is_open_unless_said() -> None:
    settings = Settings()
    assert settings.is_loopback
    assert not settings.none
    assert not settings.anonymous


@pytest.mark.parametrize("endpoint", ["opc.tcp://127.0.0.1/x", "http://127.0.0.1:4840", "opc.tcp://h:99999/", "4840"])
def test_endpoints_that_are_none_are_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        Settings(endpoint=endpoint)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_users_roles_and_a_changed_password_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "users"
    users = Users(path, Clock())
    assert users.role_of("olivia", "secret", "peer") is None
    set_user(path, "olivia", "secret")
    set_user(path, "victor", "secret2", "viewer")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in path.read_text()
    assert users.role_of("olivia", "secret", "peer") == "operator"
    assert users.role_of("olivia", "secret", "peer") == "operator"
    assert users.role_of("victor", "secret2", "peer") == "viewer"
    assert users.role_of("victor", "secret", "peer") is None
    set_user(path, "olivia", "other")
    assert users.role_of("olivia", "secret", "peer") is None
    assert users.role_of("olivia", "other", "peer") == "operator"


def test_guessing_is_braked_for_that_name_and_peer_only(tmp_path: Path) -> None:
    path, clock = tmp_path / "users", Clock()
    set_user(path, "olivia", "secret")
    users = Users(path, clock)
    for _ in range(5):
        assert users.role_of("olivia", "guess", "thief") is None
    assert users.role_of("olivia", "secret", "thief") is None
    assert users.role_of("olivia", "secret", "control room") == "operator"
    clock.now += 31
    assert users.role_of("olivia", "secret", "thief") == "operator"


@pytest.mark.parametrize(
    "line", ["olivia", "olivia:admin:scrypt:1:1:1:eA==:eA==", "olivia:viewer:scrypt:x:8:1:eA==:eA=="]
)
def test_malformed_users_are_the_operators_fault(tmp_path: Path, line: str) -> None:
    path = tmp_path / "users"
    path.touch(mode=0o600)
    path.write_text(line + "\n")
    with pytest.raises(UsersFileUnusable, match="olivia"):
        Users(path, Clock()).check()


async def test_users_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users"
    set_user(path, "olivia", "secret")
    path.chmod(0o644)
    output = Output(Settings(endpoint="opc.tcp://127.0.0.1:0/x", pki=tmp_path / "pki", users=path))
    with pytest.raises(OutputFailed, match="chmod 600"):
        await output.open(MemoryHost(make_plant()), Present([], []))
    await output.close()


def test_own_certificate_is_made_once_and_names_its_application(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.prepare("urn:a", ("127.0.0.1", "gateway.local"))
    der = pki.certificate_path.read_bytes()
    assert pki.key_path.stat().st_mode & 0o777 == 0o600
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert uris_of(certificate) == ["urn:a"]
    assert names.get_values_for_type(x509.DNSName) == ["gateway.local"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert certificate.public_key().key_size >= 2048
    pki.prepare("urn:a", ())
    assert pki.certificate_path.read_bytes() == der
    with pytest.raises(CertificateUnusable, match="urn:b"):
        pki.prepare("urn:b", ())


def test_trust_is_moving_a_file_and_rejected_keeps_the_newest(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.prepare("urn:a", ())
    client = make_identity(tmp_path, "client").certificate.read_bytes()
    assert not pki.trusts(client)
    assert not pki.trusts(b"")
    kept = list((tmp_path / "pki" / "rejected").iterdir())
    assert [path.read_bytes() for path in kept] == [client]
    moved = kept[0].rename(tmp_path / "pki" / "trusted" / kept[0].name)
    assert pki.trusts(client)
    pem = x509.load_der_x509_certificate(client).public_bytes(Encoding.PEM)
    moved.unlink()
    (tmp_path / "pki" / "trusted" / "client.pem").write_bytes(pem)
    assert pki.trusts(client)
    assert leaf(client + client) == client


def test_rejected_is_bounded(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.prepare("urn:a", ())
    client = bytearray(make_identity(tmp_path, "client").certificate.read_bytes())
    for n in range(40):
        client[-1] = n  # another signature: another certificate
        pki.trusts(bytes(client))
    assert len(list((tmp_path / "pki" / "rejected").iterdir())) == 32
