"""node.json of a MicroPython node (nodes/micropython/settings.py): checked here before it is copied to the board.

The board itself only looks for unknown and missing keys. Keys and defaults are the same on both sides; what is settled
here by sensor and module (`settled`) the board has to be told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.config import faults_of
from gateway.detectors import feature_sets
from gateway.links.fields import Endpoint
from gateway.provision import recommended

MIN_LISTEN_MS, LONGEST_LISTEN_MS = 20, 60_000
CHANNELS = {
    "lis3dh": 3, "adxl345": 3, "mpu6050": 3, "bme280": 2, "sht3x": 2, "ds18b20": 1, "adc_microphone": 1,
    "i2s_microphone": 1,
}  # fmt: skip
"""Of a chip (nodes/micropython/sensors), unless its `channels` say otherwise."""
SLOW_CHIPS = {"bme280", "sht3x", "ds18b20"}
OFF = '"learn": null in node.json'


class NodeJsonInvalid(Exception):  # noqa: N818 - it is the file that is at fault
    """What is wrong with it, every fault on a line of its own, each with its key path."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


PinNumber = Annotated[int, Field(ge=0, le=255)]
Count = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]


class I2c(_Table):
    """Two wires."""

    kind: Literal["i2c"]
    id: int = Field(ge=0, le=3)
    scl: PinNumber
    sda: PinNumber
    freq: int = Field(default=400_000, ge=10_000, le=1_000_000)


class Spi(_Table):
    """Three wires, and `cs` of the chip."""

    kind: Literal["spi"]
    id: int = Field(ge=0, le=3)
    sck: PinNumber
    mosi: PinNumber
    miso: PinNumber
    baudrate: int = Field(default=1_000_000, ge=10_000, le=20_000_000)
    polarity: Literal[0, 1] = 1
    phase: Literal[0, 1] = 1


class OnePin(_Table):
    """One wire, or a voltage."""

    kind: Literal["one_wire", "adc"]
    pin: PinNumber


class I2s(_Table):
    """Clock, word select, data."""

    kind: Literal["i2s"]
    id: int = Field(ge=0, le=1)
    sck: PinNumber
    ws: PinNumber
    sd: PinNumber


MICROPHONES = {"adc_microphone", "i2s_microphone"}
OPTIONS = {
    "rom": {"ds18b20"}, "rate_hz": {"i2s_microphone"}, "bits": {"i2s_microphone"}, "ibuf_ms": {"i2s_microphone"},
    "readings": {"adc_microphone"}, "full_scale_cdb": MICROPHONES, "range_g": {"lis3dh", "adxl345", "mpu6050"},
    "range_dps": {"mpu6050"}, "channels": {"mpu6050", "bme280"},
}  # fmt: skip
"""What only some chips can be told."""


class Sensor(_Table):
    """Which chip, and where."""

    chip: Literal["lis3dh", "adxl345", "mpu6050", "bme280", "sht3x", "ds18b20", "adc_microphone", "i2s_microphone"]
    bus: I2c | Spi | OnePin | I2s = Field(discriminator="kind")
    address: int | None = Field(default=None, ge=8, le=119)
    cs: PinNumber | None = None
    channels: int | None = Field(default=None, ge=1, le=9)
    range_g: Literal[2, 4, 8, 16] | None = None
    range_dps: Literal[250, 500, 1000, 2000] | None = None
    rom: str | None = Field(default=None, pattern=r"^28[0-9a-fA-F]{14}$")
    rate_hz: int | None = Field(default=None, ge=4000, le=48_000)
    bits: Literal[16, 32] | None = None
    ibuf_ms: int | None = Field(default=None, ge=50, le=2000)
    readings: int | None = Field(default=None, ge=32, le=4096)
    full_scale_cdb: int | None = Field(default=None, ge=0, le=32_767)

    @model_validator(mode="after")
    def _fits(self) -> Sensor:
        wanted = {"ds18b20": {"one_wire"}, "adc_microphone": {"adc"}, "mpu6050": {"i2c"}, "sht3x": {"i2c"},
                  "i2s_microphone": {"i2s"}}  # fmt: skip
        kinds = wanted.get(self.chip, {"i2c", "spi"})
        if self.bus.kind not in kinds:
            raise ValueError(f"a {self.chip} is at {' or '.join(sorted(kinds))}, not at {self.bus.kind}")
        if (self.bus.kind == "spi") != (self.cs is not None):
            raise ValueError("cs goes with a bus of kind spi, and only with that")
        for option, chips in OPTIONS.items():
            if getattr(self, option) is not None and self.chip not in chips:
                raise ValueError(f"{option} is no option of a {self.chip}")
        return self


