"""`stethos model inspect`: all that a Bundle or a .tflite file says of itself, and who can run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from gateway.cli.model_sign import faults
from gateway.detectors import detector, feature_sets
from gateway.detectors.bundle import ANY, Bundle, BundleBroken, load
from gateway.detectors.direct import Refused
from gateway.detectors.node_library import LibraryMissing
from gateway.detectors.signature import key_id
from gateway.training import self_test
from gateway.training.anatomy import Runs, anatomy, on_host, on_node


@click.command()
@click.argument("path", metavar="BUNDLE|FILE.tflite", type=click.Path(path_type=Path, exists=True))
def inspect(path: Path) -> None:
    """Show what is in a bundle or in any .tflite file: sizes, work, memory, and whether node and gateway can run it."""
    with faults():
        if path.is_dir():
            bundle = load(path, ANY)
            for line in (*_manifest(bundle), *_model(bundle.model), *_who_runs(bundle)):
                click.echo(line)
            return
        tflite = path.read_bytes()
        for line in (*_model(tflite), *_could_run(tflite)):
            click.echo(line)


def _manifest(bundle: Bundle) -> Iterator[str]:
    m = bundle.manifest
    yield f"bundle {m.name}, version {m.version}, for a {m.role}: {m.kind}"
    if bundle.signed_by is None:
        yield "signed by nobody"
    else:
        yield f"signed by {bundle.signed_by.hex()} (id {key_id(bundle.signed_by)})"
    for i, name in enumerate(m.classes):
        yield f"class {i}: {name}{' (known)' if i == m.known else ''}"
    yield (
        f"features: {feature_sets.NAMES[m.feature_set]} (set {m.feature_set}), {m.features} of {m.samples} samples at "
        f"{m.rate_millihz / 1000:g} Hz"
    )
    if m.spectrogram is not None:
        look = m.spectrogram
        yield (
            f"looks at a spectrogram: {look.rows} rows of {look.bands} bands, frames of {look.frame} samples, channel "
            f"{look.channel}, {look.samples} samples in all"
        )
    for channel in m.channels:
        yield f"channel {channel.name}: in {channel.unit}"
    unseen = [str(i) for i, (_, multiplier, _) in enumerate(m.scaling) if multiplier == 0]
    yield f"features that the model does not see: {', '.join(unseen) or 'none'}"
    yield from _thresholds(bundle)
    yield f"made by {m.provenance.created_from}, version {m.provenance.code_version}, seed {m.provenance.seed}"
    for source in m.provenance.data:
        yield f"from {source.description}: sha256 {source.sha256}"
    for name, value in m.provenance.metrics.items():
        yield f"{name}: {value:g}"
    yield f"licence: {m.licence}"
    for file, digest in m.files.items():
        yield f"{file}: sha256 {digest}"


def _thresholds(bundle: Bundle) -> Iterator[str]:
    m, q = bundle.manifest, bundle.manifest.quality
    if m.node is not None:
        yield f"generation {m.node.generation}; threshold of a node {m.node.threshold}, in steps of its outputs"
    yield f"threshold of the gateway {m.threshold / 1e6:g}"
    extrapolated = ", an extrapolation" if q.extrapolated else ""
    yield (
        f"false alarms a window: wanted {q.wanted_ppm / 1e6:g}, achieved {q.achieved_ppm / 1e6:g} ({q.false_alarms} in "
        f"{q.windows} windows; calibrated on {q.calibration_windows}{extrapolated})"
    )
    if m.calibration is not None:
        yield from (f"calibrated on {source.description}: sha256 {source.sha256}" for source in m.calibration.data)
        nodes = {entry.node for entry in m.calibration.table} - {""}
        contexts = sum(1 for entry in m.calibration.table if entry.context)
        yield (
            f"calibrated by {m.calibration.by} on outputs of {m.calibration.outputs}, 1 event in "
            f"{1e9 / m.calibration.events_ppb:g} windows: {len(m.calibration.table)} thresholds, for "
            f"{len(nodes)} nodes, {contexts} of them in a context"
        )


def _model(tflite: bytes) -> Iterator[str]:
    found = anatomy(tflite)
    yield f"model: {found.size} bytes; {', '.join(found.inputs)} to {', '.join(found.outputs)}"
    for i, step in enumerate(found.steps):
        yield f"operator {i}: {step.operator} to {list(step.shape)}, {step.macs} MACs, {step.parameters} bytes"
    yield f"in all: {found.macs} MACs an inference, {found.parameters} bytes of parameters"


def _who_runs(bundle: Bundle) -> Iterator[str]:
    try:
        detector(bundle)
        yield "gateway: can run it"
    except BundleBroken as error:
        yield f"gateway: cannot run it: {error.reason}"
    if bundle.image is None:
        yield "node: cannot run it: a bundle for the gateway, without an image"
        return
    try:
        self_test.check(bundle)
        yield f"node: can run it, and computes what its self-test says; {_takes(on_node(bundle.model), bundle.image)}"
    except (BundleBroken, Refused, LibraryMissing) as error:
        yield f"node: cannot run it: {error}"


def _could_run(tflite: bytes) -> Iterator[str]:
    host = on_host(tflite)
    yield f"gateway: {f'cannot run it: {host.refused}' if host.refused else 'can run it'}"
    try:
        node = on_node(tflite)
    except LibraryMissing as error:
        yield f"node: not known: {error}"
        return
    takes = f"; {_takes(node, tflite)}" if node.arena else ""
    yield f"node: {f'cannot run it: {node.refused}' if node.refused else 'can run it'}{takes}"


def _takes(runs: Runs, in_flash: bytes) -> str:
    return (
        f"flash {len(in_flash)} bytes beside the engine, RAM {runs.arena} bytes for the engine's plan and arena "
        "(on this computer; less where a pointer has 4 bytes)"
    )
