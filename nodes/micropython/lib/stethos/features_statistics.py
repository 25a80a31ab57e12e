"""Feature set 1: mean, standard deviation and peak-to-peak of each channel."""

from .fixed import root


def compute(samples, n, channels):
    out = []
    for channel in range(channels):
        total = squares = 0
        low = high = samples[channel]
        for i in range(channel, n * channels, channels):
            x = samples[i]
            total += x
            squares += x * x
            if x < low:
                low = x
            elif x > high:
                high = x
        variance = n * squares - total * total
        out += ((16 * total + n // 2) // n, root(256 * variance // (n * n)), 16 * (high - low))
    return out
