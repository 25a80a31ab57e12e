"""Commands that are read from their files when they are asked for: `run` must not wait for what only `demo` needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Commands(click.Group):
    """`file_of`: command -> the file of this folder that has it, by the same name."""

    def __init__(self, *args: Any, file_of: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file_of = file_of

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self._file_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None if there is none."""
        if cmd_name not in self._file_of:
            return None
        command = getattr(importlib.import_module(f"{__package__}.{self._file_of[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command
