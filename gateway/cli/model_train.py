"""`stethos model train` and `stethos model calibrate`: from a dataset to a Bundle."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.model_options import (
    dataset_argument,
    generation_option,
    node_option,
    out_options,
    rate_option,
    seed_option,
    session_option,
)
from gateway.cli.model_sign import bundle_argument, faults, finish, signing_key, signing_options
from gateway.cli.options import WIDE
from gateway.cli.progress import shown
from gateway.detectors import feature_sets
from gateway.detectors.bundle import ANY, Bundle, load
from gateway.detectors.manifest import Basis, Bin, Calibration
from gateway.training import bundle_writer, commission, conditions, dataset, held_out, slow, stream
from gateway.training import calibrate as calibration
from gateway.training.autoencoder import ARCHITECTURES
from gateway.training.commission import Classes, Purpose
from gateway.training.dataset import Dataset
from gateway.training.dataset.manifest import Run
from gateway.training.dense import Progress
from gateway.training.evaluation import evaluate
from gateway.training.held_out import Choice, Lessons
from gateway.training.judges import BundleJudge
from gateway.training.view import NotEvaluable, View

_SETS = {name: number for number, name in feature_sets.NAMES.items()}
CLASSIFIER = "classifier"
_METRICS = ("auroc", "auprc", "f1", "false_alarm_pct", "missed_pct", "alarmed_pct", "clock_auroc")
"""Of gateway.training.evaluation.Figures: what a Bundle keeps of its evaluation."""

_MISSED_PCT = 50.0


@click.command()
@dataset_argument
@out_options
@click.option(
    "--for",
    "role",
    type=click.Choice(["node", "host"]),
    default="node",
    show_default=True,
    help="Who is to run it: a node, or the gateway that scores again.",
)
@click.option(
    "--arch",
    type=click.Choice([*ARCHITECTURES, CLASSIFIER]),
    default="node",
    show_default=True,
    help="Sizes of an autoencoder on a node, or a classifier of normal conditions.",
)
@click.option(
    "--classes",
    type=click.Choice(["regimes", "node"]),
    default="regimes",
    show_default=True,
    help="Of a classifier: clusters that nobody has named, or the nodes.",
)
@click.option(
    "--classes-from", metavar="CONTEXT", help="Of a classifier: a class for each state, or range, of this context."
)
@click.option("--known", help="Of a classifier of nodes or of a context: the class that this bundle is for.")
@click.option(
    "--features",
    type=click.Choice(list(_SETS)),
    help="Default: as the dataset has them, of three axes principal, else invariant.",
)
@click.option("--samples", type=click.IntRange(32, 1024), help="Of a window. Default: about a second.")
@node_option
@session_option
@click.option("--rate-hz", type=click.FloatRange(0.001, 4e6), help="Of the samples, where the dataset has features.")
@click.option("--levels", is_flag=True, help="The model sees means and levels, too, as it does of slow readings.")
@click.option("--leave-out", type=int, multiple=True, help="Number of a feature, from 0, that it is not to see.")
@rate_option
@click.option("--pruned", type=click.FloatRange(0, 0.95), default=0.0, show_default=True, help="Share of weights.")
@seed_option
@click.option("--licence", help="Of the model. Default: the dataset's.")
@generation_option
@signing_options
def train(
    data: Path, out: Path, role: Literal["node", "host"], arch: str, classes: str, classes_from: str | None,
    known: str | None,
    features: str | None, samples: int | None, nodes: tuple[str, ...], sessions: tuple[str, ...],
    rate_hz: float | None, levels: bool,
    leave_out: tuple[int, ...], rate: float, pruned: float, seed: int, licence: str | None, generation: int,
    key: Path | None, unsigned: bool, config_file: Path,
) -> None:  # fmt: skip
    """Train a model on the normal part of DATASET, calibrate and check it on parts that it has not seen."""
    if arch != CLASSIFIER and (classes_from or known):
        raise click.UsageError(f"--classes-from and --known go with --arch {CLASSIFIER}")
    with faults():
        signer = None if unsigned else signing_key(key, config_file)
        found, choice = dataset.load(data), Choice(nodes, sessions)
        wanted, slowly = _SETS.get(features or ""), slow.is_slow(held_out.recordings(found, choice))
        if slowly:
            found, wanted, samples = slow.sampled(found), wanted or feature_sets.SLOW, samples or slow.SAMPLES
        feature_set, length = _windows(found, choice, wanted, samples)
        lessons = held_out.for_training(found, feature_set, length, choice)
        channels = held_out.channels(lessons.run)
        left_out = frozenset(leave_out) | (
            frozenset() if levels or slowly else commission.level_features(len(channels), feature_set)
        )
        purpose = Purpose(
            out.name, channels, length, _rate_millihz(lessons.run, rate_hz), f"stethos model train {found.name}",
            left_out, rate, seed, generation, feature_set,
            architecture=arch if arch in ARCHITECTURES else "node", pruned=pruned,
            licence=licence or found.manifest.licence or "none given",
        )  # fmt: skip
        chosen = _classes(lessons, purpose, classes, classes_from, known) if arch == CLASSIFIER else None
        click.echo(_learned_from(lessons, chosen))
        make = commission.node_bundle if role == "node" else commission.host_bundle
        with _progress() as progress:
            bundle = make(out, purpose, lessons.normal, progress, chosen)
        bundle = _measured(bundle, found, choice)
        finish(bundle, signer)
    quality, metrics = bundle.manifest.quality, bundle.manifest.provenance.metrics
    click.echo(_told(metrics))
    if warning := _doubts(metrics):
        click.echo(warning, err=True)
    click.echo(
        f"{quality.false_alarms} false alarms in {quality.windows} windows that it has not seen; wanted "
        f"{quality.wanted_ppm / 1e6:g} of them{_extrapolated(quality.extrapolated)}"
    )


@click.command()
@bundle_argument
@dataset_argument
@out_options
@node_option
@session_option
@click.option(
    "--by",
    type=click.Choice(get_args(Basis)),
    default="event_1of1",
    show_default=True,
    help="Which threshold is in force: a percentile, or a wanted number of events.",
)
@click.option(
    "--every",
    type=click.IntRange(1, 10**9),
    default=10**9 // calibration.EVENTS_PPB,
    show_default=True,
    help="Windows for one false-alarm event.",
)
@signing_options
def calibrate(
    bundle: Path, data: Path, out: Path, nodes: tuple[str, ...], sessions: tuple[str, ...], by: Basis, every: int,
    key: Path | None, unsigned: bool, config_file: Path,
) -> None:  # fmt: skip
    """Make a bundle of BUNDLE's model with thresholds from the normal part of DATASET, by node, asset and context.

    Of a dataset that the model was trained on, the part that it was fitted to is left out.
    """
    with faults():
        signer = None if unsigned else signing_key(key, config_file)
        before = load(bundle, ANY)
        found = slow.sampled(dataset.load(data), before.manifest.channels)
        choice = Choice(nodes, sessions)
        rows = held_out.for_bundle(found, before.manifest, choice)
        manifest = calibration.calibrated(before, rows, by, round(1e9 / every))
        test = None if before.image is None else bundle_writer.self_test_of(before)
        made = bundle_writer.write(out, manifest.model_copy(update={"name": out.name}), before.model, test)
        made = _measured(made, found, choice)
        finish(made, signer)
    assert made.manifest.calibration
    Console(markup=False, width=None if sys.stdout.isatty() else WIDE).print(_table(made.manifest.calibration))


def _rate_millihz(run: Run, told: float | None) -> int:
    """Of the samples: rows of features come as seldom as a node looks."""
    if told is None and run.kind == "features":
        raise held_out.Unfit(f"run {run.name}: it has features, which do not tell the samples' rate: give --rate-hz")
    return round(1000 * (told or run.rate_hz))


def _windows(data: Dataset, choice: Choice, feature_set: int | None, samples: int | None) -> tuple[int, int]:
    """Feature set and length of a window: as asked for, or as the first run has them."""
    first = held_out.recordings(data, choice)[0]
    if first.run.kind == "features" and first.run.feature_set and first.run.samples:
        return feature_set or first.run.feature_set, samples or first.run.samples
    usual = feature_sets.usual(len(first.run.channels))
    return feature_set or usual, samples or stream.usual_samples(first.run, len(first.read()))


def _learned_from(lessons: Lessons, chosen: Classes | None) -> str:
    """What was chosen, in words."""
    several = " (--node takes fewer)" if len(lessons.nodes) > 1 else ""
    classes = f"; classes {', '.join(chosen.names)}" if chosen else ""
    return f"{len(lessons.normal.sources)} runs of {', '.join(lessons.nodes)}{several}{classes}"


def _classes(lessons: Lessons, purpose: Purpose, how: str, classes_from: str | None, known: str | None) -> Classes:
    if classes_from is not None:
        return conditions.of_context(lessons, classes_from, known)
    if how == "regimes":
        if known is not None:
            raise held_out.Unfit("--known: clusters have no names; it goes with --classes node or --classes-from")
        return commission.regimes(lessons.normal, purpose)
    if known is not None and known not in lessons.nodes:
        raise held_out.Unfit(f"--known: no node {known!r} among {', '.join(lessons.nodes)}")
    if len(lessons.nodes) < 2:
        raise held_out.Unfit(f"one node, {lessons.nodes[0]}: a classifier of nodes needs two")
    return Classes(lessons.nodes, *lessons.of_node, known=None if known is None else lessons.nodes.index(known))


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal."""
    with click.progressbar(length=100, label="training", file=sys.stderr) as bar:
        shown = 0

        def step(epoch: int, epochs: int, _: float) -> None:
            nonlocal shown
            now = 100 * epoch // epochs
            bar.update(now - shown)
            shown = now

        yield step


