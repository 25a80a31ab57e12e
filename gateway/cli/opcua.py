"""`stethos opcua`: who may log in, and which clients' certificates are trusted. Both work beside a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway import configured
from gateway.cli.options import config_option, faults_to_shell
from gateway.outputs.opcua.settings import Settings
from gateway.outputs.opcua.users import Role, set_user


@click.group()
def opcua() -> None:
    """Admit people and clients to the OPC UA server."""


@opcua.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["operator", "viewer"]), default="operator", show_default=True)
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for unless given.")
@config_option
def user(name: str, role: str, password: str, config_file: Path) -> None:
    """Add a user, or give one a new password. An operator acknowledges and shelves, a viewer reads."""
    with faults_to_shell():
        table = _table(config_file)
        table.users.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            set_user(table.users, name, password, cast(Role, role))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="NAME") from error
        click.echo(f"{name} may log in as {role}")


@opcua.command()
@click.argument("certificate", required=False)
@config_option
def trust(certificate: str | None, config_file: Path) -> None:
    """List the clients that were refused, or trust one of them: CERTIFICATE is a name of the list or a file."""
    with faults_to_shell():
        pki = _table(config_file).pki
        if certificate is None:
            refused = sorted((pki / "rejected").glob("*"))
            for file in refused:
                click.echo(f"{file.name}  {_subject(file)}")
            if not refused:
                click.echo("no client was refused")
            return
        rejected = pki / "rejected" / certificate
        source = rejected if rejected.is_file() else Path(certificate)
        if not source.is_file():
            raise click.ClickException(f"{certificate}: neither a refused certificate nor a file")
        subject = _subject(source)
        target = pki / "trusted" / source.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        rejected.unlink(missing_ok=True)
        click.echo(f"trusted: {subject}")


def _table(config_file: Path) -> Settings:
    table = configured.output_table(configured.load_settings(config_file), "opcua")
    if not isinstance(table, Settings):
        raise click.ClickException(f"{config_file}: has no [output.opcua]")
    return table


def _subject(file: Path) -> str:
    """Whose certificate it is, and the fingerprint that a person compares. ClickException if it is none."""
    data = file.read_bytes()
    try:
        load = x509.load_pem_x509_certificate if data.startswith(b"-----BEGIN") else x509.load_der_x509_certificate
        certificate = load(data)
    except ValueError as error:
        raise click.ClickException(f"{file}: not a certificate: {error}") from error
    return f"{certificate.subject.rfc4514_string()}  sha256 {certificate.fingerprint(hashes.SHA256()).hex()}"
