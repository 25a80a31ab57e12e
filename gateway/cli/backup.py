"""`stethos backup` and `stethos restore`: the whole gateway in one file, and back onto a new box."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway import __version__, configured
from gateway.cli.options import config_option, faults_to_shell
from gateway.config import Settings
from gateway.store import backup as store_backup
from gateway.store import restore as store_restore

SHOWN_FROM_PAGES = 25_000  # about 100 MB

FOLLOW = """\
The nodes follow by themselves: epoch {epoch} gives the answers new keys, and each node takes them up with the first
answer that it hears. What they reported after the backup and had acknowledged is lost with the old box.
Never start the old box again: the nodes would not understand it, and SCADA would see one gateway twice."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
def backup(file: Path, config_file: Path) -> None:
    """Write journal, keys, PKI, users and configuration to FILE, while the gateway runs or not."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        state_dir = settings.gateway.state_dir
        made, left_out = store_backup.make(
            state_dir, config_file, file, release=__version__, now_ms=_now_ms(), progress=_Bar("journal")
        )
    size = sum(content.size for content in made.files.values())
    click.echo(f"{file}: gateway {made.gateway_id}, entries up to {made.head}, {size / 2**20:.1f} MiB, verified")
    click.echo(f"head {made.head_hash}")
    click.echo("It holds the keys of the gateway and of every node: guard it as you guard them.")
    for path in (*left_out, *_elsewhere(settings)):
        click.echo(f"not in it: {path}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
def restore(file: Path, config_file: Path) -> None:
    """Put a backup in place on a new box: the configuration, and the state folder it names, which must be empty."""
    with faults_to_shell():
        state_dir = configured.state_dir(store_restore.configuration(file), config_file)
        done = store_restore.restore(file, state_dir, config_file, now_ms=_now_ms())
    made = done.manifest
    click.echo(f"{state_dir}: gateway {made.gateway_id} as of {_time(made.made_ms)}, entries up to {made.head}")
    click.echo(f"head {made.head_hash}")
    if done.kept_config:
        click.echo(f"{config_file}: restored; what was there is kept as {done.kept_config}")
    click.echo(FOLLOW.format(epoch=done.epoch))


class _Bar:
    """Progress of a large copy on standard error; a small one shows nothing."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tenths = 0

    def __call__(self, done: int, total: int) -> None:
        tenths = 10 * done // max(total, 1)
        if total >= SHOWN_FROM_PAGES and tenths > self._tenths:
            self._tenths = tenths
            click.echo(f"{self._what}: {10 * tenths} %", err=True)


def _elsewhere(settings: Settings) -> Iterator[Path]:
    """Files and folders that the configuration names and that lie outside the state folder."""
    tables = [*settings.link, *(table for _, table in settings.output if table is not None), settings.rescoring]
    for table in tables:
        for _, value in table:
            if isinstance(value, Path):
                path = settings.gateway.state_dir / value
                if path.exists() and not path.resolve().is_relative_to(settings.gateway.state_dir.resolve()):
                    yield path


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
