"""`python -m tests.bench.node [GROUP ...]`: the figures of the node in C, into build/figures.json. About a minute.

Deterministic: instructions are counted by QEMU, sizes read from the linker's map. All come from one build with one set
of flags (nodes/c_tflm/make/qemu.mk) for a Cortex-M4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from tests.bench import groups, node_battery, node_core, node_exact, node_network, node_parts
from tests.bench.figures import Figure

Found = Mapping[str, Figure]

GROUPS: Mapping[str, Callable[[], Found]] = {
    "network": node_network.figures,
    "parts": node_parts.figures,
    "core": node_core.figures,
    "battery": node_battery.figures,
    "exact": node_exact.figures,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns 1 if a group came to nothing; the others are run all the same."""
    return groups.run("tests.bench.node", __doc__, GROUPS, arguments)


if __name__ == "__main__":
    sys.exit(main())
