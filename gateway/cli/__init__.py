"""The command line: arguments only. One file per group of commands."""

from __future__ import annotations

import click

from gateway import __version__
from gateway.cli.alarm import alarm
from gateway.cli.demo import demo
from gateway.cli.history import audit, explain, replay
from gateway.cli.node import node
from gateway.cli.opcua import opcua
from gateway.cli.run import check, run
from gateway.cli.tags import tags


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stethos")
def main() -> None:
    """Stethos: a stethoscope for machines."""


for command in (run, check, tags, node, alarm, opcua, replay, explain, audit, demo):
    main.add_command(command)
