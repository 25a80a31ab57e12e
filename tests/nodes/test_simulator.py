"""The simulator: its faults show where physics says, it is deterministic, and its sensors are sensors."""

import numpy as np
import pytest

from gateway.detectors.feature_sets import STATISTICS
from gateway.training import features
from tests.nodes.samples import Source

AT = 100.0  # when the faults here begin
X, Y, Z = 0, 1, 2  # radial, radial, axial
MEAN, DEVIATION, PEAK = 0, 1, 2


def windows(spec, times, n=256, seed=4):
    """Feature set 1 of windows at those times: [windows, channels, 3]."""
    with Source(spec, seed) as source:
        return np.array([features.statistics(source.read(t, n)).reshape(-1, 3) for t in times])


def rise(spec, n=256, seed=4, before=range(0, 90, 5), after=range(110, 200, 5)):
    """Mean feature after the fault divided by the mean before: [channels, 3]."""
    return windows(spec, after, n, seed).mean(axis=0) / windows(spec, before, n, seed).mean(axis=0)


def spectrum(spec, time, n=1024, seed=4):
    """Amplitude spectra [channels, bins] of one window, and the frequency of each bin."""
    with Source(spec, seed) as source:
        x = source.read(time, n).astype(float)
        rate_hz = source.rate_millihz / 1000
    return np.abs(np.fft.rfft((x - x.mean(axis=0)) * np.hanning(n)[:, None], axis=0)).T, np.fft.rfftfreq(n, 1 / rate_hz)


def amplitude(spec, time, hz):
    found, bins = spectrum(spec, time)
    return found[:, np.abs(bins - hz) < 1.0].max(axis=1)


PLANTS = {"motor": (200_000, 6), "pump": (400_000, 3), "room": (1000, 2)}
FAULTS = {
    "motor": ["imbalance", "misalignment", "looseness", "moved", "stuck", "saturated"],
    "pump": ["imbalance", "misalignment", "looseness", "cavitation", "blockage", "leak", "moved", "stuck", "saturated"],
    "room": ["heating", "door", "leak", "stuck"],
}


@pytest.mark.parametrize("plant", PLANTS)
def test_each_plant_has_its_rate_and_channels(plant):
    with Source(f"sim:{plant}") as source:
        assert (source.rate_millihz, source.channels) == PLANTS[plant]


@pytest.mark.parametrize("spec", [f"sim:{plant}?fault={fault}&at=1" for plant in FAULTS for fault in FAULTS[plant]])
def test_the_same_specification_and_seed_give_the_same_samples(spec):
    with Source(spec, 9) as one, Source(spec, 9) as other, Source(spec, 10) as neighbour:
        there = one.read(7.0, 64)
        one.read(3.0, 32)
        assert np.array_equal(one.read(7.0, 64), there)  # whatever was read before
        assert np.array_equal(other.read(7.0, 64), there)
        assert not np.array_equal(neighbour.read(7.0, 64), there)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_fault_changes_nothing_before_it_begins(plant):
    for fault in FAULTS[plant]:
        with Source(f"sim:{plant}") as healthy, Source(f"sim:{plant}?fault={fault}&at={AT}") as faulty:
            assert np.array_equal(healthy.read(20, 64), faulty.read(20, 64))
            assert not np.array_equal(healthy.read(150, 64), faulty.read(150, 64))


@pytest.mark.parametrize("seed", range(1, 8))
@pytest.mark.parametrize("plant", PLANTS)
def test_a_healthy_sensor_is_neither_stuck_nor_saturated(plant, seed):
    with Source(f"sim:{plant}", seed) as source:
        for hour in range(24):
            assert features.sensor_fault(STATISTICS, source.read(3600.0 * hour, 32)) == 0


@pytest.mark.parametrize("plant", PLANTS)
def test_a_stuck_sensor_is_called_stuck(plant):
    with Source(f"sim:{plant}?fault=stuck&at={AT}") as source:
        assert features.sensor_fault(STATISTICS, source.read(150, 128)) == features.STUCK


@pytest.mark.parametrize("plant", ["motor", "pump"])
def test_a_saturated_sensor_is_called_saturated(plant):
    with Source(f"sim:{plant}?fault=saturated&at={AT}") as source:
        assert features.sensor_fault(STATISTICS, source.read(150, 128)) == features.SATURATED


@pytest.mark.parametrize("plant", ["motor", "pump"])
def test_a_healthy_machine_stays_as_it_is(plant):
    change = rise(f"sim:{plant}")[:, DEVIATION]
    assert np.all(np.abs(change - 1) < 0.05)


@pytest.mark.parametrize("plant", ["motor", "pump"])
def test_imbalance_shakes_radially_at_the_speed(plant):
    spec = f"sim:{plant}?fault=imbalance&at={AT}"
    change = rise(spec)[:, DEVIATION]
    assert change[X] > 3
    assert change[Y] > 3
    assert abs(change[Z] - 1) < 0.2
    once = 1480 / 60
    assert np.all(amplitude(spec, 150, once)[:2] > 4 * amplitude(spec, 50, once)[:2])
    assert np.all(amplitude(spec, 150, 2 * once)[:2] < 1.5 * amplitude(spec, 50, 2 * once)[:2])


