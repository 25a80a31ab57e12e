"""MPU-6050, LIS3DH and ADXL345 against the tables of their data sheets. For CPython and MicroPython."""

from fakes.buses import I2C, SPI, Pin
from fakes.clock import Clock
from fakes.motion import ADXL345, LIS3DH
from sensors import NoAnswerError, SelfTestError, WrongChipError, adxl345, lis3dh, mpu6050, window

from sensor_bench import close, frames_of, make_adxl345, make_lis3dh, make_lis3dh_spi, make_mpu6050, raised


def feels(bench, force, turn=(0.0, 0.0, 0.0)):
    values = tuple(force) + tuple(turn)
    bench.chip.signal = lambda seconds: values


def sampled(bench, frames=8):
    out = frames_of(frames, bench.sensor.channels)
    assert window(bench.sensor, bench.rate_millihz, out) == 0
    return list(out[: bench.sensor.channels])


# MPU-6050


def test_mpu6050_factory_trims_are_those_of_the_formula():
    assert mpu6050.accelerometer_trim(0) == 0 and mpu6050.gyroscope_trim(0) == 0
    for code in range(1, 32):
        close(mpu6050.accelerometer_trim(code), 4096 * 0.34 * (0.92 / 0.34) ** ((code - 1) / 30), 1.0)
        close(mpu6050.gyroscope_trim(code), 25 * 131 * 1.046 ** (code - 1), 1.0)
    assert mpu6050.accelerometer_trim(1) == 1393  # 0.34 g at ±8 g
    assert mpu6050.accelerometer_trim(31) == 3768  # 0.92 g
    assert mpu6050.gyroscope_trim(1) == 3275


def test_mpu6050_trim_codes_lie_in_four_registers():
    # XA 4-2 and XG, YA 4-2 and YG, ZA 4-2 and ZG, then XA, YA, ZA 1-0.
    assert mpu6050.trims(b"\xe1\x02\x3f\x24") == ([28 | 2, 0 | 1, 4 | 0], [1, 2, 31])


def test_mpu6050_self_test_takes_14_per_cent():
    for weak, passes in ((1.0, True), (0.863, True), (1.137, True), (0.857, False), (1.143, False), (0.0, False)):
        bench = make_mpu6050()
        feels(bench, (0.0, 0.1, 1.0))
        bench.chip.weak = weak
        if passes:
            assert bench.sensor.self_test()
        else:
            raised(SelfTestError, bench.sensor.self_test)


def test_mpu6050_scales():
    # Product specification 6.1 and 6.2: LSB per g and per degree/s.
    for range_g, per_g in ((2, 16384), (4, 8192), (8, 4096), (16, 2048)):
        for range_dps, per_dps in ((250, 131), (500, 65.5), (1000, 32.8), (2000, 16.4)):
            bench = make_mpu6050(channels=6, range_g=range_g, range_dps=range_dps)
            feels(bench, (0.5, -0.25, 1.0), (100.0, -50.0, 200.0))
            wanted = [0.5 * per_g, -0.25 * per_g, per_g, 100 * per_dps, -50 * per_dps, 200 * per_dps]
            for value, want in zip(sampled(bench), wanted):
                close(value, want, abs(want) / 500 + 1)
            assert bench.sensor.units[0] == "%d/g" % per_g
            number, _, unit = bench.sensor.units[3].partition("/")
            close(int(number) / int(unit.split()[0]) if " " in unit else int(number), per_dps, 0.1)


def test_mpu6050_rates_and_filters():
    # 1 kHz / (1 + SMPLRT_DIV); bandwidths of DLPF_CFG: 184, 94, 44, 21, 10, 5 Hz, below half of the rate.
    for wanted, rate, divider, filtering in (
        (1_000_000, 1_000_000, 0, 1),
        (400_000, 500_000, 1, 1),
        (200_000, 200_000, 4, 2),
        (100_000, 100_000, 9, 3),
        (60_000, 62_500, 15, 4),
        (43_400, 43_478, 22, 4),
        (25_000, 25_000, 39, 5),
        (21_000, 21_276, 46, 5),
        (10_000, 10_000, 99, 6),
        (1000, 3906, 255, 6),
    ):
        bench = make_mpu6050()
        assert bench.sensor.start(wanted) == rate
        assert bench.chip.registers[0x19] == divider
        assert bench.chip.registers[0x1A] == filtering, wanted


def test_mpu6050_leaves_its_gyroscopes_off_unless_they_are_wanted_and_takes_no_clock_from_them_then():
    for channels, off, clock in ((3, 7, 0), (6, 0, 1)):
        bench = make_mpu6050(channels=channels)
        bench.sensor.start(100_000)
        assert bench.chip.registers[0x6C] == off
        assert bench.chip.registers[0x6B] == clock


