"""`stethos model compare`: a static model, the node's learner, both, or the gateway's learner, on one's own data."""

from __future__ import annotations

import importlib.util
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from gateway.detectors.feature_sets import NAMES
from gateway.detectors.node_library import LibraryMissing
from gateway.training.dataset import Dataset, DatasetBroken, load
from gateway.training.simulator import NoSimulator

REPORT, FIGURES = "report.html", "figures.json"
_SETS = {name: number for number, name in NAMES.items()}


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET …]")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help=f"Folder for {REPORT} and {FIGURES}.")  # fmt: skip
@click.option("--train-s", "train", type=(str, float), multiple=True, metavar="DATASET SECONDS",
              help="So much of a dataset's first session is taken to be normal and learned from.")  # fmt: skip
@click.option("--without", multiple=True, metavar="SESSION", help="Leave out a session; may be given again.")
@click.option("--features", type=click.Choice(list(_SETS)),
              help="Of samples. Default: principal from 100 Hz on, statistics below.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of the static model's training.")
def compare(
    datasets: tuple[str, ...], out: Path, train: tuple[tuple[str, float], ...], without: tuple[str, ...],
    features: str | None, seed: int,
) -> None:  # fmt: skip
    """The two-path study: a static int8 model against learning at the place, on the same rows.

    Each DATASET is a folder in the dataset layout, with :NODE behind it for another node than the first. Without any, a
    motor, a pump and a room are simulated. The conditions are: same session, changed session, changed mounting
    (sessions whose names begin with "moved", or other nodes), slow drift ("drift…"), ramped fault; what a dataset
    cannot give is said to be missing, or simulated from its recordings and named so.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise click.ClickException("the report needs matplotlib: pip install 'stethos[study]'")
    from gateway.training.study import Wish, plain, study
    from gateway.training.study import report as study_report

    def say(text: str) -> None:
        click.echo(text, err=True)

    with TemporaryDirectory() as folder:
        try:
            found = _given(datasets) or [(data, None) for data in _simulated(Path(folder), say)]
            longer = dict(train)
            if strangers := set(longer) - {data.name for data, _ in found}:
                raise click.ClickException(f"--train-s: no dataset {sorted(strangers)[0]!r}")
            wishes = [
                Wish(data, node, longer.get(data.name), frozenset(without), _SETS.get(features or ""))
                for data, node in found
            ]
            made = study(wishes, seed, say)
        except (DatasetBroken, LibraryMissing, NoSimulator) as error:
            raise click.ClickException(str(error)) from error
        if not made.domains:
            raise click.ClickException("nothing to compare: " + "; ".join(made.not_studied.values()))
        out.mkdir(parents=True, exist_ok=True)
        (out / FIGURES).write_text(json.dumps(plain.plain(made), indent=1) + "\n", encoding="utf-8")
        say("drawing")
        command = _command(datasets, out, train, without, features, seed)
        (out / REPORT).write_text(study_report.html(made, command), encoding="utf-8")
    click.echo(f"{out / REPORT}, {out / FIGURES}")


def _given(names: Sequence[str]) -> list[tuple[Dataset, str | None]]:
    found: list[tuple[Dataset, str | None]] = []
    for name in names:
        folder, colon, node = name.rpartition(":")
        if not colon or Path(name).is_dir():
            folder, node = name, ""
        found.append((load(Path(folder)), node or None))
    return found


def _simulated(folder: Path, say: object) -> list[Dataset]:
    from gateway.training.study import simulated as study_simulated

    assert callable(say)
    say("no dataset given: simulating a motor, a pump and a room")
    return study_simulated.make(folder)


def _command(
    datasets: Sequence[str], out: Path, train: Sequence[tuple[str, float]], without: Sequence[str],
    features: str | None, seed: int,
) -> str:  # fmt: skip
    """The words that make the same study again, where this was made."""
    words = ["stethos", "model", "compare", *datasets, "--out", str(out)]
    for name, seconds in train:
        words += ["--train-s", name, f"{seconds:g}"]
    for session in without:
        words += ["--without", session]
    if features:
        words += ["--features", features]
    return shlex.join([*words, "--seed", str(seed)])
