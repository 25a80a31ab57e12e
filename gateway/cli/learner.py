"""`stethos learner`: what the gateway has learned at the nodes' places, and what gateways learn from each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from gateway import configured
from gateway.cli.learner_node import merge_nodes, pull
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.config import Settings
from gateway.core.entry import EntryKind, Report, decode
from gateway.detectors import feature_sets
from gateway.detectors.judged import judged
from gateway.detectors.place import Share
from gateway.detectors.place.normal import Floats
from gateway.detectors.place.prior import Prior
from gateway.detectors.place.state import StateRefused
from gateway.runtime import learning_fused
from gateway.runtime.learning_context import Readings
from gateway.runtime.learning_fused import View
from gateway.runtime.learning_place import AtPlace, is_place
from gateway.store.reader import Reader
from gateway.wire import age
from gateway.wire.messages import Features

_T = TypeVar("_T")

LOOK_BACK = 20_000
"""Entries among which the newest window of a node is looked for."""


class Heard(NamedTuple):
    """A window of a node."""

    node: str
    event_ms: int
    features: Features


@click.group()
def learner() -> None:
    """What the gateway has learned at the nodes' places (an asset's model = "learner")."""


learner.add_command(pull)
learner.add_command(merge_nodes)


@learner.command(name="list")
@config_option
def list_places(config_file: Path) -> None:
    """Each node's place: whether it learns or watches, how far it has drifted, and what it is told of its machine."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        with closing(Reader.open(settings.gateway.state_dir)) as reader:
            places, views = _places(reader), _views(reader, settings)
    told = any(asset.context_of(node) for asset in settings.asset for node in asset.learners)
    more = [name for name, there in (("context", told), ("judged", views)) if there]
    table = Table("node", "state", "windows", "drift", "alarm", "since entry", *more)
    for node in sorted({*places, *(node for asset in settings.asset for node in asset.learners)}):
        at, view = places.get(node), views.get(node)
        if at is None:
            table.add_row(node, "waits for its first window", "0", *[""] * (3 + len(more)))
            continue
        own = {"context": _context(at), "judged": view.given() if view and view.judges else ""}
        table.add_row(node, *_state(at, view), str(at.since), *(own[name] for name in more))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _state(at: AtPlace, view: View | None) -> tuple[str, str, str, str]:
    """What a place is at, its windows, its drift, and whether an alarm stands."""
    drift = "" if np.isnan(at.place.drift) else f"{at.place.drift:.0%}"
    stands = view.beside.alarm if view and view.judges else at.place.memory and at.place.memory.alarm
    alarm = "stands" if stands and stands.latched else ""
    return "learns" if at.learns else "watches", _windows(at), drift, alarm


def _context(at: AtPlace) -> str:
    return "; ".join(at.contexts_of()) if at.place.known else ", ".join(at.context)


@learner.command()
@click.argument("node")
@config_option
def show(node: str, config_file: Path) -> None:
    """What each feature of a node's newest window has to do with its score, the most first."""
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        with closing(Reader.open(settings.gateway.state_dir)) as reader:
            at, view = _places(reader).get(node), _views(reader, settings).get(node)
            if at is None:
                raise click.ClickException(_unheard(node, settings))
            others = [*(view.others if view else ()), *(name.split("/")[0] for name in at.context)]
            windows = _windows_of(reader, [node, *others])
    if at.place.known is None:
        raise click.ClickException(f"{node}: still learns, {len(at.rows)} windows so far")
    rows = {window.node: _row(window.features) for window in windows}
    if node not in rows:
        raise click.ClickException(f"{node}: no window of it among the newest {LOOK_BACK} entries")
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    given = _given(node, at, windows, console)
    console.print(_shares("by itself" if view else "", at.place.explain(rows[node], given)))
    if view and view.judges:
        beside = {other: rows[other] for other in view.said or () if other in rows}
        choice, shares = view.beside.explain(rows[node], beside)
        if choice:
            console.print(_shares(f"given {', '.join(choice)}", shares))
        console.print(f"Judged {view.given()}; what it is by itself counts one, what it is given the others two.")


def _unheard(node: str, settings: Settings) -> str:
    """Why nothing has been learned at a node's place."""
    if any(node in asset.learners for asset in settings.asset):
        return f"{node}: waits for its first window"
    return f"{node}: nothing has been learned at its place"


def _given(node: str, at: AtPlace, windows: Sequence[Heard], console: Console) -> Floats | None:
    """Says what the machine was doing at a node's newest window, and gives what its place is told of that."""
    if not at.context:
        return None
    readings, context, missing = Readings(), np.zeros(0), list[str]()
    for window in windows:
        readings.heard(*window)
        if window.node == node:
            context, missing = readings.about(node, window.event_ms, at.context)
    if missing:
        raise click.ClickException(f"{node}: its newest window is without {', '.join(missing)}, so nobody judges it")
    values = ", ".join(f"{name} {value:g}" for name, value in zip(at.context, context.tolist(), strict=True))
    console.print(f"{values} ({'; '.join(at.contexts_of())})")
    return at.given(context)


def _windows(at: AtPlace) -> str:
    """Learned, or judged since; and those that are not learned from."""
    passed = f", {at.passed} not, which the node calls anomalous" if at.learns and at.passed else ""
    without = f", {at.without} not, for want of its context" if at.without else ""
    return f"{len(at.rows) if at.learns else at.judged}{passed}{without}"


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
    states = {node: state for node, state in reader.places().items() if is_place(node)}
    return {node: at for node, state in states.items() if (at := _read(node, AtPlace.loaded, state))}


def _read(node: str, loaded: Callable[[bytes], _T], state: bytes) -> _T | None:
    """What is known of a node; None, which is told, if this version cannot read it."""
    try:
        return loaded(state)
    except StateRefused as error:
        click.echo(f"{node}: cannot be read: {error}", err=True)
        return None


def _views(reader: Reader, settings: Settings) -> dict[str, View]:
    """Of nodes that are judged together with others now."""
    states, fused = reader.places(), settings.fused()
    keys = {node: f"{asset}:{node}" for asset, nodes in fused.items() for node in nodes}
    there = {node: states[key] for node, key in keys.items() if key in states}
    return {node: view for node, state in there.items() if (view := _read(node, learning_fused.loaded, state))}


def _row(features: Features) -> Floats:
    channels = feature_sets.channels(features.feature_set, len(features.values))
    return np.asarray(judged(features.feature_set, channels, [features.values])[0])


def _windows_of(reader: Reader, nodes: Collection[str]) -> list[Heard]:
    """Of these nodes among the newest entries, in order."""
    found = []
    for row in reader.read(max(reader.head_id() - LOOK_BACK, 0), LOOK_BACK):
        if row.kind == EntryKind.REPORT:
            report = decode(row.kind, row.version, row.body)
            if isinstance(report, Report) and report.node in nodes:
                message = report.message
                if features := getattr(message, "features", None):
                    event_ms = min(report.received_ms, row.at_ms) - age.decode(message.age)
                    found.append(Heard(report.node, event_ms, features))
    return found
