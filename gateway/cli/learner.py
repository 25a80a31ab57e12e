"""`stethos learner`: what the gateway has learned at the nodes' places, and what gateways learn from each other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from gateway import configured
from gateway.cli.learner_node import merge_nodes, pull
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.config import Settings
from gateway.core.entry import EntryKind, Report, decode
from gateway.detectors.judged import judged
from gateway.detectors.place import Share
from gateway.detectors.place.normal import Floats
from gateway.detectors.place.prior import Prior
from gateway.detectors.place.state import StateRefused
from gateway.runtime import learning_fused
from gateway.runtime.learning import AtPlace, channels_of, loaded
from gateway.runtime.learning_fused import View, is_fused
from gateway.store.reader import Reader
from gateway.wire.messages import Features

LOOK_BACK = 20_000
"""Entries among which the newest window of a node is looked for."""


@click.group()
def learner() -> None:
    """What the gateway has learned at the nodes' places (an asset's model = "learner")."""


learner.add_command(pull)
learner.add_command(merge_nodes)


@learner.command(name="list")
@config_option
def list_places(config_file: Path) -> None:
    """Each node's place: whether it learns or watches, and how far it has drifted."""
    with faults_to_shell(), closing(_reader(config_file)) as reader:
        places, views = _places(reader), _views(reader, configured.load_settings(config_file))
    table = Table("node", "state", "windows", "drift", "alarm", "since entry", *(["judged"] if views else []))
    for node, at in sorted(places.items()):
        state = "learns" if at.learns else "watches"
        drift = "" if np.isnan(at.place.drift) else f"{at.place.drift:.0%}"
        view = views.get(node)
        stands = view.beside.alarm if view and view.judges else at.place.memory and at.place.memory.alarm
        alarm = "stands" if stands and stands.latched else ""
        judged_how = [view.given() if view and view.judges else ""] if views else []
        table.add_row(node, state, str(len(at.rows) or at.judged), drift, alarm, str(at.since), *judged_how)
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


@learner.command()
@click.argument("node")
@config_option
def show(node: str, config_file: Path) -> None:
    """What each feature of a node's newest window has to do with its score, the most first."""
    with faults_to_shell(), closing(_reader(config_file)) as reader:
        at = _places(reader).get(node)
        if at is None:
            raise click.ClickException(f"{node}: nothing has been learned at its place")
        view = _views(reader, configured.load_settings(config_file)).get(node)
        newest = _newest(reader, [node, *(view.others if view else [])])
    if at.place.known is None:
        raise click.ClickException(f"{node}: still learns, {len(at.rows)} windows so far")
    if node not in newest:
        raise click.ClickException(f"{node}: no window of it among the newest {LOOK_BACK} entries")
    rows = {name: _row(features) for name, features in newest.items()}
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(_shares("by itself" if view else "", at.place.explain(rows[node])))
    if view and view.judges:
        others = {other: rows[other] for other in view.said or () if other in rows}
        choice, shares = view.beside.explain(rows[node], others)
        if choice:
            console.print(_shares(f"given {', '.join(choice)}", shares))
        console.print(f"Judged {view.given()}; what it is by itself and what it is given others count half each.")


def _shares(title: str, shares: list[Share]) -> Table:
    table = Table("feature", "value", "expected", "share of the error", title=title, title_justify="left")
    for share in shares:
        table.add_row(share.name, f"{share.value:.3f}", f"{share.expected:.3f}", f"{share.part:.1%}")
    return table


@learner.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("nodes", nargs=-1, required=True)
@config_option
def export(file: Path, nodes: tuple[str, ...], config_file: Path) -> None:
    """Write into FILE what NODES, at machines that are alike, have taught: sums, which give no window back."""
    with faults_to_shell(), closing(_reader(config_file)) as reader:
        places = _places(reader)
    if missing := [node for node in nodes if node not in places or places[node].learns]:
        raise click.ClickException(f"{', '.join(missing)}: not learned yet")
    _write(file, [(node, Prior.load(places[node].lesson)) for node in nodes])


@learner.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("fleets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def merge(file: Path, fleets: tuple[Path, ...]) -> None:
    """Merge what gateways have exported into FILE, for `[learning] fleet`. The order does not matter."""
    found = []
    for each in fleets:
        try:
            found.append((str(each), Prior.load(each.read_bytes())))
        except (OSError, StateRefused) as error:
            raise click.ClickException(f"{each}: {error}") from error
    _write(file, found)


def _write(file: Path, found: list[tuple[str, Prior]]) -> None:
    (_, fleet), *others = found
    for name, other in others:
        try:
            fleet = fleet.merge(other)
        except ValueError as error:
            raise click.ClickException(f"{name}: {error}") from error
    try:
        file.write_bytes(fleet.dump())
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    click.echo(f"{file}: {fleet.means.count} places")


def _reader(config_file: Path) -> Reader:
    return Reader.open(configured.load_settings(config_file).gateway.state_dir)


def _places(reader: Reader) -> dict[str, AtPlace]:
    return {node: loaded(state) for node, state in reader.places().items() if not is_fused(node)}


def _views(reader: Reader, settings: Settings) -> dict[str, View]:
    """Of nodes that are judged together with others now."""
    states, fused = reader.places(), settings.fused()
    keys = {node: f"{asset}:{node}" for asset, nodes in fused.items() for node in nodes}
    return {node: learning_fused.loaded(states[key]) for node, key in keys.items() if key in states}


def _row(features: Features) -> Floats:
    channels = channels_of(features.feature_set, len(features.values))
    return np.asarray(judged(features.feature_set, channels, [features.values])[0])


def _newest(reader: Reader, nodes: Sequence[str]) -> dict[str, Features]:
    """The newest window of each."""
    found: dict[str, Features] = {}
    for row in reader.read(max(reader.head_id() - LOOK_BACK, 0), LOOK_BACK):
        if row.kind == EntryKind.REPORT:
            report = decode(row.kind, row.version, row.body)
            if isinstance(report, Report) and report.node in nodes:
                features = getattr(report.message, "features", None)
                found |= {report.node: features} if features else {}
    return found
