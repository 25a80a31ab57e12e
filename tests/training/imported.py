"""Takes small recordings over, as the command does, and gives back what was written."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np

from gateway.training.dataset import Dataset, Writer, load
from gateway.training.importing import Wanted, take_over


def imported(form: str, *sources: Path, into: Path | None = None, **wanted: object) -> Dataset:
    into = into or sources[0].parent / "set"
    out = Writer(into, name="set", add=True)
    list(take_over(form, sources, Wanted(**wanted), out))  # type: ignore[arg-type]
    out.close()
    return load(into)


def write_wav(file: Path, samples: np.ndarray, rate: int = 16_000, width: int = 2, *, extensible: bool = False) -> Path:
    """`samples` [n, channels] as whole numbers of `width` bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    data = samples.astype("<i4").view(np.uint8).reshape(*samples.shape, 4)[:, :, :width].tobytes()
    if width == 1:
        data = (samples + 128).astype(np.uint8).tobytes()
    if not extensible:
        with wave.open(str(file), "wb") as sound:
            sound.setparams((samples.shape[1], width, rate, 0, "NONE", ""))
            sound.writeframes(data)
        return file
    channels, frame = samples.shape[1], samples.shape[1] * width
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    head = struct.pack("<HHIIHHHHI", 0xFFFE, channels, rate, rate * frame, frame, 8 * width, 22, 8 * width, 0) + pcm
    chunks = b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    file.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return file
