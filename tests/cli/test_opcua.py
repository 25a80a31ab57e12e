"""`stethos opcua`: users and trusted certificates."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import main
from gateway.outputs.opcua.users import Users
from tests.cli.test_cli import config as config  # the fixture


def stethos(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "-c", str(config)])


@pytest.fixture
def with_opcua(config: Path) -> Path:
    config.write_text(config.read_text() + "\n[output.opcua]\n")
    return config


def test_a_user_can_log_in_with_the_role_given(with_opcua: Path) -> None:
    result = stethos(with_opcua, "opcua", "user", "ann", "--role", "viewer", "--password", "correct horse")
    assert result.exit_code == 0, result.output
    file = with_opcua.parent / "state" / "opcua-users"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "correct horse" not in file.read_text()
    users = Users(file, lambda: 0.0)
    assert users.role_of("ann", "correct horse", "127.0.0.1") == "viewer"
    assert users.role_of("ann", "wrong", "127.0.0.1") is None


def test_a_name_that_would_break_the_file_is_refused(with_opcua: Path) -> None:
    result = stethos(with_opcua, "opcua", "user", "a:operator", "--password", "x")
    assert result.exit_code == 2 and "colon" in result.output


def test_a_refused_client_is_listed_and_then_trusted(with_opcua: Path) -> None:
    assert "no client was refused" in stethos(with_opcua, "opcua", "trust").output
    rejected = with_opcua.parent / "state" / "pki" / "rejected"
    rejected.mkdir(parents=True)
    der = certificate("scada-1")
    (rejected / "scada-1.der").write_bytes(der)
    assert "CN=scada-1  sha256 " in stethos(with_opcua, "opcua", "trust").output
    result = stethos(with_opcua, "opcua", "trust", "scada-1.der")
    assert result.exit_code == 0 and "trusted: CN=scada-1" in result.output
    assert not (rejected / "scada-1.der").exists()
    assert (rejected.parent / "trusted" / "scada-1.der").read_bytes() == der


def test_what_is_no_certificate_is_not_trusted(with_opcua: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.der").write_bytes(b"no certificate")
    result = stethos(with_opcua, "opcua", "trust", str(tmp_path / "photo.der"))
    assert result.exit_code == 1 and "not a certificate" in result.output
    assert stethos(with_opcua, "opcua", "trust", "nobody.der").exit_code == 1


def test_without_the_output_there_is_nobody_to_admit(config: Path) -> None:
    result = stethos(config, "opcua", "trust")
    assert result.exit_code == 1 and "[output.opcua]" in result.output


def certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now, now)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
