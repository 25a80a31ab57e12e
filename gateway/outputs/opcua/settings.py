"""The `[output.opcua]` table of stethos.toml."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Settings(BaseModel):
    """Where the server listens and whom it admits. Relative paths are resolved against the state directory by the
    composition root.

    Without further settings it listens on loopback, offers Basic256Sha256 and Aes256_Sha256_RsaPss with SignAndEncrypt
    only, and wants a trusted client certificate and a user with a password. `none` (no encryption) and `anonymous`
    (no user) are for trials and are refused on anything but a loopback address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = "opc.tcp://127.0.0.1:4840/stethos"
    pki: Path = Path("pki")  # own/, trusted/, rejected/
    users: Path = Path("opcua-users")  # one line per user, see users.py
    names: tuple[str, ...] = ()  # further host names and addresses for the server's certificate
    none: bool = False
    anonymous: bool = False
    max_connections: int = Field(default=50, ge=1, le=1000)
    max_subscriptions: int = Field(default=100, ge=1, le=1000)  # of the whole server
    max_items: int = Field(default=20_000, ge=1, le=100_000)  # monitored items of one subscription

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, endpoint: str) -> str:
        url = urlsplit(endpoint)
        if url.scheme != "opc.tcp" or not url.hostname:
            raise ValueError('write it as "opc.tcp://ADDRESS:PORT/NAME"')
        if url.port is None:  # urlsplit itself raises ValueError for a number that is no port
            raise ValueError("the port is missing, 4840 is OPC UA's own")
        return endpoint

    @model_validator(mode="after")
    def _open_doors_on_loopback_only(self) -> Self:
        if (self.none or self.anonymous) and not self.is_loopback:
            raise ValueError(
                f"`none` and `anonymous` are allowed on a loopback address only, and {self.host} is not one: whoever "
                "reaches the port could acknowledge alarms"
            )
        return self

    @property
    def host(self) -> str:
        """Address or name that the server binds to."""
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        """TCP port; 0 takes a free one."""
        return urlsplit(self.endpoint).port or 0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the endpoint."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
