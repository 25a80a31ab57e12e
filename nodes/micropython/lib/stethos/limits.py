"""Fixed limits of slow sensors, as temperature and humidity: nodes/wire/SPEC.md, "Slow sensors"."""

from . import score

_ABOVE, _BELOW = 2, 3


def judge(limits, samples, n, channels):
    """(why, score) of one window, (0, 0) within the limits: the channel that is farthest out, of several the first.

    limits: (low, high) of each channel, in the unit of the samples; None where there is none.
    """
    found = 0, 0
    for channel in range(channels):
        low, high = limits[channel]
        places = range(channel, n * channels, channels)
        why, beyond = _ABOVE, 0 if high is None else max(samples[i] for i in places) - high
        if beyond <= 0:
            why, beyond = _BELOW, 0 if low is None else low - min(samples[i] for i in places)
        if beyond > 0 and score.encode(beyond + 1, 1) > found[1]:
            found = why, score.encode(beyond + 1, 1)
    return found
