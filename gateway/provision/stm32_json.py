"""node.json of an STM32 node, checked before anything of it goes to the board.

Keys, units and defaults are those of a MicroPython node (node_json.py) where both have them. What it becomes on the
board is its configuration page (stm32_config.py); the key comes from the registry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.provision.node_json import checked
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
    feature_set: Literal[1, 2] = 1
    line: Literal["usart", "lpuart", "module"] = "usart"
    baud: int = Field(default=115_200, ge=4_800, le=1_000_000)
    wake_ms: int = Field(default=10_000, ge=100, le=86_400_000)
    heartbeat_ms: int = Field(default=3_600_000, ge=1_000, le=0xFFFF_FFFF)
    listen_ms: int = Field(default=500, ge=20, le=60_000)
    window_every: int | None = Field(default=None, ge=0, le=65_535, description="0 with a model, else 1.")
    flag_repeat: int = Field(default=1, ge=1, le=65_535)
    learn: int = Field(default=0, ge=0, le=65_535, description="Windows to learn from what is normal; 0: no learner.")
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

    def page(self, key: NodeKey, *, model: bool) -> Page:
        """The configuration of this node with this key."""
        said = self.model_dump(exclude={"board", "hardware", "window_every"})
        every = self.window_every if self.window_every is not None else int(not model)
        hardware = self.hardware or CHIPS[self.board].board
        return Page(kid=key.kid, secret=key.secret, hardware=hardware, window_every=every, **said)


def read(file: Path) -> Stm32Json:
    """The checked settings. Raises NodeJsonInvalid with every fault on a line of its own."""
    return checked(file, Stm32Json)
