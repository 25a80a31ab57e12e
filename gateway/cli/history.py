"""`stethos replay`, `explain` and `audit`: what the journal can tell afterwards. All work beside a running gateway."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.tree import Tree

from gateway import configured
from gateway.cli.options import WIDE, config_option, faults_to_shell
from gateway.core.engine import ENGINE_VERSION
from gateway.core.evidence import Basis
from gateway.core.update import AlarmChange
from gateway.runtime import history
from gateway.runtime.history import Ground, Step
from gateway.store import audit as store_audit
from gateway.store.reader import Reader

DIFFERENCES_SHOWN = 10
FAULTS_SHOWN = 20


@click.command()
@click.option("--from-snapshot", is_flag=True, help="Begin at the oldest snapshot, not at the oldest entry.")
@click.option("--until", type=int, help="Stop after this entry.")
@config_option
def replay(from_snapshot: bool, until: int | None, config_file: Path) -> None:
    """Decide again what the journal holds; exit 1 if a single byte of an Update differs."""
    with faults_to_shell(), closing(Reader.open(configured.load_settings(config_file).gateway.state_dir)) as reader:
        found = history.replay(reader, from_snapshot=from_snapshot, until=until)
    click.echo(f"entries {found.first} to {found.last}, {found.decisions} decisions, engine version {ENGINE_VERSION}")
    click.echo(f"sha256 {found.digest}")
    if found.different:
        shown = ", ".join(map(str, found.different[:DIFFERENCES_SHOWN]))
        click.echo(f"{len(found.different)} entries decide differently: {shown}")
        raise SystemExit(1)
    click.echo("byte-identical")


@click.command()
@click.argument("incident", type=int)
@config_option
def explain(incident: int, config_file: Path) -> None:
    """The tree of reasons of one incident: windows, scores, model hashes, rule, configuration."""
    with faults_to_shell(), closing(Reader.open(configured.load_settings(config_file).gateway.state_dir)) as reader:
        steps = history.explain(reader, incident)
    tree = Tree(f"incident {incident} at {steps[0].plant.site}")
    for step in steps:
        _add(tree, step)
    width = None if sys.stdout.isatty() else WIDE
    Console(highlight=False, markup=False, width=width).print(tree)


@click.command()
@config_option
def audit(config_file: Path) -> None:
    """Verify the journal's hash chain and signatures; exit 1 and name the first entry that does not hold."""
    with faults_to_shell():
        report = store_audit.audit(configured.load_settings(config_file).gateway.state_dir)
    click.echo(f"gateway {report.gateway_id.hex()}, entries {report.first} to {report.last}")
    click.echo(f"head {report.head_hash.hex()}, {report.unsigned} entries after the newest signature")
    for fault in report.faults[:FAULTS_SHOWN]:
        click.echo(f"entry {fault.entry}: {fault.what}")
    if not report.ok:
        click.echo(
            f"{report.fault_count} faults; {report.verified_before} entries before the first one hold, "
            f"{report.verified_after} after it"
        )
        raise SystemExit(1)
    click.echo(f"{report.verified_before} entries hold")


def _add(tree: Tree, step: Step) -> None:
    change = step.change
    where = f"entry {step.entry}, configuration of entry {step.configuration}"
    if isinstance(change, AlarmChange):
        who = f" by {change.actor} ({change.origin})" if change.actor else ""
        note = f": {change.comment}" if change.comment else ""
        tree.add(f"{_time(change.source_ms)} alarm {change.alarm} {change.transition}{who}{note} [{where}]")
        return
    branch = tree.add(f"{_time(change.source_ms)} incident {change.transition}, origin {change.origin} [{where}]")
    for asset in change.assets:
        if asset not in step.plant.assets:
            branch.add(f"asset {asset}: no longer configured")
            continue
        rule = step.plant.assets[asset].rule
        nodes = [node.name for node in step.plant.nodes_of[asset]]
        leaf = branch.add(f"asset {asset}: {rule.k} of {len(nodes)} nodes within {rule.window_ms / 1000:g} s")
        for ground in step.ground:
            if ground.verdict.node in nodes:
                _add_ground(leaf, ground)


def _add_ground(leaf: Tree, ground: Ground) -> None:
    verdict, report = ground.verdict, ground.report
    stands = {0: "a claim, its score is awaited", 1: "confirmed by re-scoring", 2: "a claim, not re-scored"}
    twig = leaf.add(
        f"{_time(verdict.event_ms)} node {verdict.node}: window of message {report.seq} (entry {verdict.entry}, link "
        f"{report.link}), {stands[verdict.basis]}, {verdict.score_pct} % of the threshold, node's model generation "
        f"{getattr(report.message, 'generation', 'unknown')}"
    )
    features = getattr(report.message, "features", None)
    if features:
        twig.add(f"features (set {features.feature_set}): {' '.join(map(str, features.values))}")
    if ground.scored:
        model = ground.scored.model.hex()[:16]
        later = "" if verdict.basis is Basis.SCORE else ", which came later"
        twig.add(f"score {ground.scored.value} against {ground.scored.threshold}, model {model}{later}")


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
