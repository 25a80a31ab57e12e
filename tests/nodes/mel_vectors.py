"""Writes nodes/wire/features/mel.json from the Python reference: `python -m tests.nodes.mel_vectors`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gateway.training.features.mel import Form, spectrogram
from tests.nodes.feature_vectors import FOLDER, HIGH, LOW, noise

FILE = FOLDER / "mel.json"


def windows() -> dict[str, tuple[Form, np.ndarray]]:
    """Name -> form, samples [n]; made without a library's random numbers, so that they never change."""
    i = np.arange(1024)
    saw = i * 5 % 97 - 48
    return {
        "sound, two rows": (Form(512, 32, 358), noise(768, 1, 900)[:, 0] + saw[:768] * 40),
        "the most bands": (Form(512, 64, 358), saw[:512] * 11 + 16384),
        "the fewest bands of the shortest frame": (Form(64, 4, 16), noise(96, 1, 20000)[:, 0]),
        "a band for each bin": (Form(64, 31, 1024), noise(160, 1, 300)[:, 0] - 5),
        "vibration, gravity beside it": (Form(128, 24, 896), noise(192, 1, 60)[:, 0] + 16384),
        "louder and quieter": (Form(256, 20, 179), (noise(640, 1, 30000)[:, 0] * i[:640] ** 3) // 640**3),
        "constant": (Form(64, 8, 100), np.full(96, 7)),
        "one sample off": (Form(128, 16, 256), np.array([-1] + [0] * 127)),
        "the highest frequency, as loud as can be": (Form(256, 24, 179), np.where(i[:256] % 2, LOW, HIGH)),
        "as loud as can be": (Form(512, 32, 358), np.where(i[:512] // 7 % 2, LOW, HIGH)),
        "a sample left over": (Form(64, 12, 500), saw[:97] * 3),
    }


def cases() -> list[dict[str, Any]]:
    found = []
    for name, (form, values) in windows().items():
        samples = values.astype(np.int16)
        assert np.array_equal(samples, values), name
        found.append(
            {
                "name": name,
                "frame": form.frame,
                "bands": form.bands,
                "corner": form.corner,
                "samples": samples.astype("<i2").tobytes().hex(),
                "edges": form.edges(),
                "rows": spectrogram(form, samples[None])[0].tolist(),
            }
        )
    return found


def samples_of(case: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(case["samples"]), "<i2")


def text() -> str:
    rows = ",\n".join(json.dumps(case) for case in cases())
    return f'{{"feature_set": 4, "cases": [\n{rows}\n]}}\n'


if __name__ == "__main__":
    FILE.write_text(text())
