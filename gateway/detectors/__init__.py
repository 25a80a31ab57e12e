"""Window to Score: one file per kind of detector, found by the `detector` name in a Bundle.

A module here that offers `Detector`, a class that fits the protocol below, is a detector.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Protocol, cast

from gateway.detectors.bundle import Bundle, BundleBroken


class Detector(Protocol):
    """Scores windows by a Bundle. Not thread-safe: one per worker."""

    def __init__(self, bundle: Bundle) -> None:
        """Make ready to score. Raises BundleBroken if the Bundle's model cannot be run."""
        ...

    def score(self, batch: Sequence[Sequence[int]]) -> list[int]:
        """A value for each window (its features, in the units of the Bundle's feature set), in order. A window is
        anomalous if its value is above `bundle.manifest.threshold`. ValueError if a window has the wrong number of
        features. The same bundle, windows and machine give the same values.
        """
        ...


def detector(bundle: Bundle) -> Detector:
    """The detector that a Bundle asks for. Raises BundleBroken if there is none of that name or it cannot run it."""
    name = f"{__name__}.{bundle.manifest.detector}"
    kind = getattr(importlib.import_module(name), "Detector", None) if importlib.util.find_spec(name) else None
    if kind is None:
        raise BundleBroken(bundle.folder / "bundle.json", f"no detector is called {bundle.manifest.detector!r}")
    return cast(type[Detector], kind)(bundle)