def _measured(bundle: Bundle, data: Dataset, choice: Choice) -> Bundle:
    """The Bundle with how it does behind the part of the dataset that was learned from, where there is any such part.
    All is chosen by then: labels are read for nothing else.
    """
    samples = bundle.manifest.samples
    view = View(bundle.manifest.feature_set, samples, samples, choice.nodes, sessions=choice.sessions)
    try:
        with shown("judging") as progress:
            found = evaluate(data, lambda subject: BundleJudge(bundle, subject), bundle.name, view, progress).pooled
    except NotEvaluable:
        found = None
    figures = {name: getattr(found, name, None) for name in _METRICS}
    metrics = {name: float(value) for name, value in figures.items() if value is not None}
    manifest = bundle.manifest.model_copy(
        update={"provenance": bundle.manifest.provenance.model_copy(update={"metrics": metrics})}
    )
    test = None if bundle.image is None else bundle_writer.self_test_of(bundle)
    return bundle_writer.write(bundle.folder, manifest, bundle.model, test)


def _told(metrics: Mapping[str, float]) -> str:
    """How it does on what it has not seen; without faults the labels say little."""
    names = {"auroc": "AUROC", "clock_auroc": "a clock's AUROC", "f1": "F1", "false_alarm_pct": "false alarms %",
             "missed_pct": "missed %", "alarmed_pct": "rows in alarm %"}  # fmt: skip
    figures = ", ".join(f"{name} {metrics[key]:.3f}" for key, name in names.items() if key in metrics)
    return f"behind what it learned from: {figures}" if figures else "no row behind what it learned from"


