"""What sensors/__init__.py promises, held to every file of that folder. For CPython and MicroPython."""

import gc
import os
from array import array

import sensors
from sensors import NO_ANSWER, OVERRUN, NoAnswerError, SelfTestError, WrongChipError, window

from sensor_bench import BENCHES, benches, frames_of, raised


def test_every_driver_is_at_a_bench():
    folder = sensors.__file__[: -len("/__init__.py")]
    drivers = set()
    for name in os.listdir(folder):
        if name.endswith(".py"):
            with open(folder + "/" + name) as file:
                if "\nclass Sensor(" in file.read():
                    drivers.add(name[:-3])
    assert drivers == set(BENCHES), drivers


def test_it_says_what_it_measures():
    for name, bench in benches():
        sensor = bench.sensor
        assert len(sensor.units) == sensor.channels, name
        assert 1 <= sensor.channels <= 9, name


def test_a_chip_that_is_well_is_found_well():
    for name, bench in benches():
        bench.sensor.check()
        if bench.chip is not None and hasattr(bench.chip, "signal"):
            bench.chip.signal = lambda seconds: (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
        assert bench.sensor.self_test() == (bench.weaken is not None), name
        assert bench.asleep(), name


def test_a_weak_chip_fails_its_self_test_and_sleeps():
    for name, bench in benches():
        if bench.weaken:
            bench.chip.signal = lambda seconds: (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
            bench.weaken()
            assert raised(SelfTestError, bench.sensor.self_test).why == NO_ANSWER, name
            assert bench.asleep(), name


def test_another_chip_is_not_taken_for_this_one():
    for _, bench in benches():
        if bench.replace:
            bench.replace()
            assert raised(WrongChipError, bench.sensor.check).why == NO_ANSWER


def test_nobody_at_the_bus_is_no_answer():
    for _, bench in benches():
        if bench.unplug:
            bench.unplug()
            assert raised(NoAnswerError, bench.sensor.check).why == NO_ANSWER


def test_a_chip_that_is_pulled_out_while_it_samples_is_no_answer():
    for name, bench in benches():
        if bench.unplug and "microphone" not in name:  # what a microphone says then is silence
            bench.sensor.start(bench.rate_millihz)
            bench.clock.sleep_ms(bench.sensor.wait_ms(1))
            bench.unplug()
            raised(NoAnswerError, window, bench.sensor, bench.rate_millihz, frames_of(4, bench.sensor.channels))


def test_a_stuck_bus_is_no_answer():
    for _, bench in benches():
        if hasattr(bench.bus, "stuck"):
            bench.bus.stuck = True
            raised(NoAnswerError, bench.sensor.check)


def test_a_window_is_filled_from_sleep_to_sleep():
    for name, bench in benches():
        for count in (1, 33, 64):
            out = frames_of(count, bench.sensor.channels)
            assert window(bench.sensor, bench.rate_millihz, out) == 0, name
            assert bench.asleep(), name
            assert not bench.sensor.overrun and bench.sensor.saturated == 0, name
            assert any(out), name


def test_a_window_takes_the_time_that_its_rate_says():
    for name, bench in benches():
        sensor = bench.sensor
        rate = sensor.start(bench.rate_millihz)
        assert rate >= bench.rate_millihz * 95 // 100, (name, rate)
        assert sensor.rate_millihz == rate
        buffer = frames_of(1, sensor.channels)
        began, frames = bench.clock.now_us, 0
        while frames < 40:
            got = sensor.read(buffer)
            frames += got
            if not got:
                bench.clock.sleep_ms(1)
        took_ms = (bench.clock.now_us - began) // 1000
        due_ms = 40_000_000 // rate
        assert abs(took_ms - due_ms) <= due_ms // 10 + 800_000_000 // rate // 1000 + 20, (name, took_ms, due_ms)


def test_read_does_not_wait_and_touches_nothing_behind_its_frames():
    for name, bench in benches():
        sensor = bench.sensor
        sensor.start(bench.rate_millihz)
        out = array("h", [1234] * (3 * sensor.channels))
        before = bench.clock.now_us
        assert sensor.read(memoryview(out)[: sensor.channels - 1] if sensor.channels > 1 else out[:0]) == 0, name
        frames = sensor.read(out)
        assert bench.clock.now_us - before < 30_000, name
        assert all(value == 1234 for value in out[frames * sensor.channels :]), name


def test_a_small_buffer_loses_nothing():
    for name, bench in benches():
        if bench.sensor.most_frames < 30 or not hasattr(bench.chip, "signal"):
            continue
        sensor = bench.sensor
        rate_hz = bench.rate_millihz / 1000
        bench.chip.signal = lambda seconds, rate_hz=rate_hz: (seconds * rate_hz * 0.04 % 1.8 - 0.9, 0, 0, 0, 0, 0)
        sensor.start(bench.rate_millihz)
        bench.clock.sleep_ms(25_000_000 // sensor.rate_millihz)
        one, values = frames_of(1, sensor.channels), []
        for _ in range(20):
            assert sensor.read(one) == 1
            values.append(one[0])
        steps = [b - a for a, b in zip(values, values[1:]) if b > a]  # noqa: RUF007
        assert min(steps) > 500 and max(steps) < 800, (name, values)  # 40 mg a frame: none twice, none left out
        assert len(steps) >= 18, name


def test_a_window_has_every_frame_once_in_order_and_every_channel_at_its_place():
    for name, bench in benches():
        if not hasattr(bench.chip, "signal"):
            continue
        sensor = bench.sensor
        rate_hz = bench.rate_millihz / 1000
        paces = (0.04, 0.03, 0.02, 5.0, 4.0, 3.0)

        def ramps(seconds, rate_hz=rate_hz, paces=paces):
            return tuple(seconds * rate_hz * pace % (40 * pace) - 20 * pace for pace in paces)

        bench.chip.signal = ramps
        out = frames_of(300, sensor.channels)
        assert window(sensor, bench.rate_millihz, out) == 0
        for channel in range(sensor.channels):
            per_unit = int(sensor.units[channel].split("/")[0])
            step = paces[channel] * per_unit
            for at in range(channel, len(out) - sensor.channels, sensor.channels):
                by = out[at + sensor.channels] - out[at]
                assert abs(by - step) < 70 or abs(by + 39 * step) < 70, (name, channel, at, by, step)


def test_who_comes_too_late_is_told_and_the_next_start_forgets_it():
    for name, bench in benches():
        sensor = bench.sensor
        sensor.start(bench.rate_millihz)
        out = frames_of(4, sensor.channels)
        sensor.read(out)
        bench.clock.sleep_ms((max(sensor.most_frames, 2) * 1_000_000 // sensor.rate_millihz) * 2 + 2000)
        for _ in range(3):
            sensor.read(out)
        assert sensor.overrun, name
        sensor.start(bench.rate_millihz)
        assert not sensor.overrun, name
        bench.clock.sleep_ms(sensor.wait_ms(1) + 2)
        sensor.read(out)
        bench.clock.sleep_ms(sensor.wait_ms(1) + 2)
        sensor.read(out)
        assert not sensor.overrun, name


def test_a_window_with_frames_missing_says_so():
    for name, bench in benches():
        if "ds18b20" in name:
            continue
        clock = bench.clock
        sleep_ms, calls = clock.sleep_ms, []

        def overslept(ms, sleep_ms=sleep_ms, calls=calls):
            calls.append(ms)
            sleep_ms(ms + (3000 if len(calls) == 3 else 0))

        clock.sleep_ms = overslept
        out = frames_of(200, bench.sensor.channels)
        assert window(bench.sensor, bench.rate_millihz, out) == OVERRUN, (name, len(calls))
        assert bench.asleep(), name


def test_reading_leaves_little_on_the_heap():
    if not hasattr(gc, "mem_alloc"):
        return  # MicroPython can tell
    bench = BENCHES["lis3dh"][0]()
    sensor = bench.sensor
    sensor.start(bench.rate_millihz)
    bench.clock.sleep_ms(25_000_000 // sensor.rate_millihz)
    raw = bytearray(192)

    def canned(address, register, buffer):
        buffer[:] = b"\x14" if len(buffer) == 1 else memoryview(raw)[: len(buffer)]  # 20 frames are there

    bench.bus.readfrom_mem_into = canned
    out = memoryview(frames_of(32, 3))
    sensor.read(out)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    frames = sensor.read(out)
    left = gc.mem_alloc() - before
    gc.enable()
    assert frames == 20
    assert left <= 512, left


def test_a_chip_whose_clock_is_slow_is_waited_for():
    for name, bench in benches():
        if hasattr(bench.chip, "slow_ppm"):
            bench.chip.slow_ppm = 80_000
            assert window(bench.sensor, bench.rate_millihz, frames_of(100, bench.sensor.channels)) == 0, name


def test_a_chip_that_starts_anew_in_the_middle_of_a_window_is_found_out():
    for name, bench in benches():
        if not hasattr(bench.chip, "reset") or "ds18b20" in name:
            continue
        clock, chip = bench.clock, bench.chip
        sleep_ms, calls = clock.sleep_ms, []

        def glitch(ms, sleep_ms=sleep_ms, calls=calls, chip=chip):
            sleep_ms(ms)
            calls.append(ms)
            if len(calls) == 3:
                chip.reset()

        clock.sleep_ms = glitch
        raised(NoAnswerError, window, bench.sensor, bench.rate_millihz, frames_of(200, bench.sensor.channels))


def test_a_chip_that_never_samples_is_given_up():
    for name, bench in benches():
        if hasattr(bench.chip, "slow_ppm"):
            bench.chip.slow_ppm = 10**12
            raised(NoAnswerError, window, bench.sensor, bench.rate_millihz, frames_of(8, bench.sensor.channels))
            assert bench.asleep(), name
