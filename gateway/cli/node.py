"""`stethos node`: the registry of nodes and their keys."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway import configured
from gateway.cli import said
from gateway.cli.battery import battery
from gateway.cli.mail import mail, tell
from gateway.cli.node_send import send
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.cli.provision import provision
from gateway.provision import node_json
from gateway.store.keys import NodeKey, Registry
from gateway.store.reader import Reader
from gateway.store.schema import FILE_NAME as JOURNAL


@click.group()
def node() -> None:
    """Register nodes, make their keys, check their settings, and forecast their batteries."""


node.add_command(battery)
node.add_command(provision)
node.add_command(mail)
node.add_command(send)
node.add_command(tell)


@node.command()
@click.argument("name")
@click.option("--id", "kid", help="4 bytes in hex; random unless given.")
@config_option
def add(name: str, kid: str | None, config_file: Path) -> None:
    """Register a node and print its id and secret: what the node has to be given."""
    with faults_to_shell(), _registry(config_file) as registry:
        _print_secret(registry.add(name, now_ms=time.time_ns() // 1_000_000, kid=_kid(kid)))


@node.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check the node.json of a MicroPython node before it is copied to the board."""
    try:
        settings = node_json.read(file)
    except node_json.NodeJsonInvalid as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: a {settings.sensor.chip} of {settings.hardware}, over {settings.radio.kind}, wakes every "
               f"{settings.wake_ms / 1000:g} s")  # fmt: skip
    keys = node_json.native(settings)
    settled, told = node_json.settled(settings)
    for line in told:
        click.echo(line)
    if settled.learn and not settings.learn:
        _, told = node_json.settled(settings, without="no native module is given to `stethos node provision`")
        click.echo(f"without --native: {told[-1]}")
    if keys:
        where = "nodes/micropython/native/README.md"
        click.echo(f"{' and '.join(keys)}: in C only; needs stethos_native.mpy for the board's processor ({where})")


@node.command(name="list")
@config_option
def list_nodes(config_file: Path) -> None:
    """All registered nodes, and the asset that each watches."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        assets = {name: asset.name for asset in settings.asset for name in asset.nodes}
        table = Table("node", "id", "asset", "key", "added")
        with _registry(config_file) as registry:
            known = registry.list()
        for key in known:
            added = datetime.fromtimestamp(key.added_ms / 1000, UTC).isoformat(timespec="seconds")
            table.add_row(key.name, key.kid.hex(), assets.get(key.name, "none"), str(key.key_generation), added)
        for name in sorted(assets.keys() - {key.name for key in known}):
            table.add_row(name, "not registered", assets[name], "", "")
        Console(width=None if sys.stdout.isatty() else WIDE).print(table)


@node.command()
@click.argument("name")
@click.option("--secret", is_flag=True, help="Print the secret, too.")
@config_option
def show(name: str, secret: bool, config_file: Path) -> None:
    """One node, and what it has told of itself; with --secret what it has to be given again after its memory was
    erased.
    """
    with faults_to_shell():
        with _registry(config_file) as registry:
            key = registry.get(name)
        if key is None:
            raise click.ClickException(f"{name}: no such node")
        click.echo(f"node {key.name}  id {key.kid.hex()}  key generation {key.key_generation}")
        state_dir = configured.load_settings(config_file).gateway.state_dir
        if (state_dir / JOURNAL).exists():
            with closing(Reader.open(state_dir)) as reader:
                for line in said.of_late(reader, name):
                    click.echo(line)
        if secret:
            _print_secret(key)


@node.command()
@click.argument("name")
@config_option
def remove(name: str, config_file: Path) -> None:
    """Forget a node's key: its messages are unknown from the next one on."""
    with faults_to_shell(), _registry(config_file) as registry:
        registry.remove(name)


@node.command()
@click.argument("name")
@config_option
def rekey(name: str, config_file: Path) -> None:
    """Give a node a new secret under the same name and id, and print it."""
    with faults_to_shell(), _registry(config_file) as registry:
        _print_secret(registry.rekey(name))


@contextmanager
def _registry(config_file: Path) -> Iterator[Registry]:
    with closing(Registry.open(configured.load_settings(config_file).gateway.state_dir)) as registry:
        yield registry


def _print_secret(key: NodeKey) -> None:
    click.echo(f"{key.kid.hex()} {key.secret.hex()}")


def _kid(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not hex", param_hint="--id") from error