def test_imbalance_grows_with_the_square_of_the_speed():
    slow, fast = (
        windows(f"sim:motor?fault=imbalance&severity=2&speed={rpm}", range(0, 50, 5))[:, X, DEVIATION].mean()
        for rpm in (740, 1480)
    )
    assert 3.4 < fast / slow < 4.4  # 4, less the noise and what the low-pass takes from the faster


@pytest.mark.parametrize("plant", ["motor", "pump"])
def test_misalignment_shakes_axially_and_at_twice_the_speed(plant):
    spec = f"sim:{plant}?fault=misalignment&at={AT}"
    assert rise(spec)[Z, DEVIATION] > 3
    twice = 2 * 1480 / 60
    assert np.all(amplitude(spec, 150, twice)[:3] > 4 * amplitude(spec, 50, twice)[:3])


@pytest.mark.parametrize("plant", ["motor", "pump"])
def test_looseness_gives_half_orders_and_impacts(plant):
    spec = f"sim:{plant}?fault=looseness&at={AT}"
    half = 0.5 * 1480 / 60
    assert np.all(amplitude(spec, 150, half)[:2] > 10 * amplitude(spec, 50, half)[:2])
    crest = (
        windows(spec, range(110, 200, 5))[:, Y, PEAK].mean() / windows(spec, range(110, 200, 5))[:, Y, DEVIATION].mean()
    )
    imbalanced = windows(f"sim:{plant}?fault=imbalance", range(110, 200, 5))[:, Y]
    assert crest > 1.4 * imbalanced[:, PEAK].mean() / imbalanced[:, DEVIATION].mean()


def test_cavitation_is_broadband_on_every_axis():
    spec = f"sim:pump?fault=cavitation&at={AT}"
    assert np.all(rise(spec)[:, DEVIATION] > 3)
    healthy, bins = spectrum(spec, 50)
    faulty, _ = spectrum(spec, 150)
    between_tones = (np.abs(bins - 35) < 4) | (np.abs(bins - 85) < 4) | (np.abs(bins - 160) < 8)
    assert np.all(np.median(faulty[:, between_tones], axis=1) > 3 * np.median(healthy[:, between_tones], axis=1))


def test_blockage_raises_the_vanes_tone_and_a_leak_lowers_it():
    vanes = 5 * 1480 / 60
    for fault, low, high in (("blockage", 2.0, 6.0), ("leak", 0.1, 0.8)):
        healthy, bins = spectrum("sim:pump", 150)
        faulty, _ = spectrum(f"sim:pump?fault={fault}", 150)
        near = np.abs(bins - vanes) < 3  # the speed changes by a percent
        ratio = faulty[X, near].max() / healthy[X, near].max()
        assert low < ratio < high, fault


def test_a_moved_node_sees_gravity_elsewhere_and_the_same_machine():
    change = windows(f"sim:motor?fault=moved&at={AT}", [150])[0] - windows("sim:motor", [150])[0]
    assert abs(change[X, MEAN]) / 16 > 5000  # of 16384 per g
    still = windows("sim:motor", [150])[0][:3, DEVIATION]
    moved = windows(f"sim:motor?fault=moved&at={AT}", [150])[0][:3, DEVIATION]
    assert np.isclose(np.sum(moved.astype(float) ** 2), np.sum(still.astype(float) ** 2), rtol=0.02)


def test_a_ramp_leads_from_healthy_to_faulty():
    steps = windows("sim:motor?fault=imbalance&at=100&ramp=100", range(90, 240, 10))[:, X, DEVIATION]
    assert np.all(np.diff(steps[1:12]) > 0)
    assert abs(steps[-1] / steps[-3] - 1) < 0.05
    half = windows("sim:motor?fault=imbalance&severity=0.5", [300])[0, X, DEVIATION]
    assert steps[-1] > 1.5 * half


def test_what_lies_above_half_the_rate_comes_back_below_it():
    """5 vanes at 2500 rpm: 208.3 Hz, sampled at 400 Hz, appears at 191.7 Hz."""
    found, bins = spectrum("sim:pump?speed=2500&fault=blockage&severity=3", 10)
    near = np.abs(bins - (400 - 208.3 * 1.03)) < 6
    assert found[X, near].max() > 5 * np.median(found[X, bins > 150])


def test_the_chip_damps_what_comes_near_its_bandwidth():
    """91.7 Hz instead of 25 Hz through two poles at 94 Hz: about 0.72 of the force's growth is left."""
    slow, fast = (
        windows(f"sim:motor?fault=imbalance&speed={rpm}", range(0, 50, 5))[:, X, DEVIATION].mean()
        for rpm in (1500, 5500)
    )
    growth = (5500 / 1500) ** 2
    assert 0.65 * growth < fast / slow < 0.8 * growth