class _Wifi(_Table):
    ssid: str = Field(min_length=1, max_length=32)
    key: str = Field(max_length=64)
    limit_ms: int = Field(default=8000, ge=500, le=60_000)


class WifiUdp(_Wifi):
    """Datagrams to the gateway."""

    kind: Literal["wifi_udp"]
    gateway: Endpoint


class WifiMqtt(_Wifi):
    """A broker that the gateway is connected to as well."""

    kind: Literal["wifi_mqtt"]
    broker: Endpoint
    prefix: str = Field(default="stethos/nodes", pattern=r"^[^/+#\x00]+(/[^/+#\x00]+)*$")
    user: str | None = None
    password: str | None = None


class Line(_Table):
    """A UART; its pins where those that the chip has for it are taken."""

    id: int = Field(ge=0, le=3)
    baud: int = Field(default=115_200, ge=1200, le=3_000_000)
    tx: PinNumber | None = None
    rx: PinNumber | None = None


class Uart(Line):
    """A wire."""

    kind: Literal["uart"]


class Learn(_Table):
    """A learner on the node: from how many windows, and how sensitive (nodes/wire/SPEC.md, "Learner")."""

    windows: int = Field(ge=24, le=240, multiple_of=8)
    average: int = Field(default=1, ge=1, le=5)
    events_ppb: int = Field(default=0, ge=0, le=1_000_000_000)


class Battery(_Table):
    """The pin that measures it, behind a divider: `ratio` is battery over pin."""

    pin: PinNumber
    ratio: float = Field(ge=1, le=20)


class NodeJson(_Table):
    """Everything. Times in milliseconds, limits in the sensor's units, currents in nA."""

    hardware: str = Field(min_length=1, max_length=24)
    sensor: Sensor
    radio: WifiUdp | WifiMqtt | Uart = Field(discriminator="kind")
    wake_ms: int = Field(default=10_000, ge=100, le=86_400_000)
    heartbeat_ms: int = Field(default=900_000, ge=1000, le=0xFFFFFFFF)
    listen_ms: int = Field(default=400, ge=MIN_LISTEN_MS, le=LONGEST_LISTEN_MS)
    feature_set: Literal[1, 2, 3, 5] | None = Field(default=None, description="By sensor and rate unless given.")
    samples: int = Field(default=128, ge=32, le=1024)
    rate_millihz: int = Field(default=200_000, ge=1, le=10_000_000)
    window_every: int | None = Field(default=None, ge=0, le=65_535, description="1 if nobody judges there, else 0.")
    flag_repeat: int = Field(default=6, ge=1, le=65_535)
    limits: list[tuple[int | None, int | None]] | None = None
    model: str | None = Field(default=None, min_length=1, max_length=64)
    learn: Learn | None = Field(default=None, description="As recommended unless given; null: it does not learn.")
    alert_pin: PinNumber | None = None
    alert_after: int = Field(default=2, ge=0, le=255)
    clear_after: int = Field(default=0, ge=0, le=255)
    alert_on_fault: bool = False
    alert_uart: Line | None = None
    buzzer_pin: PinNumber | None = None
    buzzer_hz: int = Field(default=0, ge=0, le=20_000)
    battery: Battery | None = None
    radio_min_mv: int = Field(default=0, ge=0, le=65_535)
    current_na: tuple[Count, Count, Count, Count] = (10_000, 500_000, 20_000_000, 120_000_000)
    watchdog_ms: int = Field(default=60_000, ge=0, le=3_600_000)

    @property
    def channels(self) -> int:
        """Of the sensor."""
        return self.sensor.channels or CHANNELS[self.sensor.chip]

    @property
    def set_(self) -> int:
        """The feature set, given or not."""
        chip = self.sensor.chip
        return self.feature_set or recommended.feature_set(
            self.rate_millihz, self.channels, slow=chip in SLOW_CHIPS, vibration=chip not in MICROPHONES
        )

    @property
    def features(self) -> int:
        """Of a window."""
        return feature_sets.size(self.set_, self.channels)

    @model_validator(mode="after")
    def _agrees(self) -> NodeJson:
        channels = self.channels
        if self.learn is not None:
            fit = recommended.windows_that_fit(self.features)
            if self.learn.windows > fit:
                raise ValueError(f"learn.windows: of {self.features} features {fit} windows fit")
        if self.buzzer_hz and self.buzzer_pin is None:
            raise ValueError("buzzer_hz without a buzzer_pin")
        if self.alert_uart and isinstance(self.radio, Uart) and self.alert_uart.id == self.radio.id:
            raise ValueError(f"alert_uart: UART {self.radio.id} is the radio's")
        if self.limits is not None:
            if self.set_ != feature_sets.SLOW:
                raise ValueError("limits are for slow sensors: feature_set 3")
            if len(self.limits) != channels:
                raise ValueError(f"a {self.sensor.chip} has {channels} channels, and limits has {len(self.limits)}")
            for low, high in self.limits:
                if low is not None and high is not None and low >= high:
                    raise ValueError(f"limits: {low} is not below {high}")
        if self.radio_min_mv and self.battery is None:
            raise ValueError("radio_min_mv without a battery to measure")
        if self.heartbeat_ms < self.wake_ms:
            raise ValueError("heartbeat_ms is shorter than wake_ms: between two wakes nobody speaks")
        window_ms = self.samples * 1_000_000 // self.rate_millihz
        if self.watchdog_ms and self.watchdog_ms < window_ms + self.listen_ms:
            raise ValueError(f"watchdog_ms is shorter than a wake: a window takes {window_ms} ms")
        return self


