"""Which numbers of one direction under one key have been seen: the newest and the 64 below it."""

from micropython import const

_WIDTH = const(64)


class Replay:
    """`newest` is -1 while nothing was seen. Bit i of `below`: newest - 1 - i was seen."""

    def __init__(self, newest=-1, below=0):
        self.newest = newest
        self.below = below

    def accept(self, number):
        """True, and marked as seen, if it never was; False if it was or is too old to tell."""
        by = number - self.newest
        if by > 0:
            seen = self.newest >= 0
            self.below = (self.below << by | seen << by - 1) & (1 << _WIDTH) - 1 if by <= _WIDTH else 0
            self.newest = number
            return True
        bit = 1 << -by - 1 if -_WIDTH <= by < 0 else 0
        if not bit or self.below & bit:
            return False
        self.below |= bit
        return True


def replay_from(unused):
    """All numbers below `unused` count as seen."""
    return Replay(unused - 1, (1 << _WIDTH) - 1) if unused else Replay()
