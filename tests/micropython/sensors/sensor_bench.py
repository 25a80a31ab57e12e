"""Each sensor at a bus of its own, with what can go wrong there. For CPython and MicroPython."""

import math
from array import array

from fakes.buses import I2C, SPI, Pin
from fakes.clock import Clock
from fakes.motion import ADXL345, LIS3DH, MPU6050
from fakes.one_wire import DS18B20, OneWire
from fakes.room import BME280, SHT3x
from fakes.sound import ADC, I2S
from sensors import adc_microphone, adxl345, bme280, ds18b20, i2s_microphone, lis3dh, mpu6050, sht3x


def raised(kind, call, *arguments):
    """The error of that kind, which has to come."""
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError("no " + kind.__name__)


def frames_of(count, channels):
    return array("h", bytes(2 * count * channels))


def close(a, b, by):
    assert abs(a - b) <= by, (a, b)


class Bench:
    """`unplug`, `replace` (by another chip), `weaken` (its self-test): what there is to do, or None."""

    def __init__(self, clock, sensor, rate_millihz=10_000):
        self.clock = clock
        self.sensor = sensor
        self.rate_millihz = rate_millihz
        self.bus = self.chip = self.unplug = self.replace = self.weaken = None

    def asleep(self):
        """What the chip says of itself."""
        return True


def _i2c(chip_kind, address, driver, **settings):
    clock = Clock()
    bench = Bench(clock, None)
    bench.bus, bench.chip = I2C(clock), chip_kind(clock)
    bench.bus.attach(bench.chip, address)
    bench.sensor = driver(bench.bus, clock=clock, **settings)
    bench.unplug = lambda: bench.bus.unplugged.add(address)
    return bench


def _spi(chip_kind, driver, **settings):
    clock = Clock()
    bench = Bench(clock, None)
    cs = Pin()
    bench.bus, bench.chip = SPI(clock, 1_000_000, 1, 1), chip_kind(clock)
    bench.bus.attach(bench.chip, cs)
    bench.sensor = driver(bench.bus, cs=cs, clock=clock, **settings)
    return bench


def _motion(bench, who_register, rate_millihz):
    bench.rate_millihz = rate_millihz
    bench.chip.signal = ramp

    def replace():
        bench.chip.registers[who_register] ^= 0x11

    def weaken():
        bench.chip.weak = 0.02

    def asleep():
        return bench.chip.period_us() is None

    bench.replace, bench.weaken, bench.asleep = replace, weaken, asleep
    return bench


def ramp(seconds):
    """Every axis goes up at its own pace and begins again, within 1 g and 100 degree/s."""
    return tuple(size * (2 * (seconds * pace % 1.0) - 1) for size, pace in _PACES)


_PACES = ((0.9, 1.0), (0.8, 0.7), (0.7, 0.5), (90, 1.0), (80, 0.7), (70, 0.5))


def _bme280(bench):
    def replace():
        bench.chip.who = bench.chip.registers[0xD0] = 0x58

    bench.replace = replace
    bench.asleep = lambda: bench.chip.registers[0xF4] & 3 == 0
    return bench


def make_mpu6050(**settings):
    return _motion(_i2c(MPU6050, 0x68, mpu6050.Sensor, **settings), 0x75, 200_000)


def make_mpu6050_six():
    return make_mpu6050(channels=6)


def make_lis3dh(**settings):
    return _motion(_i2c(LIS3DH, 0x18, lis3dh.Sensor, **settings), 0x0F, 200_000)


def make_lis3dh_spi():
    return _motion(_spi(LIS3DH, lis3dh.Sensor), 0x0F, 400_000)


def make_adxl345(**settings):
    return _motion(_i2c(ADXL345, 0x53, adxl345.Sensor, supply_mv=2500, **settings), 0x00, 200_000)


def make_adxl345_spi():
    return _motion(_spi(ADXL345, adxl345.Sensor, supply_mv=2500), 0x00, 800_000)


def make_bme280(**settings):
    return _bme280(_i2c(BME280, 0x76, bme280.Sensor, **settings))


def make_bme280_spi():
    return _bme280(_spi(BME280, bme280.Sensor, channels=3))


def make_sht3x():
    bench = _i2c(SHT3x, 0x44, sht3x.Sensor)

    def weaken():
        bench.chip.heats = False

    def replace():
        bench.chip.status |= 0x0008

    bench.weaken, bench.replace = weaken, replace
    return bench


def make_ds18b20(**settings):
    clock = Clock()
    chip = DS18B20(clock, **settings)
    bus = OneWire(clock, [chip])
    bench = Bench(clock, ds18b20.Sensor(bus, clock=clock), 1000)
    bench.bus, bench.chip = bus, chip

    def unplug():
        chip.gone = True

    def replace():
        bus.chips[0] = DS18B20(clock, family=0x22)

    bench.unplug, bench.replace = unplug, replace
    bench.asleep = lambda: not chip._converting
    return bench


def tone(level_cdb, hz, rate_hz, full):
    """A sine so many 0.01 dB below one of full scale, in what full scale is."""
    size = full * 10 ** (level_cdb / 2000)
    return lambda n: size * math.sin(2 * math.pi * hz * n / rate_hz)


def make_adc_microphone(level_cdb=-2000, bias=1.7, **settings):
    clock = Clock()
    sine = tone(level_cdb, 440, 1, 1.65)
    volts = {"now": lambda seconds: bias + sine(seconds)}
    bench = Bench(clock, None)
    bench.sensor = adc_microphone.Sensor(ADC(clock, lambda seconds: volts["now"](seconds)), clock=clock, **settings)

    def unplug():
        volts["now"] = lambda seconds: 0.0

    bench.unplug = unplug
    return bench


def make_i2s_microphone(level_cdb=-2600, bits=16, slow_ppm=0, offset=0, **settings):
    clock = Clock()
    bench = Bench(clock, None)
    sine = tone(level_cdb, 1000, 16_000, 1 << 23)
    made = {"signal": lambda n: sine(n) + offset}

    def opened(rate, bits, ibuf):
        if bench.bus is not None and not bench.bus.closed:
            raise OSError(22)  # there is one already
        bench.bus = I2S(clock, lambda n: made["signal"](n), rate, bits, ibuf, slow_ppm=slow_ppm)
        return bench.bus

    bench.sensor = i2s_microphone.Sensor(opened, bits=bits, clock=clock, **settings)

    def unplug():
        made["signal"] = lambda n: -1

    bench.unplug = unplug
    bench.asleep = lambda: bench.bus is None or bench.bus.closed
    return bench


def make_i2s_microphone_32():
    return make_i2s_microphone(bits=32)


BENCHES = {  # driver: one or more ways to use it
    "mpu6050": (make_mpu6050, make_mpu6050_six),
    "lis3dh": (make_lis3dh, make_lis3dh_spi),
    "adxl345": (make_adxl345, make_adxl345_spi),
    "bme280": (make_bme280, make_bme280_spi),
    "sht3x": (make_sht3x,),
    "ds18b20": (make_ds18b20,),
    "adc_microphone": (make_adc_microphone,),
    "i2s_microphone": (make_i2s_microphone, make_i2s_microphone_32),
}


def benches():
    """A new one of every kind: name, bench."""
    for makers in BENCHES.values():
        for make in makers:
            yield make.__name__, make()
