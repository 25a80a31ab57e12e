"""Sends reports on schedule, and gathers the answers raw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tests.bench.carriers import Carrier, Report

SLOT_S = 0.004
LONGEST_BURST_S = 0.005


@dataclass(slots=True)
class Sent:
    """One run of load. Times are of CLOCK_MONOTONIC."""

    reports: int = 0
    began_s: float = 0
    ended_s: float = 0
    last_answer_s: float = 0
    answers: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Reports a second, as they really went out."""
        return self.reports / (self.ended_s - self.began_s)


def send(
    carrier: Carrier, reports: Iterable[Report], rate: float, seconds: float, *, linger_s: float = 1.0,
    answered: Callable[[list[bytes]], None] | None = None,
) -> Sent:  # fmt: skip
    """`rate` reports a second for so long, in bursts of what 5 ms bring at most, then `linger_s` of listening. Answers
    are kept as they are, or handed to `answered` as they come.
    """
    sent = Sent()
    take = answered or sent.answers.extend
    total, burst = round(rate * seconds), max(1, round(rate * LONGEST_BURST_S))
    source: Iterator[Report] = iter(reports)
    sent.began_s = now_s = time.monotonic()

    def listen() -> None:
        if found := carrier.answers():
            sent.last_answer_s = time.monotonic()
            take(found)

    while sent.reports < total:
        due = min(total, int((now_s - sent.began_s) * rate)) - sent.reports
        if due > 0:
            batch = list(islice(source, min(due, burst)))
            carrier.send(batch)
            sent.reports += len(batch)
        listen()
        behind = due > burst
        wake_s = now_s if behind else now_s + SLOT_S
        time.sleep(max(0.0, wake_s - time.monotonic()))
        now_s = time.monotonic()
    sent.ended_s = time.monotonic()
    while time.monotonic() < sent.ended_s + linger_s:
        listen()
        time.sleep(SLOT_S)
    return sent
