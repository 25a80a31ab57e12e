"""What a person calls the features of each set, in the order of nodes/wire/SPEC.md."""

import pytest

from gateway.detectors import judged
from gateway.detectors.feature_sets import (
    INVARIANT,
    NAMES,
    PRINCIPAL,
    SLOW,
    STATISTICS,
    Kind,
    channels,
    kinds,
    named,
    size,
)


@pytest.mark.parametrize("feature_set", NAMES)
@pytest.mark.parametrize("n", range(1, 10))
def test_each_feature_has_a_name_of_its_own_and_levels_are_not_judged(feature_set: int, n: int) -> None:
    names = named(feature_set, n)
    assert len(set(names)) == len(names) == size(feature_set, n)
    assert channels(feature_set, len(names)) == n
    kept = [name for name, kind in zip(names, kinds(feature_set, n), strict=True) if kind is not Kind.LEVEL]
    assert judged.names(feature_set, n) == tuple(kept)
    assert len(kept) == judged.judged(feature_set, n, [[1] * len(names)]).shape[1]


def test_channels_are_called_as_they_are_or_by_their_number() -> None:
    assert named(STATISTICS, "xy") == ("mean x", "std x", "peak-to-peak x", "mean y", "std y", "peak-to-peak y")
    assert judged.names(SLOW, 2) == ("slope channel 1", "spread channel 1", "slope channel 2", "spread channel 2")


def test_features_of_a_sensor_say_of_which_where_there_are_several() -> None:
    assert named(INVARIANT, 3)[2:6] == ("direction 3", "crest", "kurtosis", "change")
    assert named(INVARIANT, 3)[-3:] == ("band 8", "spectral entropy", "size")
    assert named(PRINCIPAL, ["x", "y"]) == ("energy 1", "energy 2", "energy of change 1", "energy of change 2")
    both = named(PRINCIPAL, 4)
    assert both[1] == "energy 2 of sensor 1" and both[-2:] == ("energy 1 of sensor 2", "energy of change 1 of sensor 2")


def test_a_set_that_nobody_knows_has_no_names() -> None:
    assert channels(77, 3) == 0 and channels(INVARIANT, 15 + 2) == 0
    with pytest.raises(KeyError):
        named(77, 1)