def test_mpu6050_frames_stay_whole_after_the_fifo_has_run_over():
    for channels in (3, 6):  # 1,024 bytes are no whole number of frames of 12
        bench = make_mpu6050(channels=channels)
        feels(bench, (0.25, -0.5, 0.75), (10.0, 20.0, 30.0))
        bench.sensor.start(1_000_000)
        bench.clock.sleep_ms(3000)
        out = frames_of(20, channels)
        assert bench.sensor.read(out) == 0 and bench.sensor.overrun
        bench.clock.sleep_ms(30)
        assert bench.sensor.read(out) == 20
        for at in range(0, len(out), channels):
            assert list(out[at : at + 3]) == [4096, -8192, 12288]
        assert bench.sensor.overrun


def test_mpu6050_that_runs_over_while_it_is_read_gives_nothing():
    bench = make_mpu6050()
    bench.sensor.start(1_000_000)
    bench.clock.sleep_ms(165)  # 165 of 170 frames
    plain = bench.bus.readfrom_mem_into

    def delayed(address, register, buffer):
        if register == 0x74:
            bench.clock.sleep_ms(12)  # somebody collects garbage
        plain(address, register, buffer)

    bench.bus.readfrom_mem_into = delayed
    assert bench.sensor.read(frames_of(170, 3)) == 0
    assert bench.sensor.overrun


# LIS3DH


def test_lis3dh_what_the_registers_say_at_which_acceleration():
    # AN3308, "output data registers content vs. acceleration" at ±2 g: 350 mg is 15E0h. 1 mg a digit, 16 codes a digit.
    for mg, code in ((0, 0x0000), (350, 0x15E0), (-350, -0x15E0), (1000, 16000), (-1000, -16000)):
        bench = make_lis3dh()
        feels(bench, (mg / 1000, 0.0, -mg / 1000))
        assert sampled(bench) == [code, 0, -code]


