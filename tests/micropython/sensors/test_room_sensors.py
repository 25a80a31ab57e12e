"""BME280, SHT3x and DS18B20 against the examples and tables of their data sheets. For CPython and MicroPython."""

from fakes.one_wire import DS18B20, OneWire
from sensors import ChecksumError, NoAnswerError, PowerLostError, WrongChipError, ds18b20, sht3x, window
from sensors.bme280 import Compensation

from sensor_bench import close, frames_of, make_bme280, make_ds18b20, make_sht3x, raised


def one(bench):
    out = frames_of(1, bench.sensor.channels)
    assert window(bench.sensor, bench.rate_millihz, out) == 0
    return list(out)


# BME280; the BMP280's data sheet has a worked example (3.12), for temperature and pressure, which have one formula.

EXAMPLE = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)


def trimming(words, humidity=(75, 362, 0, 324, 50, 30)):
    first = bytearray()
    for word in words:
        first.extend(bytes([word & 0xFF, word >> 8 & 0xFF]))
    h1, h2, h3, h4, h5, h6 = humidity
    first.extend(bytes([0, h1]))
    second = bytes([h2 & 255, h2 >> 8 & 255, h3, h4 >> 4 & 255, (h4 & 15) | (h5 & 15) << 4, h5 >> 4 & 255, h6 & 255])
    return first, second


def test_bme280_example_of_the_data_sheet():
    compensation = Compensation(*trimming(EXAMPLE))
    assert compensation.t == EXAMPLE[:3] and compensation.p == EXAMPLE[3:]
    fine = compensation.fine(519_888)
    assert fine == 128_422
    assert compensation.cdeg(fine) == 2508
    pressure = compensation.pressure_q8(415_148, fine)
    # The figure says 25767236, which is 100653.27 Pa; its formula gives 25767234.1 in real numbers, in whole ones this.
    assert pressure == 25_767_233


def test_bme280_trimming_of_the_humidity_is_12_bits_each_with_a_sign():
    for humidity in ((75, 362, 0, 324, 50, 30), (255, -32768, 255, -2048, 2047, -128), (0, 32767, 1, 2047, -1, 127)):
        assert Compensation(*trimming(EXAMPLE, humidity)).h == humidity


def percent(humidity, fine, raw):
    """The formula in real numbers (data sheet, appendix A)."""
    h1, h2, h3, h4, h5, h6 = humidity
    x = fine - 76_800.0
    x = (raw - (h4 * 64.0 + h5 / 16384.0 * x)) * (
        h2 / 65536.0 * (1.0 + h6 / 67108864.0 * x * (1.0 + h3 / 67108864.0 * x))
    )
    return max(0.0, min(100.0, x * (1.0 - h1 * x / 524288.0)))


def test_bme280_humidity_by_the_formula_in_real_numbers():
    for humidity in ((75, 362, 0, 324, 50, 30), (70, 355, 255, 290, -60, 120), (90, 380, 200, 330, 0, -120)):
        compensation = Compensation(*trimming(EXAMPLE, humidity))
        for raw_temperature in (350_000, 450_000, 519_888, 600_000, 700_000):
            fine = compensation.fine(raw_temperature)
            for raw in range(20_000, 45_000, 1000):
                close(compensation.humidity_q10(raw, fine) / 1024, percent(humidity, fine, raw), 0.03)


def test_bme280_in_a_window():
    bench = make_bme280(channels=3)
    temperature, humidity, pressure = one(bench)
    assert temperature == 2508 and pressure == 10_066  # of 16 bits, 12 codes lower than in the example: 1006.55 hPa
    fine = Compensation(*trimming(EXAMPLE)).fine(519_888)
    close(humidity, 100 * percent((75, 362, 0, 324, 50, 30), fine, 30_000), 3)
    bench = make_bme280()
    assert one(bench) == [temperature, humidity]
    assert bench.chip.registers[0xF7:0xFA] == b"\x80\x00\x00"  # the pressure has not been measured


def test_bme280_measures_each_once_without_filter_whatever_it_was_told_before():
    for channels, setting in ((2, 0x20), (3, 0x24)):
        bench = make_bme280(channels=channels)
        bench.clock.sleep_ms(3)
        for register, value in ((0xF2, 5), (0xF5, 0x1C), (0xF4, 0xFF)):
            bench.bus.writeto_mem(0x76, register, bytes([value]))
        out = frames_of(1, channels)
        bench.sensor.start(1000)
        while not bench.sensor.read(out):
            bench.clock.sleep_ms(1)
        assert bench.chip.registers[0xF2] == 1 and bench.chip.registers[0xF5] == 0
        assert bench.chip.registers[0xF4] == setting


