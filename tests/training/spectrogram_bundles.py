"""Bundles of a classifier of spectrograms that has learned nothing, made as `stethos model spectrogram` makes them but
without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.detectors.bundle import Bundle
from gateway.training import dataset, spectrogram_bundle
from gateway.training.mobilenet import Trained, input_scale
from gateway.training.quantise import in_steps, standardisation
from gateway.training.spectrogram_bundle import Purpose
from gateway.training.spectrograms import Look, Spectrograms, of
from tests.nodes.inverted_residuals import mobilenet
from tests.training.hummers import write

LOOK = Look(64, 12, 8, "x", 50.0)


@dataclass(frozen=True)
class Made:
    """A Bundle, and what it was made of."""

    bundle: Bundle
    seen: Spectrograms
    trained: Trained
    data: dataset.Dataset


def make(folder: Path, look: Look = LOOK, known: str = "low", commission_s: float = 40.0) -> Made:
    """Of the hummers, in folder/looking."""
    write(folder / "data", commission_s=commission_s)
    data = dataset.load(folder / "data")
    seen = of(data, look)
    scaling = standardisation(seen.x[seen.learn].reshape(-1, look.bands))
    int8 = mobilenet(look.rows, look.bands, 3)
    trained = Trained(seen.names, scaling, b"", in_steps(scaling, input_scale(int8)), int8)
    purpose = Purpose("looking", known, rate=0.05, licence="test")
    return Made(spectrogram_bundle.make(folder / "looking", data, seen, look, trained, purpose), seen, trained, data)
