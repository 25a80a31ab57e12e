"""The level of sound, from the arithmetic to both kinds of microphone. For CPython and MicroPython."""

import math
from array import array

from sensors import NoAnswerError, window
from sensors.sound_level import Meter, level_cdb, octaves_q12

from sensor_bench import close, frames_of, make_adc_microphone, make_i2s_microphone, raised


def levels(bench, count=5):
    out = frames_of(count, 1)
    assert window(bench.sensor, 10_000, out) == 0
    return list(out)


def test_octaves_are_those_of_the_logarithm():
    for x in (1, 2, 3, 7, 1000, 65_535, 65_536, 12_345_678_901_234, (1 << 64) - 1, 1 << 80):
        close(octaves_q12(x), 4096 * math.log(x) / math.log(2), 1.01)
    assert octaves_q12(1) == 0 and octaves_q12(1 << 40) == 40 * 4096


def test_levels_of_known_signals():
    # A sine of full scale is 0 dB, a square wave of full scale 3.01 dB above it; the mean does not count.
    n = 4000
    for cdb in (0, -100, -2600, -6000):
        size = 32_767 * 10 ** (cdb / 2000)
        sine = [round(size * math.sin(2 * math.pi * 25 * i / n)) for i in range(n)]
        close(level_cdb(n, sum(sine), sum(v * v for v in sine)), cdb, 3)
        moved = [v // 2 + 9000 for v in sine]
        close(level_cdb(n, sum(moved), sum(v * v for v in moved)), cdb - 602, 3)
    close(level_cdb(2, 0, 2 * 32_767 * 32_767), 301, 1)


def test_silence_is_the_noise_of_rounding():
    close(level_cdb(500, 500 * 77, 500 * 77 * 77), -9810, 1)  # 20 log10(1 / sqrt(12) / 32768) + 3.01


def test_a_stretch_is_saturated_from_1_in_32_on():
    for ends, saturated in ((31, False), (32, True)):
        for end in (32_767, -32_768):
            meter = Meter()
            for i in range(1024):
                meter.add(bytes(array("h", [end if i < ends else 5])), 2)
            assert (meter.take(0) is None) == saturated
            assert meter.count == meter.total == meter.squares == meter.ends == 0


def test_i2s_microphone_of_94_db():
    # ICS-43434, INMP441: −26 dB below full scale at 94 dB SPL. Their 24 bits come in 16 or in 32.
    for bits in (16, 32):
        for cdb, spl in ((-2600, 9400), (-600, 11_400), (-6000, 6000)):
            for value in levels(make_i2s_microphone(cdb, bits)):
                close(value, spl, 4)


def test_i2s_microphone_offset_is_no_sound():
    for value in levels(make_i2s_microphone(-2600, offset=400_000)):
        close(value, 9400, 4)


def test_i2s_microphone_that_clips():
    bench = make_i2s_microphone(600)
    assert levels(bench) == [32767] * 5 and bench.sensor.saturated == 5


def test_i2s_clock_that_is_off_is_followed():
    for slow_ppm in (5000, 0, -5000):
        bench = make_i2s_microphone(slow_ppm=slow_ppm)
        assert len(levels(bench, 40)) == 40
        assert bench.bus.dropped == 0


def test_i2s_ring_that_has_run_over():
    bench = make_i2s_microphone()
    bench.sensor.start(10_000)
    bench.clock.sleep_ms(480)
    out = frames_of(9, 1)
    assert bench.sensor.read(out) == 4 and not bench.sensor.overrun and not bench.bus.dropped
    bench.clock.sleep_ms(600)
    assert bench.sensor.read(out) == 0 and bench.sensor.overrun and bench.bus.dropped
    bench.clock.sleep_ms(105)
    assert bench.sensor.read(out) == 1
    close(out[0], 9400, 4)


def test_i2s_levels_that_do_not_fit_wait():
    bench = make_i2s_microphone()
    bench.sensor.start(10_000)
    bench.clock.sleep_ms(450)
    two = frames_of(2, 1)
    assert [bench.sensor.read(two) for _ in range(3)] == [2, 2, 0]


def test_i2s_ring_has_to_hold_a_level():
    raised(ValueError, make_i2s_microphone(ibuf_ms=500).sensor.start, 1000)


def test_adc_microphone_levels():
    for cdb in (-600, -2000, -4000):
        for value in levels(make_adc_microphone(cdb)):
            close(value, cdb, 60)  # 256 readings are no whole number of periods
    for value in levels(make_adc_microphone(-2000, full_scale_cdb=11_000)):
        close(value, 9000, 60)


def test_adc_microphone_that_clips():
    for bias in (1.65, 0.5):
        bench = make_adc_microphone(0, bias=bias)
        if bias < 1:
            assert levels(bench) == [32767] * 5 and bench.sensor.saturated == 5
        else:
            close(levels(bench)[0], 0, 60)


def test_adc_microphone_at_the_end_of_its_range_is_none():
    for bias in (-9.0, 9.0):
        raised(NoAnswerError, make_adc_microphone(bias=bias).sensor.check)


def test_sums_of_samples_of_both_sizes():
    samples = [(i * 7919) % 65_536 - 32_768 for i in range(1, 3000)]
    for size in (2, 4):
        raw = bytearray()
        for sample in samples:
            raw.extend(b"\x99" * (size - 2) + bytes([sample & 0xFF, sample >> 8 & 0xFF]))
        meter = Meter()
        meter.add(raw, size)
        assert meter.count == len(samples) and meter.total == sum(samples)
        assert meter.squares == sum(sample * sample for sample in samples)
