"""Options that the commands which make a Bundle from a dataset share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.detectors import signature
from gateway.detectors.manifest import NAME

dataset_argument = click.argument("data", metavar="DATASET", type=click.Path(path_type=Path, file_okay=False))


def _named_rightly(context: click.Context, _: click.Parameter, folder: Path) -> Path:
    if not re.fullmatch(NAME, folder.name):
        raise click.BadParameter(f"{folder.name!r} cannot be a bundle's name: a to z, 0 to 9 and -, up to 64 of them")
    if (folder / signature.FILE).exists() and not context.meta.get(_FORCED):
        raise click.ClickException(f"{folder}: a signed bundle is here already; --force writes over it")
    return folder


def _forced(context: click.Context, _: click.Parameter, force: bool) -> None:
    context.meta[_FORCED] = force


_FORCED = f"{__name__}.force"


def out_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--out and --force."""
    out = click.option(
        "--out", callback=_named_rightly, type=click.Path(path_type=Path, file_okay=False), required=True,
        help="The bundle's folder; its name is the folder's.",
    )  # fmt: skip
    force = click.option(
        "--force", callback=_forced, is_flag=True, is_eager=True, expose_value=False, help="Over a signed bundle."
    )
    return out(force(command))


node_option = click.option("--node", "nodes", multiple=True, help="Only this node's runs; may be given again.")
session_option = click.option("--session", "sessions", multiple=True, help="Only this session's; may be given again.")
rate_option = click.option(
    "--rate",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.001,
    show_default=True,
    help="Wanted share of false alarms among normal windows.",
)
seed_option = click.option("--seed", type=int, default=1, show_default=True)
generation_option = click.option(
    "--generation", type=click.IntRange(0, 23), default=1, show_default=True, help="As nodes announce it."
)
