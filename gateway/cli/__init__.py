"""The command line: arguments only. One file per group of commands."""

from __future__ import annotations

import click

from gateway import __version__
from gateway.cli.commands import Commands

FILE_OF = {
    "run": "run", "check": "run", "reload": "run", "tags": "tags", "node": "node", "alarm": "alarm", "opcua": "opcua",
    "replay": "history", "explain": "history", "audit": "history", "backup": "backup", "restore": "backup",
    "demo": "demo", "collect": "collect", "learner": "learner", "dataset": "dataset", "model": "model",
}  # fmt: skip
"""Command -> the file that has it, by the same name."""


@click.group(cls=Commands, file_of=FILE_OF, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stethos")
def main() -> None:
    """Stethos: a stethoscope for machines."""
