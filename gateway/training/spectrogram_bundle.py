"""A classifier of spectrograms as a Bundle for nodes: form, scaling, threshold on the node's own arithmetic, self-test.

Windows are cut in time, as in `held_out`: the first 60 % of what was commissioned are fitted to, the next 20 % give the
threshold, the last 20 % say what it achieves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway import __version__
from gateway.detectors import direct, errors
from gateway.detectors.bundle import Bundle
from gateway.detectors.feature_sets import STATISTICS
from gateway.detectors.manifest import (
    IMAGE,
    MODEL,
    VERSION,
    Channel,
    DataSource,
    Manifest,
    NodePart,
    Provenance,
    Quality,
    Spectrogram,
)
from gateway.training import bundle_writer, held_out, self_test
from gateway.training.classifier import NONE
from gateway.training.dataset import Dataset
from gateway.training.dense import Unsuitable
from gateway.training.mobilenet import Trained
from gateway.training.mobilenet_judge import by_int8
from gateway.training.spectrograms import Look, Spectrograms
from gateway.training.threshold import Threshold, threshold

NODE_SAMPLES = 1024
"""Samples of a channel that a node holds at once (nodes/c_tflm/core/node.h)."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the Bundle is for. `known`: the asset that its node is on; "": any of them. `rate` is the wanted share of
    false alarms among normal windows; the node computes `feature_set` for its reports.
    """

    name: str
    known: str = ""
    rate: float = 0.001
    seed: int = 1
    generation: int = 1
    licence: str = "none given"
    created_from: str = "stethos model spectrogram"
    feature_set: int = STATISTICS


def fitted(seen: Spectrograms) -> NDArray[np.bool_]:
    """The windows [n] that a network is trained on."""
    found: NDArray[np.bool_] = _part(seen) == held_out.FIT
    return found


def make(folder: Path, data: Dataset, seen: Spectrograms, look: Look, trained: Trained, purpose: Purpose) -> Bundle:
    """The Bundle, not signed; `trained` has learned from the windows that are `fitted`. Raises Unsuitable: an asset
    that there is none of, too few windows, runs of several kinds of channels; Refused, LibraryMissing, OSError.
    """
    known = _known(trained, purpose.known)
    of_known = np.full(len(seen.label), known is None) | (seen.label == known)
    found = {
        part: errors.confidence(by_int8(trained, seen.x[of_known & (_part(seen) == part)]), known)
        for part in (held_out.CALIBRATE, held_out.CHECK)
    }
    try:
        limit = threshold(found[held_out.CALIBRATE].tolist(), purpose.rate, "margins")
    except ValueError as error:
        raise Unsuitable(str(error)) from error
    limit = replace(limit, value=min(limit.value, errors.highest_threshold("classifier")))
    channels, sources = _channels(data)
    names = [channel.name for channel in channels]
    step = direct.Network(trained.int8).output.scale
    margins = errors.margin_of(np.array([limit.value])) * step
    manifest = Manifest(
        version=VERSION, name=purpose.name, role="node", kind="classifier", classes=(*trained.names, NONE), known=known,
        detector="litert", feature_set=purpose.feature_set, channels=channels,
        samples=held(seen), rate_millihz=round(1000 * seen.rate_hz), scaling=tuple(trained.int8_scaling),
        threshold=round(errors.millionths(margins).item()),
        node=NodePart(generation=purpose.generation, threshold=limit.value),
        quality=_quality(purpose.rate, limit, found),
        spectrogram=Spectrogram.model_validate(
            {**asdict(seen.form), "rows": seen.rows, "channel": names.index(look.channel) if look.channel else 0}
        ),
        provenance=Provenance(
            data=sources, code_version=__version__, seed=purpose.seed, created_from=purpose.created_from
        ),
        licence=purpose.licence, files=dict.fromkeys((MODEL, IMAGE), "0" * 64),
    )  # fmt: skip
    return bundle_writer.write(folder, manifest, trained.int8, self_test.of_spectrogram(manifest, trained.int8))


def held(seen: Spectrograms) -> int:
    """Samples of a window that a node holds at once, the last ones: all, or as many half frames as fit."""
    hop = seen.form.frame // 2
    return min(seen.form.samples(seen.rows), NODE_SAMPLES // hop * hop)


def _part(seen: Spectrograms) -> NDArray[np.int8]:
    """Of each window [n]; -1: not commissioned on."""
    found = np.full(len(seen.label), -1, np.int8)
    for label in range(len(seen.names)):
        own = np.flatnonzero(seen.learn & (seen.label == label))
        found[own] = np.searchsorted(held_out.FIRST_TWO, (np.arange(len(own)) + 1) / max(len(own), 1))
    return found


def _quality(rate: float, limit: Threshold, found: Mapping[int, errors.Ints]) -> Quality:
    checked = found[held_out.CHECK]
    if not len(checked):
        raise Unsuitable("there are no windows to check the threshold on")
    alarms = int(np.sum(checked > limit.value))
    return Quality(
        wanted_ppm=round(1e6 * rate),
        achieved_ppm=round(1e6 * alarms / len(checked)),
        false_alarms=alarms,
        windows=len(checked),
        calibration_windows=len(found[held_out.CALIBRATE]),
        extrapolated=limit.extrapolated,
    )


def _known(trained: Trained, asset: str) -> int | None:
    if asset and asset not in trained.names:
        raise Unsuitable(f"no asset {asset!r} was learned, but {', '.join(trained.names)}")
    return trained.names.index(asset) if asset else None


def _channels(data: Dataset) -> tuple[tuple[Channel, ...], tuple[DataSource, ...]]:
    recordings = [recording for recording in data.recordings if recording.run.kind == "samples"]
    found = {held_out.channels(recording.run) for recording in recordings}
    if len(found) != 1:
        raise Unsuitable(f"{data.name}: runs of {len(found)} kinds of channels, where a node has one")
    return found.pop(), tuple(held_out.data_source(data, recording) for recording in recordings)
