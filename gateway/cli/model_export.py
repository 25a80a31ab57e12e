"""`stethos model export`: a Bundle's model as a C header, a .tflite file, or a file for a MicroPython board."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.model_sign import bundle_argument, faults
from gateway.detectors.bundle import ANY, Bundle, load
from gateway.training import exporting, self_test

_LOADING = """\
On the board it lies beside node.json, whose keys are then
    {keys}
and stethos_native.mpy (nodes/micropython/native) is what runs it:
    from stethos import native
    image = open("{file}", "rb").read()
    model = native.model.Model(image, bytearray(native.model.memory_size(image)))
    error, score, why, anomalous = model.score(features)"""


@click.command()
@bundle_argument
@click.option("--as", "form", type=click.Choice(["c-header", "tflite", "micropython"]), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: the bundle's name, here.")
@click.option("--node", default="", help="With the threshold that was calibrated for this node.")
@click.option("--asset", default="", help="With the threshold that was calibrated for this asset.")
def export(bundle: Path, form: str, out: Path | None, node: str, asset: str) -> None:
    """Write the model of BUNDLE as whoever builds a node wants it."""
    with faults():
        found = load(bundle, ANY)
        if form == "tflite":
            file = out or Path(f"{found.name}.tflite")
            file.write_bytes(found.model)
            click.echo(f"{file}: {len(found.model)} bytes; without scaling and threshold, which are in bundle.json")
            return
        self_test.check(found)
        if strangers := _strangers(found, node, asset):
            click.echo(f"warning: {found.name} has no threshold for {strangers}: this is the one for any", err=True)
        image = exporting.image(found, node, asset)
        if form == "c-header":
            file = out or Path(f"{found.name}.h")
            file.write_text(exporting.c_header(found, image), encoding="ascii")
            click.echo(f"{file}: an image of {len(image)} bytes")
            return
        file = out or Path(f"{found.name}.cbor")
        file.write_bytes(image)
        click.echo(f"{file}: an image of {len(image)} bytes")
        click.echo(_LOADING.format(file=file.name, keys=_node_json(found, file.name)))


def _strangers(bundle: Bundle, node: str, asset: str) -> str:
    """Which of the two no threshold was calibrated for."""
    table = bundle.manifest.calibration.table if bundle.manifest.calibration else ()
    wanted = (("node", node, {entry.node for entry in table}), ("asset", asset, {entry.asset for entry in table}))
    return " and ".join(f"{noun} {name!r}" for noun, name, there in wanted if name and name not in there)


def _node_json(bundle: Bundle, file: str) -> str:
    manifest = bundle.manifest
    keys = {
        "model": file, "feature_set": manifest.feature_set, "samples": manifest.samples,
        "rate_millihz": manifest.rate_millihz,
    }  # fmt: skip
    return json.dumps(keys)[1:-1]
