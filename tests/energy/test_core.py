"""gateway/energy/core.py: the table of instructions, and that the formula holds what it says."""

from __future__ import annotations

import pytest

from gateway.energy import EnergyUnknown, names
from gateway.energy.core import FOLDER, WINDOW, Core
from tests.bench import cores
from tests.nodes.qemu.emulator import PROCESSORS, why_not


def test_every_core_of_the_emulator_is_in_the_table() -> None:
    assert set(names(FOLDER)) == set(PROCESSORS) == set(cores.START)
    for name in names(FOLDER):
        core = Core.load(name)
        assert "GROUPS=cores" in core.measured and "QEMU" in core.assumed
        assert set(core.features) == {"statistics", "invariant", "slow", "principal"}
        assert set(core.learner) == {"learn", "detect"}
        assert core.board in names("boards") if core.board else len(core.no_board) > 10
        known = cores.ABOUT[name]
        assert (core.title, core.board, core.mhz) == (known.title, known.board, known.mhz)
        assert (core.cycles_per_instruction, core.assumed) == (known.cycles, known.assumed)
    with pytest.raises(EnergyUnknown, match="cortex-m7"):
        Core.load("cortex-m0")


def test_the_formula_is_what_it_says() -> None:
    core = Core.load("cortex-m4")
    n = core.network
    by_hand = n["once"] + 2 * n["layer"] + (4 + 3) * n["row"] + (5 * 4 + 4 * 3) * n["mac"]
    assert core.of_network((5, 4, 3)) == pytest.approx(by_hand)
    assert core.of_features("slow", 64, 3) == core.features["slow"] * 64 * 3 / WINDOW
    assert core.ms(80_000) == pytest.approx(1.3)


def test_fitting_finds_what_it_was_made_of() -> None:
    made = [10.0, 200.0, 20.0, 2.0]
    counts = {s: sum(a * b for a, b in zip(made, cores.terms(s), strict=True)) for s in cores.SHAPES}
    found, worst = cores.fitted(counts)
    assert found == pytest.approx(made) and worst < 1e-6


@pytest.mark.skipif(bool(why_not(PROCESSORS["cortex-m4"])), reason=why_not(PROCESSORS["cortex-m4"]) or "-")
def test_a_network_measured_again_is_within_the_error_that_is_stated() -> None:
    core, sizes = Core.load("cortex-m4"), (18, 12, 8, 12, 18)
    counted = cores.of_network("cortex-m4", sizes)
    assert abs(core.of_network(sizes) / counted - 1) <= core.worst_pct / 100 + 0.005
