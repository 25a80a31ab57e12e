"""build/figures.json: what the benches have found out, each figure with how it was found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.figures import FILE
from tests.faults.figures import merge as keep

NOT_FULL = "NOT THE FULL RUN: "
"""How `how` begins where less was run than the figure's definition asks for."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, its unit, and how it came about: in one sentence, with what it leaves out."""

    value: float
    unit: str
    how: str


def read(file: Path = FILE) -> dict[str, Figure]:
    """What is there; nothing where there is no file yet."""
    if not file.exists():
        return {}
    return {key: Figure(**figure) for key, figure in json.loads(file.read_text(encoding="utf-8")).items()}


def merge(found: Mapping[str, Figure], file: Path = FILE) -> None:
    """Add figures, in the place of older ones of the same name."""
    keep({key: asdict(figure) for key, figure in found.items()}, file)


def show(figures: Mapping[str, Figure]) -> None:
    """A table for people; `how` would fill it, and stands in the file."""
    table = Table("figure", "value", "unit")
    table.columns[1].justify = "right"
    for key, figure in sorted(figures.items()):
        table.add_row(key, f"{figure.value:g}", figure.unit)
    Console().print(table)