def room(spec, hours, seed=4):
    with Source(spec, seed) as source:
        return np.array([source.read(3600.0 * h, 60).mean(axis=0) for h in hours]) / 100


def test_a_room_has_a_day_and_a_night():
    celsius, humidity = room("sim:room?hour=0", range(24)).T
    assert 1.5 < celsius[10:18].mean() - celsius[0:5].mean() < 3.5
    assert np.all((humidity > 25) & (humidity < 65))
    again = room("sim:room?hour=0", range(24, 48))[:, 0]
    assert np.all(np.abs(again - celsius) < 0.6)


def test_a_room_without_heating_cools_as_newton_says():
    celsius = room("sim:room?fault=heating&at=3600&hour=15", [0.9, 2, 5, 9, 13])[:, 0]
    assert np.all(np.diff(celsius) < 0)
    assert celsius[0] - celsius[2] > 6
    assert celsius[3] - celsius[4] < celsius[1] - celsius[2]  # slower and slower


def test_an_open_door_cools_within_minutes_and_lets_vapour_out():
    before, after = room("sim:room?fault=door&at=3600", [0.9, 1.5])
    healthy = room("sim:room", [1.5])[0]
    assert before[0] - after[0] > 5
    assert abs(healthy[0] - before[0]) < 1
    assert after[1] > healthy[1]  # less vapour, but colder still


def test_a_leak_in_a_room_is_damp_not_cold():
    healthy, leaking = (room(f"sim:room?fault={fault}&at=3600", [4])[0] for fault in ("none", "leak"))
    assert leaking[1] > healthy[1] + 15
    assert abs(leaking[0] - healthy[0]) < 0.1


REFUSED = {
    "sim:fan": "'fan' is none of motor, pump, room",
    "sim:motor?fault=cavitation": "motor cannot have fault=cavitation",
    "sim:room?speed=100": "room cannot have speed=100",
    "sim:motor?at=soon": "motor cannot have at=soon",
    "sim:motor?at=-1": "motor cannot have at=-1",
    "sim:motor?colour=red": "motor cannot have colour=red",
    "sim:motor?fault": "name=value",
    "motor": "expected file:... or sim:...",
    "serial:motor": "expected file:... or sim:...",
    "file:/nowhere/at/all": "cannot be opened",
}


@pytest.mark.parametrize("spec", REFUSED)
def test_a_source_that_cannot_be_is_refused_in_words(spec):
    with pytest.raises(ValueError, match=r"source|simulator|recording") as refusal:
        Source(spec)
    assert REFUSED[spec] in str(refusal.value)


def recording(path, samples, rate_millihz=100_000, unit="16384/g"):
    header = f"stethos-samples 1 channels={samples.shape[1]} rate_millihz={rate_millihz} unit={unit}\n"
    path.write_bytes(header.encode() + samples.astype("<i2").tobytes())
    return f"file:{path}"


def test_a_recording_is_played_where_time_stands(tmp_path):
    samples = np.arange(3000, dtype=np.int16).reshape(1000, 3)
    with Source(recording(tmp_path / "a.samples", samples)) as source:
        assert (source.rate_millihz, source.channels) == (100_000, 3)
        assert np.array_equal(source.read(0, 64), samples[:64])
        assert np.array_equal(source.read(2.5, 64), samples[250:314])  # the node slept in between
        assert np.array_equal(source.read(2.5, 64, channels=2), samples[250:314, :2])
        assert np.array_equal(source.read(9.36, 64), samples[936:])
        for late in (9.37, 10.0, 1e6, 1e13):
            with pytest.raises(IndexError, match="-1"):
                source.read(late, 64)
        with pytest.raises(IndexError, match="-2"):
            source.read(0, 64, channels=4)


def test_a_recording_can_be_played_window_after_window(tmp_path):
    samples = np.arange(-150, 150, dtype=np.int16)[:, None]
    with Source(recording(tmp_path / "b.samples", samples) + "?contiguous=1") as source:
        played = [source.read(1000.0 * i, 100) for i in range(3)]
        assert np.array_equal(np.concatenate(played), samples)
        with pytest.raises(IndexError, match="-1"):
            source.read(0, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"stethos-samples 1 channels=3 rate_millihz=100000 unit=16384/g",
        b"stethos-samples 2 channels=3 rate_millihz=100000 unit=1\n\0\0",
        b"stethos-samples 1 channels=0 rate_millihz=100000 unit=1\n\0\0",
        b"stethos-samples 1 channels=10 rate_millihz=100000 unit=1\n\0\0",
        b"stethos-samples 1 channels=3 rate_millihz=0 unit=1\n\0\0",
        b"\x7fELF" + b"\0" * 400,
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path, content):
    path = tmp_path / "c.samples"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not begin with"):
        Source(f"file:{path}")
