"""The command line: arguments only. One file per group of commands, read when its command is asked for: `run` must not
wait for what only `demo` needs.
"""

from __future__ import annotations

import importlib

import click

from gateway import __version__

FILE_OF = {
    "run": "run", "check": "run", "reload": "run", "tags": "tags", "node": "node", "alarm": "alarm", "opcua": "opcua",
    "replay": "history", "explain": "history", "audit": "history", "backup": "backup", "restore": "backup",
    "demo": "demo",
}  # fmt: skip
"""Command -> the file that has it, by the same name."""


class Commands(click.Group):
    """The commands of FILE_OF."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(FILE_OF)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None if there is none."""
        if cmd_name not in FILE_OF:
            return None
        command = getattr(importlib.import_module(f"{__name__}.{FILE_OF[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stethos")
def main() -> None:
    """Stethos: a stethoscope for machines."""
