"""`stethos model evaluate`: how well a detector tells fault from normal on recordings in the dataset layout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.options import WIDE
from gateway.detectors import bundle as bundles
from gateway.detectors.bundle import BundleBroken
from gateway.detectors.direct import Refused
from gateway.detectors.feature_sets import NAMES
from gateway.detectors.manifest import Manifest
from gateway.detectors.node_library import LibraryMissing
from gateway.detectors.place import Settings
from gateway.training import evaluation_fused
from gateway.training.dataset import Dataset, DatasetBroken, load
from gateway.training.evaluation import Figures, NotEvaluable, Result, View, measured
from gateway.training.evaluation import evaluate as run
from gateway.training.held_out import Unfit, must_fit
from gateway.training.judges import (
    EVENTS,
    Both,
    BundleJudge,
    Judge,
    Maker,
    NodeLearnerJudge,
    PlaceJudge,
    Subject,
)

_SETS = {name: number for number, name in NAMES.items()}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(path_type=Path), help="A model; as a node or the gateway would run it.")
@click.option("--learner", is_flag=True, help="The gateway's learner, which is also the default.")
@click.option("--node-learner", is_flag=True, help="The node's own learner; with --bundle beside the model.")
@click.option("--fused", is_flag=True, help="The nodes of each asset together, each session a row of the table.")
@click.option("--features", type=click.Choice(list(_SETS)), help="Of samples; default: the bundle's, or invariant.")
@click.option("--samples", type=click.IntRange(32, 1024), help="Of a window; default: the bundle's, or about a second.")
@click.option("--hop", type=click.IntRange(1), help="Samples from window to window; default: a window.")
@click.option(
    "--commission-s", type=click.FloatRange(min=0), help="Learn from so much of each session; default: as it says."
)
@click.option("--events", type=click.FloatRange(0, 1, min_open=True), default=EVENTS, show_default=True,
              help="Wanted false-alarm events a window, of a learner.")  # fmt: skip
@click.option("--average", type=click.IntRange(1, 5), help="Windows that a learner averages; default: as it does.")
@click.option("--node", "nodes", multiple=True, help="Only this node; may be given more than once.")
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
def evaluate(
    folder: Path, bundle: Path | None, learner: bool, node_learner: bool, fused: bool, features: str | None,
    samples: int | None, hop: int | None, commission_s: float | None, events: float, average: int | None,
    nodes: tuple[str, ...], out: Path | None,
) -> None:  # fmt: skip
    """Judge the recordings in FOLDER as they would be judged live, and compare with their labels.

    Of each run the commissioning part is learned from and not counted. Labels choose nothing: they are read at the end,
    and what they cannot give is left out. Only false alarms are counted where nothing is labelled as a fault.
    """
    if learner + fused + bool(bundle or node_learner) > 1:
        raise click.UsageError("--learner, --fused, and --bundle or --node-learner are evaluated each by itself")
    view = View(_SETS[features] if features else None, samples, hop, nodes, commission_s)
    try:
        dataset = load(folder)
        if fused:
            found = measured(dataset, "nodes fused", evaluation_fused.tracks(dataset, _settings(events, average), view))
        else:
            view, judges = _chosen(dataset, bundle, node_learner, view, _settings(events, average))
            names = [name for name, _ in judges]
            found = run(dataset, _maker([make for _, make in judges]), " and ".join(names), view)
    except (DatasetBroken, BundleBroken, NotEvaluable, Unfit, Refused, LibraryMissing, ValueError) as error:
        raise click.ClickException(str(error)) from error
    _show(found)
    if out is not None:
        try:
            out.write_text(json.dumps(found.plain(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{out}: cannot be written: {error.strerror}") from error


def _chosen(
    dataset: Dataset, bundle: Path | None, node_learner: bool, view: View, settings: Settings
) -> tuple[View, list[tuple[str, Maker]]]:
    judges: list[tuple[str, Maker]] = []
    if bundle is not None:
        model = bundles.load(bundle, bundles.ANY)
        view = _view_of(model.manifest, dataset, view)
        judges.append((f"bundle {model.name}", lambda subject: BundleJudge(model, subject)))
    if node_learner:
        judges.append(
            ("node's learner", lambda subject: NodeLearnerJudge(subject, settings.events, settings.average or 1))
        )
    if not judges:
        judges.append(("gateway's learner", lambda subject: PlaceJudge(subject, settings)))
    return view, judges


def _settings(events: float, average: int | None) -> Settings:
    return Settings(events=events) if average is None else Settings(events=events, average=average)


def _view_of(manifest: Manifest, dataset: Dataset, view: View) -> View:
    """As the Bundle's windows are. Raises Unfit for runs that it cannot judge."""
    for wanted, there, name in (
        (view.feature_set, manifest.feature_set, "--features"),
        (view.samples, manifest.samples, "--samples"),
    ):
        if wanted not in (None, there):
            raise Unfit(f"{name}: bundle {manifest.name} has its own")
    for recording in dataset.recordings:
        if not view.nodes or recording.run.node in view.nodes:
            must_fit(recording.run, manifest)
    return replace(view, feature_set=manifest.feature_set, samples=manifest.samples)