def test_bme280_converter_at_an_end_is_saturated():
    for code, value in ((0xFFFFF, 32767), (0, -32768)):
        bench = make_bme280(channels=3)
        bench.chip.adc = [code, 415_148, 30_000]
        assert one(bench)[0] == value and bench.sensor.saturated == 1
    bench = make_bme280(channels=3)
    bench.chip.adc = [519_888, 0xFFFFF, 0xFFFF]
    assert one(bench)[1:] == [32767, -32768] and bench.sensor.saturated == 2


def test_bme280_a_bmp280_is_told_from_it():
    bench = make_bme280()
    bench.replace()
    assert "BMP280" in str(raised(WrongChipError, bench.sensor.check))


def test_bme280_without_trimming_is_none():
    for byte in (0x00, 0xFF):
        bench = make_bme280()
        for register in range(0x88, 0xA2):
            bench.chip.registers[register] = byte
        raised(WrongChipError, bench.sensor.check)


def test_bme280_that_never_ends_is_given_up():
    bench = make_bme280()
    bench.chip.hangs = True
    raised(NoAnswerError, one, bench)


def test_bme280_that_has_lost_its_power_is_found_out():
    bench = make_bme280()
    out = frames_of(1, 2)
    bench.sensor.start(1000)
    while not bench.sensor.read(out):
        bench.clock.sleep_ms(bench.sensor.wait_ms(1))
    bench.chip.power_up()
    bench.clock.sleep_ms(bench.sensor.wait_ms(1))
    bench.sensor.read(out)
    bench.clock.sleep_ms(bench.sensor.wait_ms(1))
    raised(PowerLostError, bench.sensor.read, out)


def test_bme280_humidity_may_be_the_code_that_stands_for_none():
    bench = make_bme280()
    bench.chip.adc[2] = 0x8000
    assert one(bench)[1] > 0


# SHT3x


def test_sht3x_checksum_example_of_the_data_sheet():
    assert sht3x.checksum(b"\xbe\xef") == 0x92


def test_sht3x_conversion_at_its_ends_and_middle():
    # Section 4.13: T = −45 + 175 S / (2^16 − 1), RH = 100 S / (2^16 − 1).
    for code, temperature, humidity in ((0, -4500, 0), (0xFFFF, 13_000, 10_000), (26_214, 2500, 4000), (1, -4500, 0)):
        assert sht3x.cdeg(code) == temperature and sht3x.centipercent(code) == humidity
    for code in range(0, 65_536, 97):
        close(sht3x.cdeg(code), -4500 + 17_500 * code / 65_535, 0.5001)
        close(sht3x.centipercent(code), 10_000 * code / 65_535, 0.5001)


def test_sht3x_in_a_window():
    assert one(make_sht3x()) == [2500, 4000]


def test_sht3x_saturation():
    bench = make_sht3x()
    bench.chip.codes = [0xFFFF, 0xFFFF]
    assert one(bench) == [32767, 10_000] and bench.sensor.saturated == 1  # 100 % can be
    bench.chip.codes = [0, 0]
    assert one(bench) == [-32768, 0] and bench.sensor.saturated == 1


def test_sht3x_a_bit_that_turns_round_is_found_wherever_it_is():
    for at in range(6):
        for bit in range(8):
            bench = make_sht3x()
            bench.chip.flip = {at: 1 << bit}
            raised(ChecksumError, one, bench)


def test_sht3x_a_status_without_a_checksum_is_of_another_chip():
    bench = make_sht3x()
    bench.chip.flip = {2: 0x40}
    raised(WrongChipError, bench.sensor.check)


def test_sht3x_that_never_ends_is_given_up():
    bench = make_sht3x()
    bench.chip.busy_us = 10**9
    raised(NoAnswerError, one, bench)


def test_sht3x_is_waited_for_if_it_is_still_at_a_measurement():
    bench = make_sht3x()
    bench.sensor.start(10_000)
    bench.sensor.read(frames_of(1, 2))
    bench.sensor.sleep()
    assert one(bench) == [2500, 4000]


def test_sht3x_heater_that_does_not_go_on_fails_the_self_test():
    bench = make_sht3x()
    bench.chip.heater = False
    assert "does not go on" in str(raised(sht3x.SelfTestError, bench.sensor.self_test))


def test_sht3x_heater_is_off_after_the_self_test_even_if_that_fails():
    bench = make_sht3x()
    bench.sensor.self_test()
    assert not bench.chip.status & 0x2000
    bench.chip.busy_us = 10**6
    raised(NoAnswerError, bench.sensor.self_test)
    bench.chip.heats = False
    bench.clock.sleep_ms(2000)
    bench.chip.busy_us = 15_500
    raised(sht3x.SelfTestError, bench.sensor.self_test)
    assert not bench.chip.status & 0x2000


