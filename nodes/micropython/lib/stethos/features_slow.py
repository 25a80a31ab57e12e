"""Feature set 3: level, slope and spread of what changes slowly."""


def _ranked(samples, places, rank):
    """The sample of that rank, 0 being the lowest, by halving where it may lie: sorting would take a copy."""
    low, high = -32768, 32767
    while low < high:
        middle = (low + high) // 2
        if sum(samples[i] <= middle for i in places) > rank:
            high = middle
        else:
            low = middle + 1
    return low


def compute(samples, n, channels):
    out = []
    quarter = n // 4
    for channel in range(channels):
        places = range(channel, n * channels, channels)
        level = (16 * sum(samples[i] for i in places[n - quarter :]) + quarter // 2) // quarter
        moment = sum((2 * i - n + 1) * samples[places[i]] for i in range(n))
        rise = 96 * abs(moment) // (n * n - 1)
        spread = _ranked(samples, places, n - 1 - quarter) - _ranked(samples, places, quarter)
        out += (level, rise if moment >= 0 else -rise, 16 * spread)
    return out
