"""`stethos tags`: every published value, and where each Output has it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway import configured
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.config import Settings
from gateway.extensions import output_modules

MODBUS = "modbus"


@click.command()
@click.option("--format", "style", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--modbus-map", is_flag=True, help="Instead: every register and bit of this plant over Modbus, as CSV.")
@config_option
def tags(style: str, modbus_map: bool, config_file: Path) -> None:
    """List every published value with its OPC UA NodeId, Modbus address and MQTT topic."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        if modbus_map:
            click.echo(_modbus_map(settings), nl=False)
            return
        rows = configured.tag_table(settings)
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


def _modbus_map(settings: Settings) -> str:
    table = getattr(settings.output, MODBUS)
    if table is None:
        raise click.UsageError(f"--modbus-map: the configuration has no [output.{MODBUS}]")
    text: str = output_modules()[MODBUS].map_csv(configured.configured_plant(settings), table)
    return text
