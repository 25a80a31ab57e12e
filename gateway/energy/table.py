"""The table: figures with their sources, from the TOML files beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Self

HERE = Path(__file__).parent


class EnergyUnknown(Exception):  # noqa: N818 - the operator's fault
    """No such board, sensor, radio or battery; the message names those that there are."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, in the unit that its name ends with. `source` says where it comes from; `measured`: by us, on
    hardware, with a meter.
    """

    value: int
    source: str
    measured: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file of the table."""

    name: str
    title: str

    FOLDER: ClassVar[str]

    @classmethod
    def load(cls, name: str) -> Self:
        """Raises EnergyUnknown if there is no such file. A file that is not as it should be is a fault of this
        package: TypeError, ValueError.
        """
        if name not in names(cls.FOLDER):
            raise EnergyUnknown(f"{name!r} is not in the table; {cls.FOLDER}: {', '.join(names(cls.FOLDER))}")
        table = tomllib.loads((HERE / cls.FOLDER / f"{name}.toml").read_text())
        title = table.pop("title")
        figures = {key: Figure(**value) for key, value in table.items()}
        for key, figure in figures.items():
            if (
                type(figure.value) is not int
                or figure.value < 0
                or not figure.source
                or type(figure.measured) is not bool
            ):
                raise ValueError(f"{cls.FOLDER}/{name}.toml: {key}")
        return cls(name=name, title=title, **figures)

    @property
    def figures(self) -> dict[str, Figure]:
        """Name -> figure."""
        return {field.name: value for field in fields(self) if isinstance(value := getattr(self, field.name), Figure)}


@dataclass(frozen=True, slots=True)
class Board(_Entry):
    """A processor: its current asleep, while the sensor's FIFO fills, computing, and while the radio is at work."""

    FOLDER = "boards"
    sleep_na: Figure
    sensing_na: Figure
    computing_na: Figure
    radiating_na: Figure
    wake_ms: Figure  # of computing, before each wake's work begins
    compute_ms: Figure  # a window
    seal_ms: Figure  # a report


@dataclass(frozen=True, slots=True)
class Sensor(_Entry):
    """A sensor: `active_na` from its start, `settle_ms` before the window, to the window's end; `idle_na` else."""

    FOLDER = "sensors"
    idle_na: Figure
    active_na: Figure
    settle_ms: Figure


@dataclass(frozen=True, slots=True)
class Radio(_Entry):
    """A radio: `active_na` from its start to the Ack; `idle_na` else. Below `min_mv` it cannot work."""

    FOLDER = "radios"
    idle_na: Figure
    active_na: Figure
    start_ms: Figure
    byte_us: Figure
    answer_ms: Figure  # from the last byte to the end of the Ack
    report_bytes: Figure
    min_mv: Figure


@dataclass(frozen=True, slots=True)
class Battery(_Entry):
    """A battery, how much of it a node can use, and how old it gets whatever is drawn from it."""

    FOLDER = "batteries"
    capacity_mah: Figure
    usable_percent: Figure
    shelf_years: Figure


def names(folder: str) -> list[str]:
    """What the table has of "boards", "sensors", "radios" or "batteries"."""
    return sorted(file.stem for file in (HERE / folder).glob("*.toml"))