def test_lis3dh_scales():
    # Table 4: 1, 2, 4, 12 mg a digit in high resolution.
    for range_g, mg_a_digit in ((2, 1), (4, 2), (8, 4), (16, 12)):
        bench = make_lis3dh(range_g=range_g)
        feels(bench, (1.2, -0.6, 0.0))
        assert sampled(bench) == [1200 // mg_a_digit * 16, -600 // mg_a_digit * 16, 0]
        assert bench.sensor.units[0] == "%d/g" % (16000 // mg_a_digit)


def test_lis3dh_rates():
    for wanted, rate, code in (
        (1, 10_000, 2),
        (10_000, 10_000, 2),
        (20_000, 25_000, 3),
        (50_000, 50_000, 4),
        (100_000, 100_000, 5),
        (150_000, 200_000, 6),
        (400_000, 400_000, 7),
        (500_000, 1_344_000, 9),
        (9_000_000, 1_344_000, 9),
    ):
        bench = make_lis3dh()
        assert bench.sensor.start(wanted) == rate
        assert bench.chip.registers[0x20] == code << 4 | 7


def test_lis3dh_drops_what_it_says_before_it_has_settled():
    for rate in (10_000, 100_000, 1_344_000):
        bench = make_lis3dh()
        bench.rate_millihz = rate
        feels(bench, (0.1, 0.2, 0.3))
        assert sampled(bench, 4) == [1600, 3200, 4800]


def test_lis3dh_self_test_limits_are_17_to_360_digits_of_4_mg():
    for axis in range(3):
        for digits, passes in ((17, True), (16, False), (360, True), (361, False)):
            bench = make_lis3dh()
            feels(bench, (0.0, 0.0, 0.0))
            bench.chip.force_mg = [4 * digits if i == axis else 400 for i in range(3)]
            if passes:
                assert bench.sensor.self_test()
            else:
                assert str(raised(SelfTestError, bench.sensor.self_test)).startswith("xyz"[axis])


def test_lis3dh_32_frames_may_have_been_33():
    bench = make_lis3dh()
    bench.sensor.start(100_000)
    bench.clock.sleep_ms(315)
    assert bench.sensor.read(frames_of(40, 3)) == 31 and not bench.sensor.overrun
    bench.clock.sleep_ms(330)
    assert bench.sensor.read(frames_of(40, 3)) == 0 and bench.sensor.overrun


def test_lis3dh_in_a_wrong_mode_of_spi_or_none_at_all_is_no_lis3dh():
    clock = Clock()
    for attached, mode in ((True, (0, 0)), (False, (1, 1))):
        spi, cs = SPI(clock, 1_000_000, *mode), Pin()
        if attached:
            spi.attach(LIS3DH(clock), cs)
        error = raised(WrongChipError, lis3dh.Sensor(spi, cs=cs, clock=clock).check)
        assert "0xff" in str(error)
        assert cs.value() == 1


def test_two_chips_share_one_spi():
    clock = Clock()
    spi, first, second = SPI(clock, 1_000_000, 1, 1), Pin(), Pin()
    spi.attach(LIS3DH(clock), first)
    spi.attach(ADXL345(clock), second)
    for sensor in (lis3dh.Sensor(spi, cs=first, clock=clock), adxl345.Sensor(spi, cs=second, clock=clock)):
        sensor.check()
        assert window(sensor, 100_000, frames_of(40, 3)) == 0


def test_spi_and_i2c_say_the_same():
    both = []
    for bench in (make_lis3dh(), make_lis3dh_spi()):
        feels(bench, (0.3, -0.4, 0.5))
        both.append(sampled(bench))
    assert both[0] == both[1]


# ADXL345


def test_adxl345_scales():
    # Table 1, full resolution: 256 LSB per g in all ranges; left-justified.
    for range_g, per_g in ((2, 16384), (4, 8192), (8, 4096), (16, 2048)):
        bench = make_adxl345(range_g=range_g)
        feels(bench, (1.0, -0.5, 0.25))
        assert sampled(bench) == [per_g, -per_g // 2, per_g // 4]
        assert bench.sensor.units == ("%d/g" % per_g,) * 3


def test_adxl345_rates():
    # Table 7: 3200 Hz is code 15, each code below it half of that.
    for wanted, rate, code in (
        (1000, 6_250, 6),
        (12_500, 12_500, 7),
        (100_000, 100_000, 10),
        (101_000, 200_000, 11),
        (800_000, 800_000, 13),
        (3_200_000, 3_200_000, 15),
        (9_000_000, 3_200_000, 15),
    ):
        bench = make_adxl345()
        assert bench.sensor.start(wanted) == rate, wanted
        assert bench.chip.registers[0x2C] == code


def adxl345_with(supply_mv, force):
    clock = Clock()
    i2c, chip = I2C(clock), ADXL345(clock)
    i2c.attach(chip, 0x53)
    chip.force_lsb = tuple(force)
    return adxl345.Sensor(i2c, supply_mv=supply_mv, clock=clock)


def test_adxl345_self_test_limits_go_with_the_supply():
    # Table 15, in 4 mg: x 50 to 540, y −540 to −50, z 75 to 875; Table 14: times 0.64, 1.77, 2.11, and 0.8, 1.47, 1.69.
    for supply_mv, flat, upright in (
        (2000, (32, 345), (60, 700)),
        (2500, (50, 540), (75, 875)),
        (3300, (89, 955), (111, 1286)),
        (3600, (106, 1139), (127, 1478)),
    ):
        usual = [(flat[0] + flat[1]) // 2, -(flat[0] + flat[1]) // 2, (upright[0] + upright[1]) // 2]
        assert adxl345_with(supply_mv, usual).self_test()
        for axis, sign, (least, most) in ((0, 1, flat), (1, -1, flat), (2, 1, upright)):
            for force, passes in ((least, True), (least - 2, False), (most, True), (most + 2, False), (-least, False)):
                sensor = adxl345_with(supply_mv, usual[:axis] + [sign * force] + usual[axis + 1 :])
                if passes:
                    assert sensor.self_test(), (supply_mv, axis, force)
                else:
                    error = raised(SelfTestError, sensor.self_test)
                    assert str(error).startswith("xyz"[axis]), error


def test_adxl345_has_32_frames_and_one():
    bench = make_adxl345()
    bench.sensor.start(100_000)
    bench.clock.sleep_ms(325)
    out = frames_of(40, 3)
    assert bench.sensor.read(out) in (32, 33) and not bench.sensor.overrun
    bench.clock.sleep_ms(350)
    assert bench.sensor.read(out) == 0 and bench.sensor.overrun


# all


def test_an_end_of_the_range_is_an_end_of_16_bits():
    for make in (make_mpu6050, make_lis3dh, make_adxl345):
        for range_g in (2, 4, 8, 16):
            bench = make(range_g=range_g)
            feels(bench, (40.0, -40.0, range_g / 2))
            out = frames_of(64, 3)
            assert window(bench.sensor, bench.rate_millihz, out) == 0
            assert bench.sensor.saturated == 128, make.__name__
            for at in range(0, len(out), 3):
                assert out[at] == 32767 and out[at + 1] == -32768, make.__name__
                assert abs(out[at + 2]) < 32000


def test_other_addresses():
    clock = Clock()
    for kind, chip_kind, address in ((lis3dh, LIS3DH, 0x19), (adxl345, ADXL345, 0x1D)):
        i2c = I2C(clock)
        i2c.attach(chip_kind(clock), address)
        kind.Sensor(i2c, address=address, clock=clock).check()
        raised(NoAnswerError, kind.Sensor(i2c, clock=clock).check)
