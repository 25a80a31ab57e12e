"""Feature set 5: energies in the principal directions of a vibration, and how fast it changes there."""

from .features_directions import AXES, directions, means, products


def _vectors(samples, n, channels, first, levels):
    """Samples less `levels`, one after the other, in the same list; without levels, less the sample before."""
    out = [0] * AXES
    before = 0 if levels else channels
    axes = min(channels - first, AXES)
    for at in range(first + before, n * channels, channels):
        for axis in range(axes):
            x = 16 * samples[at + axis]
            out[axis] = x - (levels[axis] if levels else 16 * samples[at + axis - before])
        yield out


def compute(samples, n, channels):
    out = []
    for first in range(0, channels, AXES):
        levels = means(samples, n, channels, first)
        axes = len(levels)
        # A twelfth of a step's square is added for each vector, for having been rounded.
        sums = products(_vectors(samples, n, channels, first, levels))
        energies = directions(sums, n, axes, 64 * n // 3)
        sums = products(_vectors(samples, n, channels, first, None))
        changes = directions(sums, n - 1, axes, 64 * (n - 1) // 3)
        out += energies
        out += [change - energy for change, energy in zip(changes, energies)]
    return out
