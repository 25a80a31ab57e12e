"""`stethos dataset`: recordings of other formats into a dataset, and what a dataset holds."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.options import WIDE
from gateway.training.dataset import DatasetBroken, Recording, Run, Writer, load
from gateway.training.dataset.picture import markup, strip
from gateway.training.importing import ImportRefused, Wanted, formats, take_over

_LARGE = 20 << 20  # bytes that take a CSV some seconds


@click.group()
def dataset() -> None:
    """Recordings in the layout that everything is trained on and evaluated with."""


def _names(_: click.Context, __: click.Parameter, told: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in told.split(",")) if told else ()


def _unit(_: click.Context, __: click.Parameter, told: str) -> str:
    if told not in ("s", "ms", "us", "iso", "clock") and "%" not in told:
        raise click.BadParameter(f"{told!r} is none of s, ms, us, iso, clock, nor the form of a date")
    return told


_EXAMPLES = """\b
stethos dataset import csv pump.csv --into pump --time at --label anomaly --units g
stethos dataset import wav fan.wav --into fan --labels what-i-heard.csv
stethos dataset import mimii 6_dB_fan --into fan --channels 1"""


@dataset.command("import", epilog=_EXAMPLES)
@click.argument("form", metavar="FORMAT", type=click.Choice(formats()))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--into", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder, new or there.")
@click.option("--name", help="Of a new dataset; default: the folder's.")
@click.option("--licence", default="", help="Of a new dataset.")
@click.option("--node", default="", help="Default: the file's name, or the machine's.")
@click.option("--asset", default="", help="Default: the node.")
@click.option("--sensor", default="", help="What measured.")
@click.option("--session", default="", help="Recordings under the same mounting and conditions; default: each its own.")
@click.option("--kind", type=click.Choice(["samples", "values"]), help="Default: samples from 10 Hz on.")
@click.option("--channels", callback=_names, help="Columns, or numbers of channels from 1; default: all.")
@click.option("--units", callback=_names, help="One for all channels, or one for each.")
@click.option("--per-unit", type=click.FloatRange(min=0, min_open=True), help="16-bit steps a unit; default: as fits.")
@click.option("--rate-hz", type=click.FloatRange(min=0, min_open=True), help="Rows a second; default: of the times.")
@click.option("--context", callback=_names, help="csv: columns of what is known then, such as speed.")
@click.option("--hour", is_flag=True, help="csv: the time of day is a context: of rooms and other slow readings.")
@click.option("--counters", callback=_names, help="csv: channels that are meters, such as energy: read as their steps.")
@click.option("--time", help="csv: column of time.")
@click.option("--time-unit", callback=_unit, default="s", show_default=True,
              help="s, ms, us, iso, clock (HH:MM:SS), or the form of a date such as %d.%m.%Y %H:%M:%S.")  # fmt: skip
@click.option("--label", help="csv: column of labels; 0 is normal, another number a fault, and text itself.")
@click.option("--normal", callback=_names, help="Labels that are no faults; default: normal.")
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help="CSV: start_s,end_s,label[,fault][,file].")
@click.option("--whole", default="", metavar="LABEL", help="What the whole recording is, such as normal.")
@click.option("--commission-s", type=click.FloatRange(min=0), help="What a detector may learn from, at the start.")
@click.option("--gap-s", type=click.FloatRange(min=0, min_open=True), help="csv: a longer pause is a break.")
@click.option("--delimiter", help="csv: default: what is most in the header.")
@click.option(
    "--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="csv: sign of a decimal."
)
@click.option("--encoding", default="utf-8-sig", help="csv: default: UTF-8.")
@click.option("--skip-incomplete", is_flag=True, help="csv: leave out rows in which a number is missing.")
@click.option("--array", help="npz: which array.")
@click.option("--clips", type=click.IntRange(1), help="mimii, toyadmos: at most so many of each label.")
def take(
    form: str, sources: tuple[Path, ...], into: Path, name: str | None, licence: str, normal: tuple[str, ...],
    **wanted: Any,
) -> None:  # fmt: skip
    """Take recordings over into a dataset, each SOURCE a run or, of a collection of clips, a folder."""
    about = Wanted(**wanted | ({"normal": normal} if normal else {}))
    source = ", ".join(s.name for s in sources)[:2000]
    if (size := sum(s.stat().st_size for s in sources if s.is_file())) > _LARGE:
        click.echo(f"reading {size >> 20} MB", err=True)
    try:
        out = Writer(into, name=name or into.resolve().name[:64] or "dataset", licence=licence, source=source, add=True)
        for run in take_over(form, sources, about, out):
            click.echo(f"{run.file}: {run.kind} of {len(run.channels)} channels at {run.rate_hz:g} Hz")
        found = out.close()
    except (ImportRefused, DatasetBroken) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{into}: {len(found.recordings)} runs")


@dataset.command()
@click.argument("folder", type=click.Path(path_type=Path))
def show(folder: Path) -> None:
    """What FOLDER holds: its runs, how long they are, and what they are labelled as.

    A bar is how much the run moves there: red where a fault is labelled, yellow where partly, green where normal.
    """
    try:
        found = load(folder)
        table = Table("run", "node", "asset", "session", "kind", "channels", "hours", "learn s", "labels", "")
        for recording in found.recordings:
            table.add_row(*_row(recording))
    except DatasetBroken as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{found.name}: {len(found.recordings)} runs of {len(found.nodes)} nodes, SHA-256 {found.sha256()[:16]}…"
    )
    for text in (found.manifest.source, found.manifest.licence):
        if text:
            click.echo(text)
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _row(recording: Recording) -> tuple[str, ...]:
    run, rows = recording.run, recording.read()
    hours = len(rows) / run.rate_hz / 3600
    units = ", ".join(f"{c.name} [{c.unit}]" if c.unit else c.name for c in run.channels)
    bars, marks = strip(run, rows)
    texts = (run.name, run.node, run.asset, run.session, run.kind, units, f"{hours:.3g}", f"{run.commission_s:.4g}")
    return (*map(escape, texts), escape(_labels(run, rows.at_s)), markup(bars, marks))


def _labels(run: Run, at_s: NDArray[np.float64]) -> str:
    """How much of the run each label covers, and which of them are faults."""
    numbers, counts = np.unique(run.label_number(at_s), return_counts=True)
    rows: Counter[str] = Counter()
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        label = run.labels[number] if number >= 0 else None
        rows["unlabelled" if label is None else f"{label.label} (fault)" if label.fault else label.label] += count
    return ", ".join(f"{text} {np.round(100 * count / len(at_s), 1):g} %" for text, count in sorted(rows.items()))
