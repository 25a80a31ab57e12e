"""node.json of an STM32 node, checked before anything of it goes to the board.

Keys, units and defaults are those of a MicroPython node (node_json.py) where both have them. What it becomes on the
board is its configuration page (stm32_config.py); the key comes from the registry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.detectors import feature_sets
from gateway.provision import recommended
from gateway.provision.node_json import OFF, checked
from gateway.provision.stm32_config import CHIPS, Page
from gateway.store.keys import NodeKey

CHANNELS = {"lsm6dsl": 6, "mpu6050": 6, "lis2dw12": 3}
"""A sensor has at most: nodes/c_tflm/ports/stm32."""


class Stm32Json(BaseModel):
    """Everything. Times in milliseconds; the limits are the firmware's (config_page.c) and its serial ports'."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    board: Literal["stm32l4", "stm32f4"]
    hardware: str | None = Field(
        default=None, min_length=1, max_length=24, description="The board's name if not given."
    )
    sensor: Literal["lsm6dsl", "mpu6050", "lis2dw12"] = "lsm6dsl"
    channels: int = Field(default=3, ge=1, le=6)
    rate_millihz: int = Field(default=208_000, ge=1, le=10_000_000)
    samples: int = Field(default=128, ge=32, le=1024)
    feature_set: Literal[1, 2, 5] | None = Field(default=None, description="By the rate unless given.")
    line: Literal["usart", "lpuart", "module"] = "usart"
    baud: int = Field(default=115_200, ge=4_800, le=1_000_000)
    wake_ms: int = Field(default=10_000, ge=100, le=86_400_000)
    heartbeat_ms: int = Field(default=3_600_000, ge=1_000, le=0xFFFF_FFFF)
    listen_ms: int = Field(default=500, ge=20, le=60_000)
    window_every: int | None = Field(default=None, ge=0, le=65_535, description="0 with a model or a learner, else 1.")
    flag_repeat: int = Field(default=1, ge=1, le=65_535)
    learn: int | None = Field(
        default=None, ge=0, le=65_535, description="Windows to learn from; as recommended unless given; null, 0: none."
    )
    radio_min_mv: int = Field(default=0, ge=0, le=65_535)
    short_samples: int = Field(default=0, ge=0, le=1024, description="Looked at first; 0: the whole window always.")
    whole_every: int = Field(default=0, ge=0, le=255)
    alert_after: int = Field(default=0, ge=0, le=255)
    clear_after: int = Field(default=0, ge=0, le=255)
    alert_on_fault: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> Stm32Json:
        if self.hardware is not None and len(self.hardware.encode()) > 24:
            raise ValueError("hardware: more than 24 bytes")
        if self.channels > CHANNELS[self.sensor]:
            raise ValueError(f"a {self.sensor} has {CHANNELS[self.sensor]} channels, not {self.channels}")
        if self.board == "stm32f4" and self.line != "usart":
            raise ValueError(f"line: an stm32f4 has no {self.line}")
        if self.heartbeat_ms < self.wake_ms:
            raise ValueError("heartbeat_ms is shorter than wake_ms: between two wakes nobody speaks")
        if self.short_samples and not 32 <= self.short_samples < self.samples:
            raise ValueError("short_samples: 32 or more, and fewer than samples")
        return self

    @property
    def set_(self) -> int:
        """The feature set, given or not."""
        return self.feature_set or recommended.feature_set(self.rate_millihz, self.channels)

    def page(self, key: NodeKey, *, model: bool) -> Page:
        """The configuration of this node with this key."""
        whole, _ = settled(self, model=model)
        hardware = self.hardware or CHIPS[self.board].board
        return Page(
            kid=key.kid, secret=key.secret, hardware=hardware, **whole.model_dump(exclude={"board", "hardware"})
        )


def settled(settings: Stm32Json, *, model: bool) -> tuple[Stm32Json, list[str]]:
    """With all that node.json does not say, and what a person is told of that."""
    told, features = [], feature_sets.size(settings.set_, settings.channels)
    fit, learn = recommended.windows_that_fit(features), settings.learn or 0
    if "feature_set" not in settings.model_fields_set:
        told.append(f"features: {feature_sets.NAMES[settings.set_]}, set {settings.set_}")
    asked = "learn" in settings.model_fields_set
    if not asked and fit:
        learn = fit
        told.append(recommended.learning(fit, features, model=model, off=OFF))
    elif learn > fit:
        learn = fit
        told.append(f"learn: of {features} features {fit} windows fit")
    every = settings.window_every
    if every is None:
        every = int(not (model or learn))
    if not (asked or learn):
        instead = "its model alone judges" if model else recommended.unjudged(every)
        why = f"its {features} features leave room for fewer than {recommended.LEAST} windows"
        told.append(recommended.not_learning(why, instead))
    elif not (learn or model):
        told.append(f"it has neither model nor learner: {recommended.unjudged(every)}")
    changes = {"feature_set": settings.set_, "learn": learn, "window_every": every}
    return settings.model_copy(update=changes), told


def read(file: Path) -> Stm32Json:
    """The checked settings. Raises NodeJsonInvalid with every fault on a line of its own."""
    return checked(file, Stm32Json)
