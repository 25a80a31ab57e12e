"""What a place is told when it begins."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.detectors.place.normal import CHUNKS


@dataclass(frozen=True)
class Settings:
    """How a place learns and when it alarms; rows are counted, whatever their distance in time."""

    events: float = 1 / 2000
    """Wanted alarm events a row of normal data."""
    learn: int = 240
    """Rows to learn from; whole chunks of them are."""
    chunks: int = CHUNKS
    follow: float = 0.01
    """c of the tracking: the share of B that a mean may walk in as many rows as were learned; 0: it stands."""
    average: int | None = None
    """Rows that the exponential mean reaches back, before anything else; None: as is worthwhile."""
    quiet: int = 10
    """Rows below the threshold that end an alarm."""
