"""`stethos alarm`: what stands, and what a person does about it."""

from __future__ import annotations

import getpass
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gateway import configured
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.core.command import CommandKind, Outcome
from gateway.core.update import AlarmChange
from gateway.runtime import control, history
from gateway.store.reader import Reader


@click.group()
def alarm() -> None:
    """List, acknowledge and shelve alarms."""


@alarm.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also alarms that are back to normal and acknowledged.")
@config_option
def list_alarms(everything: bool, config_file: Path) -> None:
    """Alarms as the journal has them, with what to do."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        with closing(Reader.open(settings.gateway.state_dir)) as reader:
            engine = history.present(reader)
        table = Table("alarm", "event", "state", "priority", "since (UTC)", "do")
        plant = engine.plant
        for change in engine.present_alarms():
            if plant and (everything or change.retain or change.shelved_until_ms or change.out_of_service):
                text = plant.told(change.alarm)
                table.add_row(
                    str(change.alarm),
                    str(change.event),
                    str(change.state),
                    str(text.priority),
                    _since(change),
                    text.action if change.actor or not change.comment else f"{text.action} ({change.comment})",
                )
        width = None if sys.stdout.isatty() else WIDE
        Console(markup=False, width=width).print(table)  # the words of the configuration are no markup


@alarm.command()
@click.argument("alarm_or_event")
@click.option("-m", "--comment", default="", help="What you found, or did.")
@click.option("--learn", is_flag=True, help="What is there now is normal from now on: gateway and nodes learn it anew.")
@config_option
def ack(alarm_or_event: str, comment: str, learn: bool, config_file: Path) -> None:
    """Acknowledge an alarm, named as in `alarm list` or by the number of one of its events."""
    _command(config_file, CommandKind.ACKNOWLEDGE, alarm_or_event, comment, learn=learn)


@alarm.command()
@click.argument("alarm_or_event")
@click.option("--minutes", type=click.FloatRange(min=0.1), required=True)
@click.option("-m", "--reason", required=True, help="Why it is put aside.")
@config_option
def shelve(alarm_or_event: str, minutes: float, reason: str, config_file: Path) -> None:
    """Put an alarm aside for a time; it comes back by itself."""
    until_ms = time.time_ns() // 1_000_000 + round(minutes * 60_000)
    _command(config_file, CommandKind.SHELVE, alarm_or_event, reason, until_ms)


@alarm.command()
@click.argument("alarm_or_event")
@click.option("-m", "--comment", default="")
@config_option
def unshelve(alarm_or_event: str, comment: str, config_file: Path) -> None:
    """Take an alarm off the shelf."""
    _command(config_file, CommandKind.UNSHELVE, alarm_or_event, comment)


@alarm.command(name="out-of-service")
@click.argument("alarm_or_event")
@click.option("-m", "--comment", default="")
@config_option
def out_of_service(alarm_or_event: str, comment: str, config_file: Path) -> None:
    """Take an alarm out of service until it is put back by hand."""
    _command(config_file, CommandKind.OUT_OF_SERVICE, alarm_or_event, comment)


@alarm.command(name="in-service")
@click.argument("alarm_or_event")
@click.option("-m", "--comment", default="")
@config_option
def in_service(alarm_or_event: str, comment: str, config_file: Path) -> None:
    """Put an alarm back into service."""
    _command(config_file, CommandKind.IN_SERVICE, alarm_or_event, comment)


def _command(
    config_file: Path, kind: CommandKind, which: str, comment: str, until_ms: int = 0, *, learn: bool = False
) -> None:
    with faults_to_shell():
        state_dir = configured.load_settings(config_file).gateway.state_dir
        request: dict[str, Any] = {"kind": str(kind), "actor": getpass.getuser(), "comment": comment}
        request["event" if which.isdigit() else "alarm"] = int(which) if which.isdigit() else which
        reply = control.ask(state_dir, request | {"until_ms": until_ms, "learn": learn})
        detail = f": {reply['detail']}" if reply["detail"] else ""
        click.echo(f"{reply['outcome']}{detail}" + (f" (event {reply['event']})" if reply["event"] else ""))
        if reply["outcome"] != Outcome.DONE:
            raise SystemExit(1)


def _since(change: AlarmChange) -> str:
    return datetime.fromtimestamp(change.onset_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
