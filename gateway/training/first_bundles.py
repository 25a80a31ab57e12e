"""The first Bundles, made from the C node's simulator: `python -m gateway.training.first_bundles OUT`.

For each kind of simulated plant a Bundle for nodes and one for the gateway, pooled over several machines, calibrated on
others and checked on others again. What is learnt from a simulator says nothing about a real machine: these Bundles let
the demo and the tests run, and a real plant commissions its own.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.bundle import Bundle
from gateway.detectors.manifest import Channel, DataSource, channels_of
from gateway.training.commission import Normal, Purpose, host_bundle, level_features, node_bundle
from gateway.training.features import statistics
from gateway.training.simulator import NoSimulator, Simulation

_SUMMARY = "Make the first bundles from the C node's simulator."
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of simulated plant. `level_matters`: its mean features belong to its state, not to how the node lies."""

    name: str
    samples: int
    channels: tuple[Channel, ...]
    level_matters: bool = False


_ACCELERATION = channels_of("16384/g", "x", "y", "z")
_ROOM = (Channel(name="temperature", unit="100/degC"), Channel(name="humidity", unit="100/percent"))

KINDS = (
    Kind("motor", 128, (*_ACCELERATION, *channels_of("131.072/dps", "turn-x", "turn-y", "turn-z"))),
    Kind("pump", 128, _ACCELERATION),
    Kind("room", 32, _ROOM, level_matters=True),
)

# Seeds name machines; no machine is in two parts.
FIT_SEEDS, CALIBRATE_SEEDS, CHECK_SEEDS = range(1000, 1012), range(2000, 2010), range(3000, 3010)
_WINDOWS = 100  # of each machine, spread over a day


def windows(spec: str, seeds: Sequence[int], samples: int, count: int = _WINDOWS) -> NDArray[np.int64]:
    """Features [len(seeds) · count, n] of windows spread over a day of each machine."""
    rows = []
    for i, seed in enumerate(seeds):
        with Simulation(spec, seed) as machine:
            for k in range(count):
                time_us = (k * len(seeds) + i) * _DAY_US // (count * len(seeds))
                rows.append(statistics(machine.window(time_us, samples)))
    return np.array(rows, dtype=np.int64)


def normal_windows(kind: Kind) -> Normal:
    """Windows of healthy machines of this kind, in the three parts."""
    spec = f"sim:{kind.name}"
    parts = [windows(spec, seeds, kind.samples) for seeds in (FIT_SEEDS, CALIBRATE_SEEDS, CHECK_SEEDS)]
    digest = hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in parts)).hexdigest()
    seeds = ", ".join(f"{s[0]}-{s[-1]}" for s in (FIT_SEEDS, CALIBRATE_SEEDS, CHECK_SEEDS))
    source = DataSource(description=f"features of windows of {spec}, seeds {seeds}", sha256=digest)
    return Normal(parts[0], parts[1], parts[2], (source,))


def make(kind: Kind, out: Path) -> tuple[Bundle, Bundle]:
    """Write `<kind>-node` and `<kind>-host` into `out`. Raises NoSimulator."""
    normal = normal_windows(kind)
    left_out = frozenset[int]() if kind.level_matters else level_features(len(kind.channels))
    with Simulation(f"sim:{kind.name}", FIT_SEEDS[0]) as machine:
        rate_millihz = machine.rate_millihz

    def purpose(role: str) -> Purpose:
        return Purpose(
            f"{kind.name}-{role}", kind.channels, kind.samples, rate_millihz, "gateway.training.first_bundles", left_out
        )

    return (
        node_bundle(out / f"{kind.name}-node", purpose("node"), normal),
        host_bundle(out / f"{kind.name}-host", purpose("host"), normal),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the module. Exit code 69 (EX_UNAVAILABLE) where there is no simulator."""
    parser = argparse.ArgumentParser(prog="gateway.training.first_bundles", description=_SUMMARY)
    parser.add_argument("out", type=Path, help="folder to write the bundles into")
    options = parser.parse_args(arguments)
    try:
        for kind in KINDS:
            for bundle in make(kind, options.out):
                q = bundle.manifest.quality
                print(f"{bundle.folder}: {q.false_alarms} false alarms in {q.windows} windows of other machines")
    except NoSimulator as error:
        print(f"no bundles made: {error}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
