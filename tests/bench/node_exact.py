"""exact_mismatches: outputs that differ between `direct`, on five processors, and the TFLite Micro wheel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figures import Figure
from tests.nodes.qemu import exact
from tests.nodes.qemu.emulator import PROCESSORS, make, why_not

NETWORKS = 1000


def figures() -> Mapping[str, Figure]:
    """AssertionError if a processor is missing here: the figure is one of all of them."""
    cases = [*exact.random_cases(NETWORKS, seed=20261121), *exact.published_cases()]
    parts = [exact.here(cases)]
    for processor in PROCESSORS.values():
        assert not (missing := why_not(processor)), missing
        program = make(f"{processor.name}/runner.elf") / processor.name / "runner.elf"
        with TemporaryDirectory() as folder:
            parts.append(exact.compare(processor, program, Path(folder), cases))
    found = exact.total(parts)
    named = ", ".join(sorted({case.name for case in cases if not case.name.startswith("random")}))
    how = (
        f"outputs of {NETWORKS} random networks and of {named or 'no published model'}, "
        f"by this computer and, in QEMU, {', '.join(PROCESSORS)}, each against the tflite-micro wheel"
    )
    return {
        "exact_mismatches": Figure(found.mismatches, "outputs", how),
        "exact_outputs_compared": Figure(found.outputs, "outputs", how),
    }