# DS18B20


def test_ds18b20_temperature_table_of_the_data_sheet():
    # Table 1: degC, digital output.
    for cdeg, code in (
        (12_500, 0x07D0),
        (8500, 0x0550),
        (2506, 0x0191),  # 25.0625
        (1013, 0x00A2),  # 10.125
        (50, 0x0008),
        (0, 0x0000),
        (-50, 0xFFF8),
        (-1012, 0xFF5E),  # −10.125
        (-2506, 0xFE6F),  # −25.0625
        (-5500, 0xFC90),
    ):
        assert ds18b20.cdeg(code & 0xFF, code >> 8, 12) == cdeg, hex(code)
        bench = make_ds18b20(code=code)
        assert one(bench) == [cdeg]


def test_ds18b20_checksum_example():
    # Application note 27: the number of a DS1990A, family 02, and its checksum A2.
    assert ds18b20.checksum(b"\x02\x1c\xb8\x01\x00\x00\x00") == 0xA2
    assert ds18b20.checksum(b"\x02\x1c\xb8\x01\x00\x00\x00\xa2") == 0


def test_ds18b20_as_many_bits_as_there_is_time_for():
    # Table 2: 93.75, 187.5, 375, 750 ms for 9 to 12 bits.
    for rate_millihz, bits, cdeg in ((1000, 12, 2506), (2000, 11, 2500), (4000, 10, 2500), (8000, 9, 2500)):
        bench = make_ds18b20(code=0x0191)
        bench.rate_millihz = rate_millihz
        assert one(bench) == [cdeg]
        assert bench.chip.user[2] == (bits - 9) << 5 | 0x1F
        assert bench.sensor.start(rate_millihz) == rate_millihz
    assert make_ds18b20().sensor.start(1_000_000) == 10_526


def test_ds18b20_undefined_bits_are_left_out():
    assert ds18b20.cdeg(0x97, 0x01, 9) == 2500 and ds18b20.cdeg(0x97, 0x01, 12) == 2544


def test_ds18b20_is_asked_whether_it_is_done():
    bench = make_ds18b20()
    bench.chip.takes_us = 300_000
    out = frames_of(1, 1)
    bench.sensor.start(1000)
    began = bench.clock.now_us
    while not bench.sensor.read(out):
        bench.clock.sleep_ms(10)
    assert 300_000 <= bench.clock.now_us - began < 350_000
    bench.chip.takes_us = 10**8
    raised(NoAnswerError, one, bench)


def test_ds18b20_85_degrees_after_a_loss_of_power_are_no_temperature():
    bench = make_ds18b20()
    out = frames_of(1, 1)
    bench.sensor.start(1000)
    bench.sensor.read(out)
    bench.chip.power_up()
    bench.clock.sleep_ms(800)
    raised(PowerLostError, bench.sensor.read, out)
    assert one(make_ds18b20(code=0x0550)) == [8500]  # but it may be that hot


def test_ds18b20_with_parasite_power_is_refused():
    bench = make_ds18b20()
    bench.chip.parasite = True
    assert "supply" in str(raised(NoAnswerError, bench.sensor.check))


def test_ds18b20_damage_on_the_line():
    for at in range(9):
        bench = make_ds18b20()
        bench.chip.flip = {at: 0x20}
        raised(ChecksumError, one, bench)
    bench = make_ds18b20()
    bench.bus.readbyte = lambda: 0  # zeros have a checksum that fits
    raised(ChecksumError, one, bench)
    bench = make_ds18b20()
    bench.bus.low = True
    raised(NoAnswerError, bench.sensor.check)


def test_ds18b20_several_on_one_line():
    clock = make_ds18b20().clock
    chips = [DS18B20(clock, serial, code=code) for serial, code in ((0x123456, 0x0191), (0x123457, 0xFF5E), (9, 0))]
    bus = OneWire(clock, chips)
    assert sorted(bus.scan()) == sorted(chip.rom for chip in chips)
    raised(ChecksumError, ds18b20.Sensor(bus, clock=clock).check)
    for chip, cdeg in zip(chips, (2506, -1012, 0)):
        sensor = ds18b20.Sensor(bus, chip.rom, clock=clock)
        sensor.check()
        out = frames_of(1, 1)
        assert window(sensor, 1000, out) == 0 and list(out) == [cdeg]
    chips[0].gone = True
    raised(NoAnswerError, ds18b20.Sensor(bus, chips[0].rom, clock=clock).check)
