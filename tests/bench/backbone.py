"""`python -m tests.bench.backbone [GROUP ...]`: the figures of the spine, into build/figures.json.

Each group can be run alone; without any, all are run, which takes about two hours. `--short` shows in minutes that a
group works. Figures of a run that was not the full one say so.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from tests.bench import footprint, groups, ingest, latency, start
from tests.bench.figures import NOT_FULL, Figure, merge, read
from tests.bench.processes import GatewayEnded
from tests.bench.progress import say

Found = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Durations:
    """How long each group takes."""

    probe_s: float = 8.0
    ingest_s: float = 60.0
    stages_s: float = 20.0
    latency_s: float = 60.0
    steady_s: float = 600.0
    run_in_s: float = 1500.0
    soak_s: float = 1200.0
    entries: int = 1_000_000
    kills: int = 100


FULL = Durations()
CALM, UNKNOWN = 0.8, 1000.0  # of the sustained rate; reports a second where it is not known
SHORT = Durations(2, 4, 4, 10, 10, 12, 20, 5000, 2)


async def _ingest(link: str, long: Durations) -> Found:
    return await ingest.highest(link, probe_s=long.probe_s, seconds=long.ingest_s)


async def _stages(long: Durations) -> Found:
    """Well below the rate that is sustained, if that is known already: a profiler takes its part."""
    sustained = read().get("ingest_reports_per_s_udp")
    return await ingest.stages(CALM * sustained.value if sustained else UNKNOWN, long.stages_s)


async def _starts() -> Found:
    return {**await start.after_stop(100), **await start.after_stop(1000)}


async def _soak(long: Durations) -> Found:
    return await footprint.soak(steady_s=long.steady_s, run_in_s=long.run_in_s, seconds=long.soak_s)


GROUPS: Mapping[str, Callable[[Durations], Coroutine[None, None, Found]]] = {
    "ingest-udp": lambda long: _ingest("udp", long),
    "ingest-mqtt": lambda long: _ingest("mqtt", long),
    "stages": _stages,
    "latency": lambda long: latency.alarm(seconds=long.latency_s),
    "start": lambda _: _starts(),
    "recovery": lambda long: start.after_kill(entries=long.entries),
    "memory": lambda long: footprint.memory(100, seconds=long.steady_s),
    "cost": lambda long: footprint.cost_ratio(10, 10_000, seconds=long.steady_s),
    "soak": _soak,
}
"""What is measured here."""

FAULTS: Mapping[str, Callable[[Durations], Sequence[str]]] = {
    "kill9": lambda long: ("--runs", str(long.kills)),
    "powerloss": lambda _: (),
    "outage": lambda _: (),
    "disk": lambda _: (),
}
"""What `python -m tests.faults` finds out, and puts into the same file by itself; its further arguments."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns 1 if a group came to nothing; the others are run all the same."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no process is left behind
    given = {field.name: value for field in fields(Durations) if (value := getattr(options, field.name)) is not None}
    long = replace(SHORT if options.short else FULL, **given)

    def measured(group: str) -> bool:
        return _ours(group, long) if group in GROUPS else _faults(group, long)

    return groups.each(options.group or [*GROUPS, *FAULTS], measured)


def _ours(group: str, long: Durations) -> bool:
    try:
        found = asyncio.run(GROUPS[group](long))
    except (RuntimeError, OSError, AssertionError, GatewayEnded) as error:  # TimeoutError is an OSError
        say(f"{group}: {error}")
        return False
    if long != FULL:
        found = {key: replace(figure, how=NOT_FULL + figure.how) for key, figure in found.items()}
    merge(found)
    return True


def _faults(group: str, long: Durations) -> bool:
    command = [sys.executable, "-m", "tests.faults", group, *FAULTS[group](long)]
    return subprocess.run(command, check=False).returncode == 0


def _parser() -> argparse.ArgumentParser:
    parser = groups.parser("tests.bench.backbone", __doc__, [*GROUPS, *FAULTS])
    parser.add_argument("--short", action="store_true", help="try the bench, in minutes")
    for field in fields(Durations):
        default = getattr(FULL, field.name)
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(default), metavar="N", help=f"default {default:g}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
