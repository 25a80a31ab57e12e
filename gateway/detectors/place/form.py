"""What the rows of a place are made of, so that nothing is compared that is not of one kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass

from gateway.detectors.feature_sets import NAMES


@dataclass(frozen=True, slots=True)
class Form:
    """Features of a set, of windows of so many channels, samples of each, and samples a second; 0: nobody has said."""

    feature_set: int = 0
    channels: int = 0
    samples: int = 0
    rate_millihz: int = 0

    def known_with(self, other: Form) -> Form:
        """All that either of them says; where both do, what this one says."""
        return Form(*(ours or theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)))

    def unlike(self, other: Form) -> str:
        """What differs of what both say: "windows of 128 samples, not 256"; "" where nothing does."""
        return "; ".join(self._differences(other))

    def plain(self) -> dict[str, int]:
        """Its fields, for a state."""
        return asdict(self)

    def _differences(self, other: Form) -> Iterator[str]:
        if self.feature_set != other.feature_set and self.feature_set and other.feature_set:
            yield f"feature set {_set(self.feature_set)}, not {_set(other.feature_set)}"
        if self.channels != other.channels and self.channels and other.channels:
            yield f"{self.channels} channels, not {other.channels}"
        if self.samples != other.samples and self.samples and other.samples:
            yield f"windows of {self.samples} samples, not {other.samples}"
        if self.rate_millihz != other.rate_millihz and self.rate_millihz and other.rate_millihz:
            yield f"{self.rate_millihz / 1000:g} samples a second, not {other.rate_millihz / 1000:g}"


def _set(number: int) -> str:
    return NAMES.get(number, str(number))
