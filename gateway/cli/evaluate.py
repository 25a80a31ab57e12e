"""`stethos model evaluate`: how well a detector tells fault from normal on recordings in the dataset layout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.options import WIDE
from gateway.cli.progress import shown
from gateway.detectors import bundle as bundles
from gateway.detectors.bundle import BundleBroken
from gateway.detectors.direct import Refused
from gateway.detectors.feature_sets import NAMES
from gateway.detectors.manifest import Manifest
from gateway.detectors.node_library import LibraryMissing
from gateway.detectors.place import Settings
from gateway.detectors.place.prior import Prior
from gateway.detectors.place.state import StateRefused
from gateway.training import evaluation_fused, fleet_judge, slow
from gateway.training.dataset import Dataset, DatasetBroken, load
from gateway.training.evaluation import Figures, Progress, Result, Track, measured
from gateway.training.evaluation import evaluate as run
from gateway.training.fleet_judge import FleetJudge
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
from gateway.training.view import NotEvaluable, View

_HELPS = "; --commission-s says how much of each session is normal, --hop makes more rows of it"
_SETS = {name: number for number, name in NAMES.items()}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(path_type=Path), help="A model; as a node or the gateway would run it.")
@click.option("--learner", is_flag=True, help="The gateway's learner, which is also the default.")
@click.option("--node-learner", is_flag=True, help="The node's own learner; with --bundle beside the model.")
@click.option("--fused", is_flag=True, help="The nodes of each asset together, each session a row of the table.")
@click.option("--features", type=click.Choice(list(_SETS)), help="Of samples; default: the bundle's, or invariant.")
@click.option("--samples", type=click.IntRange(32, 1024), help="Of a window; default: the bundle's, or about a second.")
@click.option(
    "--hop",
    type=click.IntRange(1),
    help="Samples from window to window; default: a window, or less where few are learned from.",
)
@click.option(
    "--commission-s", type=click.FloatRange(min=0), help="Learn from so much of each session; default: as it says."
)
@click.option("--events", type=click.FloatRange(0, 1, min_open=True), default=EVENTS, show_default=True,
              help="Wanted false-alarm events a window, of a learner.")  # fmt: skip
@click.option("--average", type=click.IntRange(1, 5), help="Windows that a learner averages; default: as it does.")
@click.option("--context-unknown", is_flag=True,
              help="Of a bundle: the threshold for any context, as a node and the gateway take it.")  # fmt: skip
@click.option("--node", "nodes", multiple=True, help="Only this node; may be given more than once.")
@click.option("--session", "sessions", multiple=True, help='Only this session, or those such as "N*"; again for more.')
@click.option("--without", multiple=True, help="Not this session, or those such as; may be given more than once.")
@click.option("--fleet", type=click.Path(path_type=Path, dir_okay=False),
              help="The gateway's learner with what like machines have taught (`stethos learner merge`).")  # fmt: skip
@click.option("--fleet-from-others", is_flag=True,
              help="The same with what may be learned from of all other sessions in FOLDER.")  # fmt: skip
@click.option("--follow", type=click.FloatRange(0, 1), default=Settings.follow, show_default=True,
              help="How fast the gateway's learner follows a drift; 0: what it learned stands.")  # fmt: skip
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write every figure there.")
def evaluate(
    folder: Path, bundle: Path | None, learner: bool, node_learner: bool, fused: bool, features: str | None,
    samples: int | None, hop: int | None, commission_s: float | None, events: float, average: int | None,
    context_unknown: bool, nodes: tuple[str, ...], sessions: tuple[str, ...], without: tuple[str, ...],
    fleet: Path | None, fleet_from_others: bool, follow: float, out: Path | None,
) -> None:  # fmt: skip
    """Judge the recordings in FOLDER as they would be judged live, and compare with their labels.

    Of each run the commissioning part is learned from and not counted. Labels choose nothing: they are read at the end,
    and what they cannot give is left out. Only false alarms are counted where nothing is labelled as a fault.

    A bundle that is calibrated by context is held against the threshold for the context that a row has.
    """
    if learner + fused + bool(bundle or node_learner) + bool(fleet) + fleet_from_others > 1:
        raise click.UsageError(
            "--learner, --fused, --fleet, --fleet-from-others, and --bundle or --node-learner are evaluated each by "
            "itself"
        )
    view = View(_SETS[features] if features else None, samples, hop, nodes, commission_s, sessions, without)
    try:
        dataset, settings = load(folder), Settings(events=events, average=average, follow=follow)
        with shown("judging") as progress:
            if fused:
                said = _told(evaluation_fused.tracks(dataset, settings, view), dataset, progress)
                found = measured(dataset, "nodes fused", said)
            elif fleet_from_others:
                said = fleet_judge.tracks_given_others(dataset, settings, view, progress)
                found = measured(dataset, "gateway's learner with a fleet of the other sessions", said)
            elif fleet is not None:
                prior = _fleet(fleet)
                name = f"gateway's learner with a fleet of {prior.means.count} places"
                found = run(dataset, lambda subject: FleetJudge(subject, prior, settings), name, view, progress)
            else:
                if bundle is not None:
                    dataset = slow.sampled(dataset, bundles.load(bundle, bundles.ANY).manifest.channels)
                view, judges = _chosen(dataset, bundle, node_learner, view, settings, not context_unknown)
                names = [name for name, _ in judges]
                found = run(dataset, _maker([make for _, make in judges]), " and ".join(names), view, progress)
    except NotEvaluable as error:
        raise click.ClickException(f"{error}{_HELPS if 'learn' in str(error) else ''}") from error
    except (DatasetBroken, BundleBroken, Unfit, Refused, LibraryMissing, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    _show(found)
    if out is not None:
        try:
            out.write_text(json.dumps(found.plain(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{out}: cannot be written: {error.strerror}") from error


def _chosen(
    dataset: Dataset, bundle: Path | None, node_learner: bool, view: View, settings: Settings, context_known: bool
) -> tuple[View, list[tuple[str, Maker]]]:
    judges: list[tuple[str, Maker]] = []
    if bundle is not None:
        model = bundles.load(bundle, bundles.ANY)
        view = _view_of(model.manifest, dataset, view)
        by = _by_context(model.manifest, dataset) if context_known else ""
        judges.append((f"bundle {model.name}{by}", lambda subject: BundleJudge(model, subject, context_known)))
    if node_learner:
        judges.append(
            ("node's learner", lambda subject: NodeLearnerJudge(subject, settings.events, settings.average or 1))
        )
    if not judges:
        judges.append(("gateway's learner", lambda subject: PlaceJudge(subject, settings)))
    return view, judges


def _fleet(file: Path) -> Prior:
    try:
        return Prior.load(file.read_bytes())
    except StateRefused as error:
        raise click.ClickException(f"{file}: {error}") from error


def _told(tracks: Iterator[Track], dataset: Dataset, progress: Progress) -> Iterator[Track]:
    """Says each session that is done of those that there can be."""
    sessions = len({(r.run.asset, r.run.session) for r in dataset.recordings})
    for number, track in enumerate(tracks, start=1):
        progress(f"{track.asset} {track.session}", number / sessions)
        yield track


def _by_context(manifest: Manifest, dataset: Dataset) -> str:
    """Says so where thresholds are for contexts that the runs have."""
    known = {channel.name for recording in dataset.recordings for channel in recording.run.context}
    table = manifest.calibration.table if manifest.calibration else ()
    named = {bin_.name for entry in table for bin_ in entry.context}
    return f" by {', '.join(sorted(known & named))}" if known & named else ""


def _view_of(manifest: Manifest, dataset: Dataset, view: View) -> View:
    """As the Bundle's windows are. Raises Unfit for runs that it cannot judge."""
    for wanted, there, name in (
        (view.feature_set, manifest.feature_set, "--features"),
        (view.samples, manifest.samples, "--samples"),
    ):
        if wanted not in (None, there):
            raise Unfit(f"{name}: bundle {manifest.name} has its own")
    for recording in view.recordings(dataset):
        try:
            must_fit(recording.run, manifest)
        except Unfit as error:
            others = len(dataset.nodes) > 1 and len(view.nodes) != 1
            raise Unfit(f"{error}{'; --node chooses others' if others else ''}") from error
    return replace(view, feature_set=manifest.feature_set, samples=manifest.samples, hop=view.hop or manifest.samples)


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
        f"false-alarm events: {f.false_events} where {f.wanted_false_events:.3g} were promised"
        f"; an alarm stands in {_cell(f.false_alarm_pct)} % of the normal rows"
        if f.normal_rows
        else f"alarms: {f.events}; if all of it was normal, {f.wanted_events:.3g} were promised",
    ]
    if f.faults:
        delays = (
            f": {_cell(f.delay_s)} s after they began, at most {_cell(f.longest_delay_s)} s" if f.faults_found else ""
        )
        lines.append(f"faults found: {f.faults_found} of {f.faults}{delays}")
    if f.alarmed_pct_by_label:
        lines.append("alarmed: " + ", ".join(f"{name} {pct:.1f} %" for name, pct in f.alarmed_pct_by_label.items()))
    return [line for line in lines if line]
