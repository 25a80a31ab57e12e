from gateway.runtime.clock import Clock

MS = 1_000_000
T0_MS = 1_760_000_000_000


class Times:
    """The system's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall_ms, self.monotonic_ms = T0_MS, 5_000

    def clock(self, not_before_ms: int = 0) -> Clock:
        return Clock(not_before_ms, lambda: self.wall_ms * MS, lambda: self.monotonic_ms * MS)

    def pass_ms(self, ms: int) -> None:
        self.wall_ms += ms
        self.monotonic_ms += ms


def test_it_is_the_systems_clock_as_long_as_that_goes_forward() -> None:
    times = Times()
    clock = times.clock()
    for step in (0, 1, 999, 86_400_000):
        times.pass_ms(step)
        assert clock.now_ms() == times.wall_ms
    times.wall_ms += 3_600_000  # set forward
    assert clock.now_ms() == times.wall_ms


def test_set_back_it_goes_on_slower_until_the_two_meet() -> None:
    times = Times()
    clock = times.clock()
    assert clock.now_ms() == T0_MS
    times.wall_ms -= 1000
    assert clock.now_ms() == T0_MS
    shown = [clock.now_ms()]
    for _ in range(99):
        times.pass_ms(100)
        shown.append(clock.now_ms())
        assert shown[-1] - shown[-2] == 90
    times.pass_ms(200)
    assert clock.now_ms() == times.wall_ms
    times.pass_ms(100)
    assert clock.now_ms() == times.wall_ms


def test_after_a_journal_of_the_future_deadlines_still_come() -> None:
    times = Times()
    clock = times.clock(T0_MS + 10**12)
    assert clock.now_ms() == T0_MS + 10**12
    times.pass_ms(10_000)
    assert clock.now_ms() == T0_MS + 10**12 + 9_000


def test_a_moment_of_receipt_is_counted_back_on_the_monotonic_clock() -> None:
    times = Times()
    clock = times.clock()
    received_ns = times.monotonic_ms * MS
    times.pass_ms(250)
    assert clock.now().of_receipt_ms(received_ns) == T0_MS
    assert clock.now().of_receipt_ms((times.monotonic_ms + 50) * MS) == times.wall_ms  # nobody receives in the future


def test_time_that_did_not_pass_is_told_as_a_leap() -> None:
    times = Times()
    clock = times.clock(T0_MS - 10**9)
    assert clock.now().leap_ms == 0  # at a start it is the journal that is old
    times.pass_ms(3_600_000)
    assert clock.now().leap_ms == 0
    times.wall_ms += 7_200_000
    times.pass_ms(50)
    assert clock.now().leap_ms == 7_200_000
    assert clock.now().leap_ms == 0
    times.wall_ms += 400  # as a clock is corrected
    assert clock.now().leap_ms == 0


def test_set_back_and_forward_again_only_what_was_gone_without_is_a_leap() -> None:
    times = Times()
    clock = times.clock()
    clock.now()
    times.wall_ms -= 3_600_000
    for _ in range(100):
        times.pass_ms(1000)
        assert clock.now().leap_ms == 0
    times.wall_ms += 3_600_000
    assert clock.now().leap_ms == 10_000  # the tenth by which it went slower
