"""`stethos collect`: windows of nodes, as samples or as features, with a label, into a dataset."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gateway import configured
from gateway.cli.mail import post
from gateway.cli.options import config_option, faults_to_shell
from gateway.core.mailbox import Order
from gateway.store.reader import Reader
from gateway.training.collecting import About, Collected, NotTold, reports, write
from gateway.training.dataset import DatasetBroken, Run, Writer, load
from gateway.training.dataset.manifest import MANIFEST, ContextChannel, faults_of

LOOK_S = 0.5
MOST_AT_ONCE = 1000
"""Windows that a node is asked for with one letter (nodes/wire/SPEC.md, "Commands")."""


def _context(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str, float], ...]:
    found = []
    for text in given:
        name, _, value = text.partition("=")
        number, _, unit = value.strip().partition(" ")
        try:
            found.append((ContextChannel(name=name.strip(), unit=unit.strip()).name, unit.strip(), float(number)))
        except ValidationError as error:
            raise click.BadParameter(f"{text!r}: {faults_of(error)}") from error
        except ValueError as error:
            raise click.BadParameter(f'{text!r}: write it as "speed=1480 rpm"') from error
    return tuple(found)


def _numbers(_: click.Context, __: click.Parameter, given: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(text) for text in given.split(",") if text)
    except ValueError:
        numbers = (0.0,)
    if any(number <= 0 for number in numbers):
        raise click.BadParameter(f"{given!r}: one number above 0, or one for each channel with commas between")
    return numbers


def _texts(_: click.Context, __: click.Parameter, given: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in given.split(",")) if given else ()


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("nodes", nargs=-1, required=True)
@click.option("--windows", type=click.IntRange(1, MOST_AT_ONCE), default=240, show_default=True, help="Of each node.")
@click.option("--features", is_flag=True, help="Keep the features that the node computes of them, instead of samples.")
@click.option("--label", default="", help="What the machine is doing meanwhile, such as normal or loose-belt.")
@click.option("--fault", is_flag=True, help="The label is a fault.")
@click.option("--session", help="Recordings under the same mounting and conditions; default: the time of day.")
@click.option("--sensor", default="", help="What the nodes measure with, such as LIS2DW12.")
@click.option("--channels", default="", callback=_texts, help="Their names, with commas between; default: x,y,z.")
@click.option("--unit", "units", default="", callback=_texts, help="Of the samples, such as g; or of each channel.")
@click.option("--per-unit", default="1", show_default=True, callback=_numbers,
              help="Steps of a sample per unit; or of each channel.")  # fmt: skip
@click.option("--context", multiple=True, callback=_context,
              help='What holds all the while, such as "speed=1480 rpm"; may be given more than once.')  # fmt: skip
@click.option("--minutes", type=click.FloatRange(min=0.01), default=1440.0, show_default=True, help="At most.")
@config_option
def collect(
    folder: Path, nodes: tuple[str, ...], windows: int, features: bool, label: str, fault: bool, session: str | None,
    sensor: str, channels: tuple[str, ...], units: tuple[str, ...], per_unit: tuple[float, ...],
    context: tuple[tuple[str, str, float], ...], minutes: float, config_file: Path,
) -> None:  # fmt: skip
    """Collect windows of NODES from the running gateway into the dataset FOLDER, or add to it.

    Each node is asked to send its next windows whole. Detectors may learn from the first half of the first normal run
    of a node in a session. Ctrl-C ends it early; what has come is kept.
    """
    if fault and not label:
        raise click.UsageError("--fault goes with --label")
    session = session or datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    about = About("", session, label, fault, sensor, channels, units, per_unit, context, features)
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        assets = {name: asset.name for asset in settings.asset for name in asset.nodes}
        if strangers := [name for name in nodes if name not in assets]:
            raise click.ClickException(f"{', '.join(strangers)}: no node of an asset in {config_file}")
        try:
            writer = Writer(folder, name=folder.resolve().name[:64], add=True)
            begun = {run.node for run in _runs(folder) if run.session == session and run.commission_s > 0}
        except DatasetBroken as error:
            raise click.ClickException(str(error)) from error
        state_dir = settings.gateway.state_dir
        with closing(Reader.open(state_dir)) as reader:
            after = reader.head_id()
            for node in nodes:
                post(state_dir, node, Order.BIRTH, None, minutes / 60)  # says what it is
                post(state_dir, node, Order.COLLECT, windows, minutes / 60)
            collected, lost = _follow(reader, after, nodes, windows, minutes * 60)
    runs, faults = list[Run](), list[str]()
    try:
        for node, found in collected.items():
            try:
                runs += write(writer, node, found, _about(about, assets[node], first=node not in begun), lost)
            except NotTold as error:  # the other nodes' windows are kept
                faults.append(str(error))
        if runs:
            writer.close()
    except DatasetBroken as error:
        raise click.ClickException(str(error)) from error
    for node, found in collected.items():
        click.echo(f"{node}: {len(found.pieces)} of {windows} windows{_why(found)}")
    for name, count in sorted((+lost).items()):
        click.echo(f"{name}: {count}", err=True)
    click.echo(f"{folder}: {len(runs)} runs more")
    with faults_to_shell():
        for node in (name for name, found in collected.items() if len(found.pieces) < windows):
            post(state_dir, node, Order.COLLECT, 0, minutes / 60)  # no more of them
    if faults:
        raise click.ClickException("\n".join(faults))
    if any(len(found.pieces) < windows for found in collected.values()):
        raise SystemExit(1)


def _runs(folder: Path) -> tuple[Run, ...]:
    """Those that are there already. Raises DatasetBroken."""
    return load(folder).manifest.runs if (folder / MANIFEST).exists() else ()


def _about(about: About, asset: str, *, first: bool) -> About:
    return replace(about, asset=asset, teaches=first and not about.fault)


def _why(found: Collected) -> str:
    if found.pieces:
        return ""
    return "; it was heard: see `stethos node mail`" if found.heard else "; nothing was heard of it: is it switched on?"


def _follow(
    reader: Reader, after: int, nodes: tuple[str, ...], windows: int, limit_s: float
) -> tuple[dict[str, Collected], Counter[str]]:
    """Until each node has sent its windows, the time is up, or somebody presses Ctrl-C."""
    collected = {node: Collected() for node in nodes}
    lost: Counter[str] = Counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    end_s = time.monotonic() + limit_s
    with Progress(*columns, console=Console(stderr=True)) as progress, suppress(KeyboardInterrupt):
        tasks = {node: progress.add_task(node, total=windows) for node in nodes}
        while time.monotonic() < end_s:
            for entry, report in reports(reader, after):
                after = entry
                found = collected.get(report.node)
                if found and len(found.pieces) < windows:
                    found.take(report, lost)
                    progress.update(tasks[report.node], completed=len(found.pieces))
            if all(len(found.pieces) >= windows for found in collected.values()):
                break
            time.sleep(LOOK_S)
    return collected, lost
