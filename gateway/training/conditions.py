"""Normal conditions that a context tells apart, as the classes of a classifier: the states of a machine, its speeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.manifest import Bin
from gateway.training.calibrate import bins
from gateway.training.commission import Classes
from gateway.training.held_out import Lessons, Unfit


def of_context(lessons: Lessons, name: str, known: str | None = None) -> Classes:
    """A class for each value of the context `name` where it has up to eight, else four ranges with as many windows each
    (`calibrate.bins`), from the windows that are fitted to. `known`: the class that the Bundle is for.

    Raises Unfit for a context that is not there or does not vary, and for a class that is not there.
    """
    if name not in lessons.context_names:
        there = ", ".join(lessons.context_names) or "none that all of them have"
        raise Unfit(f"--classes-from: the runs have no context {name!r}, but {there}")
    column = lessons.context_names.index(name)
    fit, calibrate, check = (context[:, column] for context in lessons.contexts)
    found = bins(fit, name)
    if len(found) < 2:
        raise Unfit(f"--classes-from: {name} is the same in all windows that are fitted to")
    distinct = np.unique(fit)
    names = tuple(_name(b, value) for b, value in zip(found, _values(distinct, len(found)), strict=True))
    if known is not None and known not in names:
        raise Unfit(f"--known: no class {known!r} among {', '.join(names)}")
    edges = [b.low for b in found if b.low is not None]
    labels = [np.searchsorted(edges, part, side="right") for part in (fit, calibrate, check)]
    return Classes(names, labels[0], labels[1], labels[2], None if known is None else names.index(known))


def _values(distinct: NDArray[np.float64], classes: int) -> list[float | None]:
    """Of each class the one value that it has, or None for a range."""
    return distinct.tolist() if len(distinct) == classes else [None] * classes


def _name(bin_: Bin, value: float | None) -> str:
    if value is not None:
        return f"{bin_.name} {value:g}"
    if bin_.low is None:
        return f"{bin_.name} below {bin_.high:g}"
    return f"{bin_.name} from {bin_.low:g}" + ("" if bin_.high is None else f" to {bin_.high:g}")
