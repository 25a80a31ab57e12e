"""Options that several commands share, and how faults reach the person at the shell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.config import ConfigurationFaulty
from gateway.core.entry import EntryBroken
from gateway.runtime.control import ControlFailed
from gateway.runtime.history import HistoryUnreadable
from gateway.runtime.parts import PartFailed
from gateway.store.backup import BackupBroken
from gateway.store.keys import RegistryBroken, RegistryRefused
from gateway.store.schema import JournalBroken, JournalFull, JournalRefused

WIDE = 400
"""Columns of a table that goes into a pipe or a file: no cell is cut."""

DEFAULT_CONFIG = Path("/etc/stethos/stethos.toml")

config_option = click.option(
    "-c",
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration.",
)


@contextmanager
def faults_to_shell() -> Iterator[None]:
    """Faults of the configuration end with exit 78 (sysexits EX_CONFIG), the world's with 75, others with 1."""
    try:
        yield
    except ConfigurationFaulty as error:
        click.echo(error, err=True)
        raise SystemExit(os.EX_CONFIG) from error
    except (ControlFailed, JournalFull, JournalRefused) as error:
        click.echo(error, err=True)
        raise SystemExit(os.EX_TEMPFAIL) from error
    except (
        JournalBroken,
        RegistryBroken,
        RegistryRefused,
        HistoryUnreadable,
        EntryBroken,
        PartFailed,
        BackupBroken,
    ) as error:
        click.echo(error, err=True)
        raise SystemExit(1) from error
