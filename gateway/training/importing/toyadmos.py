"""ToyADMOS (Koizumi et al., WASPAA 2019): toy machines at 48 kHz, a file for each of four channels.

    <machine>/<case>/{NormalSound_IND,NormalSound_CNT,AnomalousSound_IND}/<digits>_<machine>_<case>_<what>_<IND|CNT>_ch<n>_<number>.wav

<what> is "normal", or a deliberate damage such as "ab01". The noise of the room alone (EnvironmentalNoise_CNT) is not
taken over: no machine is heard.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.training.clips import Clip, runs
from gateway.training.importing import NORMAL, ImportRefused, Piece, Wanted

_FOLDERS = ("NormalSound_IND", "NormalSound_CNT", "AnomalousSound_IND")
_NAME = re.compile(r"(?:\d+_)?(\w+?)_(case\w+?)_(\w+?)_(IND|CNT)_ch(\d+)_(\d+)\.wav")


def pieces(source: Path, wanted: Wanted) -> Iterator[Piece]:
    """Every case in the folder, each a node and an asset. Raises ImportRefused, which names file or clip."""
    cases = sorted(
        {folder.parent for name in _FOLDERS for folder in (source, *source.rglob(name)) if folder.name == name}
    )
    if not cases:
        raise ImportRefused(source, f"no case with {', '.join(_FOLDERS)} here")
    for case in cases:
        path = case.resolve()
        node = f"{path.parent.name}-{path.name}"
        about = replace(
            wanted,
            node=wanted.node or node,
            asset=wanted.asset or wanted.node or node,
            session=wanted.session or path.name,
            sensor=wanted.sensor or "microphones",
        )
        yield from runs(_clips(case), node, about)


def _clips(case: Path) -> list[Clip]:
    """The clips of a case, each with a file for every channel."""
    found: dict[tuple[str, str, str], dict[int, Path]] = defaultdict(dict)
    for folder in _FOLDERS:
        for file in sorted((case / folder).rglob("*.wav")):
            name = _NAME.fullmatch(file.name)
            if name is None:
                raise ImportRefused(file, "its name is not one of ToyADMOS")
            _, _, what, how, channel, number = name.groups()
            found[(what, how, number)][int(channel)] = file
    if not found:
        raise ImportRefused(case, "no .wav here")
    channels = sorted(set().union(*found.values()))
    for files in found.values():
        if sorted(files) != channels:
            raise ImportRefused(next(iter(files.values())), f"has channels {sorted(files)}, others {channels}")
    return [
        Clip(tuple(files[c] for c in channels), what, what != NORMAL) for (what, *_), files in sorted(found.items())
    ]