def native(settings: NodeJson) -> list[str]:
    """What of it only the native module can do (nodes/micropython/native)."""
    return [key for key in ("model", "learn") if getattr(settings, key) is not None]


def settled(settings: NodeJson, without: str = "") -> tuple[NodeJson, list[str]]:
    """With all that node.json does not say, and what a person is told of that. `without`: why nothing can learn on this
    board; what is asked for by name stays all the same, for whoever refuses it.
    """
    told, windows = [], recommended.windows_that_fit(settings.features)
    changes: dict[str, object] = {"feature_set": settings.set_, "learn": settings.learn}
    if "feature_set" not in settings.model_fields_set:
        told.append(f"features: {feature_sets.NAMES[settings.set_]}, set {settings.set_}")
    asked = "learn" in settings.model_fields_set
    if not (asked or without or not windows):
        changes["learn"] = Learn(windows=windows)
        told.append(recommended.learning(windows, settings.features, model=settings.model is not None, off=OFF))
    alone = not (changes["learn"] or settings.model or settings.limits)
    if settings.window_every is None:
        changes["window_every"] = int(alone)
    settings = settings.model_copy(update=changes)
    if changes["learn"] is None and (alone or not asked):
        if asked:
            told.append(f"it has neither learner, model nor limits: {_instead(settings)}")
        else:
            why = without or f"its {settings.features} features leave room for fewer than {recommended.LEAST} windows"
            told.append(recommended.not_learning(why, _instead(settings)))
    return settings, told


def _instead(settings: NodeJson) -> str:
    """Who judges a node that does not learn."""
    judges = [name for name in ("model", "limits") if getattr(settings, name)]
    if judges:
        return f"its {' and its '.join(judges)} alone judge"
    return recommended.unjudged(settings.window_every or 0)


def read(path: Path) -> NodeJson:
    """The checked settings. Raises NodeJsonInvalid."""
    return checked(path, NodeJson)


Settings = TypeVar("Settings", bound=BaseModel)


def checked(path: Path, model: type[Settings]) -> Settings:
    """The node.json of whichever kind of board. Raises NodeJsonInvalid."""
    data = None
    try:
        text = path.read_bytes()
        data = json.loads(text)
        return model.model_validate_json(text)
    except OSError as error:
        raise NodeJsonInvalid(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise NodeJsonInvalid("\n".join(f"{path}: {fault}" for fault in faults_of(error, data, model))) from error
    except ValueError as error:
        raise NodeJsonInvalid(f"{path}: {error}") from error


def compact(settings: NodeJson) -> str:
    """As it goes onto the board: what is said, and no defaults."""
    return json.dumps(settings.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))
