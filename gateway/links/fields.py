"""The kinds of setting that several Links have, each defined once."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_ENDPOINT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]{1,253})):(?P<port>\d{1,5})")


def split_endpoint(text: str) -> tuple[str, int]:
    """`host:port` or `[IPv6 address]:port` -> host, port; ValueError if it is not of that form."""
    match = _ENDPOINT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f'{text!r} is not "host:port" (an IPv6 address goes in brackets, a port is 0 to 65535)')
    return match["six"] or match["host"], int(match["port"])


def _checked(text: str) -> str:
    split_endpoint(text)
    return text


Endpoint = Annotated[str, AfterValidator(_checked)]

Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$", description="Names this link in counters and logs.")
]

QueueLength = Annotated[
    int,
    Field(ge=1, le=1_000_000, description="Frames that may wait for the gateway; when full, the newest is dropped."),
]
DEFAULT_QUEUE = 4096
