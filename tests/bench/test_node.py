"""The node's bench: what it counts is so, comes out the same each time, and keeps what is promised at the most."""

import pytest

from tests.bench import node_battery, node_core, node_network, node_parts
from tests.bench.node_runs import built, measured, window
from tests.bench.page import NODE
from tests.nodes.qemu.emulator import PROCESSORS, why_not

pytestmark = [
    pytest.mark.skipif(bool(why_not(PROCESSORS["cortex-m4"])), reason=why_not(PROCESSORS["cortex-m4"])),
    pytest.mark.timeout(300),
]

AT_MOST = {
    "direct_instructions": 4000,
    "direct_flash_bytes": 3072,
    "direct_ram_bytes": 256,
    "ad01_instructions_per_mac": 3,
    "worst_stack_bytes": 2560,
}


@pytest.fixture(scope="module")
def figures():
    parts = (node_network, node_parts, node_core, node_battery)
    return {key: figure for part in parts for key, figure in part.figures().items()}


def test_the_figures_are_those_of_the_page(figures):
    apart = {key for key in NODE if key.startswith(("exact_", "tflm_"))} | {"ad01_instructions_per_mac"}
    assert set(NODE) - apart <= set(figures) <= set(NODE)
    assert all(figure.value > 0 for figure in figures.values())


@pytest.mark.parametrize("key", AT_MOST)
def test_a_figure_keeps_to_what_is_promised(figures, key):
    if key not in figures:
        pytest.skip(f"{key}: recorded data is expected in ../shared/data")
    assert figures[key].value <= AT_MOST[key]


def test_counting_is_the_same_each_time():
    program, files = built("bench_features"), {"window.bin": window().tobytes()}
    assert measured(program, files).numbers == measured(program, files).numbers


def test_more_samples_to_look_through_are_more_instructions(figures):
    """128 x 6 samples, of which each takes a few instructions and no more than fifty."""
    assert 2 * 128 * 6 < figures["features_instructions"].value < 50 * 128 * 6
    assert figures["sensor_fault_instructions"].value > 2 * 128 * 6


def test_a_sensor_that_draws_less_lasts_longer(figures):
    def years(every, sensor, link):
        return figures[f"battery_years_{every}_{sensor}_{link}"].value

    assert years("60s", "lis2dw12", "lpuart") > 5 * years("60s", "mpu6050", "lpuart")
    assert years("60s", "lis2dw12", "lpuart") > years("60s", "lis2dw12", "ble")
    assert years("60s", "mpu6050", "ble") > years("10s", "mpu6050", "ble")
