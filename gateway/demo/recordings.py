"""Recorded machines for the demo: which files play on which nodes, what is learnt from, and what the rest really was.

A folder is recognised by what lies in it; each kind of recording has a file beside this one, whose `parts` makes a list
of what is played (recordings_part.py), empty for another kind. Every part is commissioned from its own leading healthy
stretch, before anything that is played; labels serve to judge the replay and are never used to choose a threshold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.demo import recordings_dataset, recordings_fan, recordings_rotor, signing
from gateway.demo.recordings_part import Part
from gateway.detectors.bundle import Bundle
from gateway.detectors.manifest import IMAGE, DataSource
from gateway.training.commission import Normal, Purpose, host_bundle, level_features, node_bundle
from gateway.training.features import Samples
from gateway.training.outcome import Interval, windows


class NoRecording(ValueError):  # noqa: N818 - it is the operator's choice of folder
    """A folder that holds no recording known here."""


@dataclass(frozen=True)
class ReplayNode:
    """One node of a replay: what it plays, and the Bundles made from its commissioning part.

    It looks at the machine every `wake_ms`. `labels` are in samples of the file, `note` says what to expect.
    """

    name: str
    asset: str
    samples_file: Path
    image_file: Path
    node: Bundle
    host: Bundle
    wake_ms: int
    rate_millihz: int
    labels: tuple[Interval, ...]
    note: str


@dataclass(frozen=True)
class Replay:
    """Everything that the demo needs to play recordings on nodes."""

    nodes: tuple[ReplayNode, ...]


def prepare(folder: Path, out: Path) -> Replay:
    """Convert the recordings in `folder` (or in the folders in it) and commission a node for each, into `out`,
    where each Bundle lies in a folder of its own name.

    They are signed by a key of their own (gateway/demo/signing.py). Raises NoRecording if nothing is recognised,
    DatasetBroken for a dataset that cannot be read, OSError if a file cannot be read or written.
    """
    parts = [part for place in (folder, *sorted(folder.glob("*/"))) for kind in _KINDS for part in kind(place)]
    if not parts:
        raise NoRecording(
            f"{folder}: no ceiling fan (fan_*_0_weight.npz), no rotor rig (H_merged_data*.csv.gz) and no dataset of "
            "samples with a minute to learn from (dataset.json) here"
        )
    replay = Replay(tuple(_replay_node(part, out) for part in parts))
    signing.sign(out, [bundle.name for node in replay.nodes for bundle in (node.node, node.host)])
    return replay


def write_samples(file: Path, samples: Samples, rate_millihz: int, unit: str) -> None:
    """Write the C node's sample file: a line of ASCII, then the samples [n, channels] as little-endian int16."""
    header = f"stethos-samples 1 channels={samples.shape[1]} rate_millihz={rate_millihz} unit={unit}\n"
    file.write_bytes(header.encode("ascii") + samples.astype("<i2").tobytes())


_WAKE_MS = 1000


def _replay_node(part: Part, out: Path) -> ReplayNode:
    out.mkdir(parents=True, exist_ok=True)
    samples_file = out / f"{part.name}.samples"
    units = dict.fromkeys(channel.unit for channel in part.channels)
    write_samples(samples_file, part.played, part.rate_millihz, ",".join(units))
    digest = hashlib.sha256(b"".join(s.tobytes() for s in (*part.fit, *part.calibrate, *part.check))).hexdigest()
    normal = Normal(
        fit=_windows(part.fit, part.window, part.window // 4),
        calibrate=_windows(part.calibrate, part.window, part.window),
        check=_windows(part.check, part.window, part.window),
        sources=(DataSource(description=part.description, sha256=digest),),
    )
    left_out = frozenset[int]() if part.level_matters else level_features(len(part.channels))

    def purpose(role: str) -> Purpose:
        name = f"{part.name}-{role}"
        return Purpose(name, part.channels, part.window, part.rate_millihz, "gateway.demo.recordings", left_out)

    node = node_bundle(out / f"{part.name}-node", purpose("node"), normal)
    host = host_bundle(out / f"{part.name}-host", purpose("host"), normal)
    return ReplayNode(
        part.name,
        part.asset,
        samples_file,
        node.folder / IMAGE,
        node,
        host,
        _WAKE_MS,
        part.rate_millihz,
        part.labels,
        part.note,
    )


def _windows(stretches: Sequence[Samples], length: int, hop: int) -> NDArray[np.int64]:
    return np.concatenate([windows(s, length, hop) for s in stretches])


_KINDS: tuple[Callable[[Path], list[Part]], ...] = (
    recordings_fan.parts,
    recordings_rotor.parts,
    recordings_dataset.parts,
)
