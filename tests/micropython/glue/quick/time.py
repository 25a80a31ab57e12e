"""`time` of a board on which nobody waits: it passes when somebody sleeps, and a little when somebody looks.

A file takes it from one wake to the next.
"""

_FILE, _BEGIN_NS, _LOOK_NS, _PERIOD = "time.ns", 1_790_000_000_000_000_000, 20_000, 1 << 30


def _kept():
    try:
        with open(_FILE) as file:
            return int(file.read())
    except OSError:
        return _BEGIN_NS


_now_ns = _kept()


def sleep_us(us):
    global _now_ns
    _now_ns += us * 1000


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1_000_000))


def time_ns():
    global _now_ns
    _now_ns += _LOOK_NS
    return _now_ns


def ticks_us():
    return time_ns() // 1000 % _PERIOD


def ticks_ms():
    return time_ns() // 1_000_000 % _PERIOD


def ticks_add(ticks, delta):
    return (ticks + delta) % _PERIOD


def ticks_diff(end, start):
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def keep(ms):
    """Into the file, so much later."""
    with open(_FILE, "w") as file:
        file.write(str(_now_ns + ms * 1_000_000))
