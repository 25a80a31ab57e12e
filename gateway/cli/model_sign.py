"""`stethos model keygen|sign|verify`, and with which key the other commands sign what they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import configured
from gateway.cli.options import DEFAULT_CONFIG, config_option, faults_to_shell
from gateway.detectors import detector, direct
from gateway.detectors.bundle import ANY, Bundle, BundleBroken, load
from gateway.detectors.manifest import MANIFEST
from gateway.detectors.node_library import LibraryMissing
from gateway.detectors.signature import Trust, key_id
from gateway.store import identity
from gateway.store.schema import JournalBroken
from gateway.training import bundle_writer, self_test
from gateway.training.anatomy import NotTflite
from gateway.training.dataset.manifest import DatasetBroken
from gateway.training.dense import Unsuitable
from gateway.training.exporting import NoImage
from gateway.training.held_out import Unfit

bundle_argument = click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))


def signing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--key, --unsigned and the configuration of a command that makes a Bundle."""
    key = click.option("--key", type=click.Path(path_type=Path), help="Sign with this key, not the gateway's own.")
    unsigned = click.option("--unsigned", is_flag=True, help="Do not sign: no gateway takes it as it is.")
    return config_option(key(unsigned(command)))


@contextmanager
def faults() -> Iterator[None]:
    """What is wrong with a Bundle, a model or its data ends the command with exit 1 and says which file and why."""
    with faults_to_shell():
        try:
            yield
        except direct.Refused as error:
            raise click.ClickException(f"the node's engine refuses the model: {error}") from error
        except (BundleBroken, DatasetBroken, Unfit, Unsuitable, NotTflite, NoImage, LibraryMissing) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from error


def signing_key(key: Path | None, config_file: Path) -> Ed25519PrivateKey:
    """The key of that file, or else the gateway's own. Raises ClickException if there is neither."""
    try:
        if key is not None:
            return identity.read(key).key
        if config_file == DEFAULT_CONFIG and not config_file.exists():
            raise click.ClickException(
                "there is no gateway here to sign for: give --key FILE (`stethos model keygen` makes one) or --unsigned"
            )
        return identity.load(configured.load_settings(config_file).gateway.state_dir).key
    except JournalBroken as error:
        raise click.ClickException(str(error)) from error


def finish(bundle: Bundle, key: Ed25519PrivateKey | None) -> None:
    """Sign a Bundle that was just made, or say that it is not signed."""
    if key is None:
        click.echo(f"{bundle.folder}: not signed")
    else:
        signed = bundle_writer.sign(bundle.folder, key)
        assert signed.signed_by
        click.echo(f"{bundle.folder}: signed by {key_id(signed.signed_by)}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def keygen(file: Path) -> None:
    """Make a key that signs bundles in FILE, and print what gateways that are to trust it are told."""
    with faults():
        try:
            made = identity.generate(file)
        except FileExistsError as error:
            raise click.ClickException(f"{file}: is there already, and a key is not written over") from error
    click.echo(f"{file}: key {key_id(made.public_key)}; whoever reads this file can sign in your name")
    click.echo(f'trusted_keys = ["{made.public_key.hex()}"]')


@click.command()
@bundle_argument
@click.option("--key", type=click.Path(path_type=Path), help="Sign with this key, not the gateway's own.")
@config_option
def sign(bundle: Path, key: Path | None, config_file: Path) -> None:
    """Sign BUNDLE: whole and undamaged as it is, you answer for it."""
    with faults():
        found = load(bundle, ANY)
        self_test.check(found)
        finish(found, signing_key(key, config_file))


@click.command()
@bundle_argument
@click.option("--trusted", "public", help="A public key in hexadecimal, instead of those that the gateway trusts.")
@config_option
def verify(bundle: Path, public: str | None, config_file: Path) -> None:
    """Tell whether the gateway takes BUNDLE, and whether a node's engine computes what it says."""
    with faults():
        found = load(bundle, _trust(public, config_file))
        if found.name != bundle.resolve().name:
            raise BundleBroken(bundle / MANIFEST, f"is the bundle {found.name!r}, not {bundle.resolve().name!r}")
        self_test.check(found)
        detector(found)
    whose = f"signed by {key_id(found.signed_by)}" if found.signed_by else "not signed, and taken all the same"
    click.echo(f"{bundle}: good, {whose}")


def _trust(public: str | None, config_file: Path) -> Trust:
    if public is None:
        if config_file == DEFAULT_CONFIG and not config_file.exists():
            raise click.ClickException("there is no gateway here that trusts anybody: give --trusted KEY")
        return configured.trust(configured.load_settings(config_file))
    try:
        return Trust(frozenset({bytes.fromhex(public)}))
    except ValueError as error:
        raise click.BadParameter(f"{public!r} is not hexadecimal", param_hint="--trusted") from error
