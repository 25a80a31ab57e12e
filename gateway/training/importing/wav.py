"""WAV: sound, or anything else that was sampled; PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset import Run
from gateway.training.importing import ImportRefused, Piece, Wanted, labels_wanted, make_run

FULL_SCALE = 32768.0
"""16-bit steps of full scale, the unit here: a sound's file does not say its pressure."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def pieces(source: Path, wanted: Wanted) -> Iterator[Piece]:
    """The one run of a file; `wanted.channels` are numbers from 1. Raises ImportRefused."""
    samples, rate_hz = read(source)
    picked, names = pick(source, samples, wanted.channels)
    labels = labels_wanted(source, wanted, 0.0, len(picked) / rate_hz)
    yield Piece(sound_run(source, wanted, picked, names, rate_hz=rate_hz, labels=labels), picked)


def sound_run(file: Path, wanted: Wanted, samples: NDArray[Any], names: tuple[str, ...], **about: Any) -> Run:
    """The run of sound `samples`, as `read` gives them. Raises ImportRefused."""
    scaled = replace(wanted, kind="samples", units=("full scale",), per_unit=FULL_SCALE)
    return make_run(file, scaled, samples, names, **about)


def pick(file: Path, samples: NDArray[Any], wanted: tuple[str, ...]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Those channels of `samples` [n, channels], all if none is named, and their names. Raises ImportRefused."""
    there = [str(n) for n in range(1, samples.shape[1] + 1)]
    if unknown := [name for name in wanted if name not in there]:
        raise ImportRefused(file, f"no channel {unknown[0]!r}: it has {len(there)}")
    names = wanted or tuple(there)
    return samples[:, [there.index(name) for name in names]], names


def read(file: Path) -> tuple[NDArray[Any], float]:
    """Samples [n, channels], int16 as they are or else float32 of full scale, and their rate. Raises ImportRefused."""
    try:
        plain, is_float = _plain(file.read_bytes())
        with wave.open(BytesIO(plain)) as sound:
            channels, width, rate, frames, *_ = sound.getparams()
            data = sound.readframes(frames)
    except OSError as error:
        raise ImportRefused(file, f"cannot be read: {error.strerror}") from error
    except (wave.Error, EOFError, RuntimeError, ValueError) as error:  # RuntimeError: of a chunk that ends nowhere
        raise ImportRefused(file, f"no PCM sound: {error or 'cut short'}") from error
    if not rate:
        raise ImportRefused(file, "no PCM sound: no samples a second")
    if not frames or len(data) != frames * channels * width:
        raise ImportRefused(file, f"cut short: {len(data) // (channels * width)} of {frames} samples")
    if not is_float:
        return _numbers(data, width).reshape(-1, channels), float(rate)
    numbers = np.frombuffer(data, f"<f{width}").astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ImportRefused(file, "its floats are not all numbers")
    return numbers.reshape(-1, channels), float(rate)


def _numbers(data: bytes, width: int) -> NDArray[Any]:
    if width == 2:
        return np.frombuffer(data, "<i2").astype(np.int16)
    if width == 1:  # the one width without a sign
        return ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    wide = np.zeros((len(data) // width, 4), np.uint8)
    wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    return (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)


def _plain(data: bytes) -> tuple[bytes, bool]:
    """The same as `wave` reads it, and whether its 32 or 64 bits are floats: `wave` knows none, and the extensible way
    to say a format, which recorders of many channels have, from Python 3.12 on only.
    """
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt " and size >= 16 and at + 8 + size <= len(data):
            form, bits, real = (int.from_bytes(data[at + i : at + i + 2], "little") for i in (8, 22, 32))
            form = real if form == _EXTENSIBLE and size >= 26 else form
            if form == _PCM or (form == _FLOAT and bits in (32, 64)):
                return data[: at + 8] + struct.pack("<H", _PCM) + data[at + 10 :], form == _FLOAT
        at += 8 + size + size % 2
    return data, False
