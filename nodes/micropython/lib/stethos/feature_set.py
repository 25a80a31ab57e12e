"""Features of one window of samples: nodes/wire/SPEC.md, "Feature sets" and "Why".

Samples are an array of 16-bit numbers, interleaved: all channels of the first sample, then of the second.
"""

from micropython import const

STATISTICS, INVARIANT, SLOW, PRINCIPAL = 1, 2, 3, 5
_STUCK = const(4)
_SATURATED = const(5)


def _module(set_):
    """Loaded when it is first used: the others take no memory."""
    if set_ == STATISTICS:
        from . import features_statistics as module
    elif set_ == INVARIANT:
        from . import features_invariant as module
    elif set_ == SLOW:
        from . import features_slow as module
    elif set_ == PRINCIPAL:
        from . import features_principal as module
    else:
        raise ValueError(set_)
    return module


def compute(set_, samples, n, channels):
    """The features of a set, as a list. n in 32..1024, channels in 1..9. ValueError for a set that there is not."""
    return _module(set_).compute(samples, n, channels)


def size(set_, channels):
    """How many features a set gives for 1 to 9 channels."""
    if set_ == INVARIANT:
        return channels + 13 * ((channels + 2) // 3)
    return (2 if set_ == PRINCIPAL else 3) * channels


def sensor_fault(set_, samples, n, channels):
    """0, or the "why" code of the sensor fault that the samples show. A stuck channel is named before a saturated one,
    whichever comes first; slow readings may stand still.
    """
    fault = 0
    for channel in range(channels):
        first = samples[channel]
        stuck, at_limit = set_ != SLOW, 0
        for i in range(channel, n * channels, channels):
            x = samples[i]
            stuck = stuck and x == first
            at_limit += not -32768 < x < 32767
        if stuck:
            return _STUCK
        if 32 * at_limit >= n:
            fault = _SATURATED
    return fault
