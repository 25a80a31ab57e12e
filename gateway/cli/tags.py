"""`stethos tags`: every published value, and where each Output has it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway import app
from gateway.cli.options import WIDE, config_option, faults_to_shell


@click.command()
@click.option("--format", "style", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@config_option
def tags(style: str, config_file: Path) -> None:
    """List every published value with its OPC UA NodeId, Modbus address and MQTT topic."""
    with faults_to_shell():
        rows = app.tag_table(app.load_settings(config_file))
    header = list(rows[0])
    if style == "json":
        json.dump(rows, sys.stdout, indent=1)
        click.echo()
    elif style == "csv":
        writer = csv.DictWriter(sys.stdout, header)
        writer.writeheader()
        writer.writerows(rows)
    else:
        table = Table(*header)
        for row in rows:
            table.add_row(*(row[name] for name in header))
        Console(width=None if sys.stdout.isatty() else WIDE).print(table)