def _maker(makers: list[Maker]) -> Maker:
    def make(subject: Subject) -> Judge:
        return makers[0](subject) if len(makers) == 1 else Both([one(subject) for one in makers])

    return make


def _show(found: Result) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(f"{found.dataset} ({found.dataset_sha256[:16]}…), {found.detector}, {found.windows_per_s:.0f} rows/s")
    for line in _lines(found.pooled):
        console.print(line)
    if found.macro_auroc is not None:
        console.print(f"AUROC as the mean over runs {found.macro_auroc:.3f}")
    table = Table("run", "node", "session", "learned", "rows", *_COLUMNS, "")
    for one in found.runs:
        cells = (_cell(show(one.figures)) for show in _COLUMNS.values())
        table.add_row(one.run, one.node, one.session, str(one.learned), str(one.figures.rows), *cells, one.note)
    console.print(table)


_COLUMNS: dict[str, Callable[[Figures], float | int | None]] = {
    "AUROC": lambda f: f.auroc,
    "false alarms %": lambda f: f.false_alarm_pct,
    "missed %": lambda f: f.missed_pct,
    "alarmed %": lambda f: f.alarmed_pct,
    "events": lambda f: f.events,
    "delay s": lambda f: f.delay_s,
}


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def _lines(f: Figures) -> list[str]:
    """The pooled figures, those that the labels give."""
    told = {
        "AUROC": f.auroc, "AUPRC": f.auprc, "accuracy": f.accuracy, "precision": f.precision, "recall": f.recall,
        "F1": f.f1, "false alarms %": f.false_alarm_pct, "missed %": f.missed_pct, "a clock's AUROC": f.clock_auroc,
    }  # fmt: skip
    unlabelled = f.rows - f.normal_rows - f.fault_rows
    lines = [
        f"{f.rows} rows judged in {f.hours:.3g} h ({f.not_judged} not): {f.normal_rows} normal, {f.fault_rows} faulty, "
        f"{unlabelled} unlabelled; {f.events} alarms, {_cell(f.alarmed_pct)} % of rows alarmed",
        ", ".join(f"{name} {value:.3f}" for name, value in told.items() if value is not None),
        f"false-alarm events: {f.false_events} where {f.wanted_false_events:.3g} were promised",
    ]
    if f.faults:
        delays = (
            f": {_cell(f.delay_s)} s after they began, at most {_cell(f.longest_delay_s)} s" if f.faults_found else ""
        )
        lines.append(f"faults found: {f.faults_found} of {f.faults}{delays}")
    if f.alarmed_pct_by_label:
        lines.append("alarmed: " + ", ".join(f"{name} {pct:.1f} %" for name, pct in f.alarmed_pct_by_label.items()))
    return [line for line in lines if line]
