"""`stethos node tell` and `mail`: letters for nodes that sleep."""

from __future__ import annotations

import getpass
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway import configured
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.core.command import Outcome
from gateway.core.mailbox import TAKES_ARGUMENT, Box, Letter, Order, Parcel
from gateway.runtime import control, history
from gateway.store.reader import Reader

ORDERS = {order.name.lower().replace("_", "-"): order for order in Order}
MAX_ARGUMENT = 0xFFFF_FFFF


@click.command()
@click.argument("name")
@click.argument("order", type=click.Choice(list(ORDERS)))
@click.argument("argument", type=click.IntRange(0, MAX_ARGUMENT), required=False)
@click.option(
    "--hours", type=click.FloatRange(min=0.01), default=24.0, show_default=True, help="For how long it waits."
)
@config_option
def tell(name: str, order: str, argument: int | None, hours: float, config_file: Path) -> None:
    """Tell a node something, the next time it listens: nodes/wire/SPEC.md, "Commands", has the orders and arguments."""
    takes = ORDERS[order] in TAKES_ARGUMENT
    if (argument is not None) != takes:
        raise click.UsageError(f"{order} {'needs a number' if takes else 'takes no number'}")
    with faults_to_shell():
        post(configured.load_settings(config_file).gateway.state_dir, name, ORDERS[order], argument, hours)
    click.echo(f"{order} waits for {name}")


@click.command()
@config_option
def mail(config_file: Path) -> None:
    """What waits for nodes until they listen."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        with closing(Reader.open(settings.gateway.state_dir)) as reader:
            boxes = history.present(reader).mail.boxes
    table = Table("node", "letter", "order", "argument", "until (UTC)")
    for node, box in sorted(boxes.items()):
        for letter in box.letters:
            until = datetime.fromtimestamp(letter.expires_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
            table.add_row(node, str(letter.id or ""), *_described(box, letter), until)
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _described(box: Box, letter: Letter | Parcel) -> tuple[str, str]:
    if isinstance(letter, Letter):
        return letter.order.name.lower(), "" if letter.argument is None else str(letter.argument)
    whole = letter.image.file_size
    so_far = f"{letter.wanted or 0} of {whole} bytes"
    if box.held(letter):
        so_far += f", waits for the battery: {box.battery_mv} of {letter.least_mv} mV"
    return f"take this {letter.image.store.name.lower()}", so_far


def post(state_dir: Path, node: str, order: Order, argument: int | None, hours: float) -> None:
    """Put a letter into a node's mailbox at the running gateway. Raises ControlFailed, ClickException."""
    expires_ms = time.time_ns() // 1_000_000 + round(hours * 3_600_000)
    letter = {"node": node, "order": int(order), "argument": argument, "expires_ms": expires_ms}
    reply = control.ask(state_dir, {"kind": control.POST, "actor": getpass.getuser(), **letter})
    if reply["outcome"] != Outcome.DONE:
        raise click.ClickException(reply["detail"])
