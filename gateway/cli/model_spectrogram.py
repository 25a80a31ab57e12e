"""`stethos model spectrogram`: a classifier of spectrograms, with the TensorFlow extra."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.model_options import dataset_argument, generation_option, rate_option, seed_option
from gateway.cli.model_sign import faults, finish, signing_key, signing_options
from gateway.cli.options import WIDE
from gateway.training import dataset, mobilenet, mobilenet_judge, spectrogram_bundle
from gateway.training.features.mel import BANDS, FRAMES
from gateway.training.spectrograms import Look, of


@click.command()
@dataset_argument
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the networks.")
@click.option("--channel", default="", help="Its name. Default: the first.")
@click.option("--frame", type=click.Choice([str(n) for n in FRAMES]), default="512", show_default=True, help="Samples.")
@click.option("--bands", type=click.IntRange(*BANDS), default=32, show_default=True)
@click.option("--rows", type=click.IntRange(8, 128), default=32, show_default=True, help="Frames in a spectrogram.")
@click.option(
    "--corner-hz",
    type=click.FloatRange(0, 1e6, min_open=True),
    default=700.0,
    show_default=True,
    help="From there on bands are parts of octaves.",
)
@click.option("--width", type=click.FloatRange(0.25, 4), default=1.0, show_default=True, help="Of all layers.")
@click.option(
    "--steps", type=click.IntRange(1, 10**6), default=mobilenet.Plan().steps, show_default=True, help="Batches."
)
@seed_option
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also a bundle for nodes; its threshold is from windows that the network does not learn from then.",
)
@click.option("--known", default="", help="Of the bundle: the asset that its node is on. Default: any of them.")
@rate_option
@generation_option
@signing_options
def spectrogram(
    data: Path, out: Path, channel: str, frame: str, bands: int, rows: int, corner_hz: float, width: float,
    steps: int, seed: int, bundle: Path | None, known: str, rate: float, generation: int, key: Path | None,
    unsigned: bool, config_file: Path,
) -> None:  # fmt: skip
    """Train a MobileNetV2-like classifier of the assets in DATASET on spectrograms of their commissioning, and write it
    as float and as int8 .tflite, for a node that computes feature set 4. How little it holds a window for its own asset
    is the score, measured on the labelled windows that it has not seen.
    """
    with faults():
        if not mobilenet.available():
            raise click.ClickException(str(mobilenet.NoTensorFlow()))
        signer = None if unsigned or bundle is None else signing_key(key, config_file)
        loaded, look = dataset.load(data), Look(int(frame), bands, rows, channel, corner_hz)
        seen = of(loaded, look)
        learn = seen.learn if bundle is None else spectrogram_bundle.fitted(seen)
        trained = mobilenet.train(
            seen.x[learn], seen.label[learn], seen.names, seed,
            mobilenet.Architecture(width=width), mobilenet.Plan(steps=steps),
        )  # fmt: skip
        found, takes = mobilenet_judge.figures(trained, seen), mobilenet_judge.size(trained)
        mobilenet_judge.write(out, trained, seen, found, takes)
        if bundle is not None:
            purpose = spectrogram_bundle.Purpose(
                bundle.name, known, rate, seed, generation=generation, licence=loaded.manifest.licence or "none given",
                created_from=f"stethos model spectrogram {loaded.name}",
            )  # fmt: skip
            finish(spectrogram_bundle.make(bundle, loaded, seen, look, trained, purpose), signer)
    table = Table("asset", "normal", "faulty", "AUROC float", "AUROC int8")
    for row in found:
        areas = ("" if area is None else f"{area:.3f}" for area in (row.auroc_float, row.auroc_int8))
        table.add_row(row.name, str(row.normal), str(row.faulty), *areas)
    Console(markup=False, width=None if sys.stdout.isatty() else WIDE).print(table)
    click.echo(f"int8: {takes.flash} bytes, {takes.memory} bytes of memory, {takes.macs} MACs; with float in {out}")
