"""The `[output.mqtt]` table of stethos.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

BROKER = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]{1,253})):(?P<port>\d{1,5})")


class Settings(BaseModel, frozen=True, extra="forbid", strict=True):
    """Which broker, and as whom. Commands are off: whoever may publish on the commands topic may acknowledge."""

    broker: str = Field("127.0.0.1:1883", description='"host:port", an IPv6 address in brackets')
    version: Literal["3.1.1", "5"] = Field("5", description="MQTT version to speak; only 5 tells of refused messages")
    prefix: Annotated[str, StringConstraints(pattern=r"^[^+#/$\s]+(/[^+#/\s]+)*$", max_length=200)] = "stethos"
    client_id: str = Field("", max_length=64, description='"": stethos- and the gateway\'s id')
    timeout_s: float = Field(10.0, gt=0, le=120, description="How long the broker may take for an acknowledgement")
    tls: bool = Field(False, description="Speak TLS and verify the broker's name")
    ca_file: Path | None = Field(None, strict=False, description="Who vouches for the broker (PEM); none: the system's")
    cert_file: Path | None = Field(None, strict=False, description="The gateway's certificate chain (PEM)")
    key_file: Path | None = Field(None, strict=False, description="The certificate's private key (PEM)")
    user: str | None = Field(None, min_length=1)
    password_file: Path | None = Field(None, strict=False, description="Its first line is the password")
    tags_per_s: float = Field(
        1000.0, gt=0, le=1e6, description="Tag changes a second at most; beyond, each Tag's newest. Events: never fewer"
    )
    commands: bool = Field(False, description="Take commands from the broker")

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port of the broker; ValueError if `broker` has none."""
        match = BROKER.fullmatch(self.broker)
        if match is None or int(match["port"]) > 65535:
            raise ValueError(f'{self.broker!r} is not "host:port" (an IPv6 address goes in brackets)')
        return match["six"] or match["host"], int(match["port"])

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _ = self.endpoint
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("ca_file, cert_file and key_file have no effect without tls = true")
        if self.password_file and not self.user:
            raise ValueError("password_file needs user")
        return self