def _doubts(metrics: Mapping[str, float]) -> str:
    """A warning where a model is of little use, as the labels say; they change nothing in it."""
    missed, auroc, clock = (metrics.get(key) for key in ("missed_pct", "auroc", "clock_auroc"))
    found = []
    if missed is not None and missed > _MISSED_PCT:
        found.append(f"it misses {missed:.0f} % of the faulty rows at its threshold")
    if auroc is not None and clock is not None and auroc < clock:
        found.append(f"a clock ranks the rows better ({clock:.3f}) than it does ({auroc:.3f})")
    what = "a learner at the place (`stethos model evaluate`, docs/recommend.md) may serve better"
    return f"warning: {', and '.join(found)}; {what}" if found else ""


def _table(found: Calibration) -> Table:
    table = Table("node", "asset", "context", "threshold", "p95", "p99", "event 1 of 1", "event 3 of 5", "windows",
                  "checked on", "above", "events", "wanted", "")  # fmt: skip
    for entry in found.table:
        wanted = found.events_ppb / 1e9 * entry.check_windows
        table.add_row(
            entry.node or "any", entry.asset or "any", ", ".join(map(_bin, entry.context)) or "any",
            *map(str, (entry.threshold, entry.p95, entry.p99, entry.event_1of1, entry.event_3of5, entry.windows,
                       entry.check_windows, entry.check_above, entry.check_events)),
            f"{wanted:.3g}" if found.by.startswith("event") else "",
            "extrapolated" if entry.extrapolated else "",
        )  # fmt: skip
    return table


def _bin(bin_: Bin) -> str:
    low = "" if bin_.low is None else f"{bin_.low:g} <= "
    return f"{low}{bin_.name}" + ("" if bin_.high is None else f" < {bin_.high:g}")


def _extrapolated(yes: bool) -> str:
    return "; the threshold is an extrapolation: there were too few windows to show so low a rate" if yes else ""
