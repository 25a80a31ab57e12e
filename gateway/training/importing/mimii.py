"""MIMII (Purohit et al., DCASE 2019): factory machines in clips of ten seconds, eight channels at 16 kHz.

[<snr>_dB_<machine>/]<machine>/id_<number>/{normal,abnormal}/*.wav      as its archives unpack
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.training.clips import Clip, runs
from gateway.training.importing import NORMAL, ImportRefused, Piece, Wanted

_NOISE = re.compile(r"-?\d+_?dB")


def pieces(source: Path, wanted: Wanted) -> Iterator[Piece]:
    """Every machine in the folder, each number of a machine a node and an asset; the noise is the session.

    Raises ImportRefused.
    """
    places = sorted(place for place in (source, *source.rglob("id_*")) if (place / NORMAL).is_dir())
    if not places:
        raise ImportRefused(source, "no id_*/normal/*.wav here")
    for place in places:
        clips = [
            Clip((file,), kind, kind != NORMAL)
            for kind in (NORMAL, "abnormal")
            for file in sorted((place / kind).glob("*.wav"))
        ]
        if not clips:
            raise ImportRefused(place, "no .wav in normal or abnormal")
        path = place.resolve()
        noise = next((found for part in reversed(path.parts) if (found := _NOISE.match(part))), None)
        node = f"{_NOISE.sub('', path.parent.name).strip('_')}-{path.name}"
        session = noise.group().replace("_", "") if noise else "clips"
        about = replace(
            wanted,
            node=wanted.node or node,
            asset=wanted.asset or wanted.node or node,
            session=wanted.session or session,
            sensor=wanted.sensor or "microphones",
        )
        yield from runs(clips, f"{session}-{node}", about)
