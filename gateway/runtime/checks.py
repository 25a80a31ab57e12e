"""What `stethos check` looks at beyond the file itself: what the tables of links and outputs name, and the nodes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from gateway.config import Fault, Settings
from gateway.core.plant import Plant
from gateway.runtime import control
from gateway.runtime.credentials import place

MAX_SOCKET_PATH = 107  # bytes: sun_path of unix(7), and its zero

FILE_KEY = "_file"
"""Keys of links and outputs that end so name a file that somebody has to provide."""


def missing_files(settings: Settings) -> Iterator[Fault]:
    """Files that links and outputs need and that are not there; relative ones lie in the state folder."""
    tables: dict[str, BaseModel] = {f"link[{i}]": table for i, table in enumerate(settings.link)}
    tables |= {f"output.{name}": table for name, table in settings.output if table is not None}
    for path, table in tables.items():
        for key, value in table:
            if key.endswith(FILE_KEY) and isinstance(value, Path):
                file = place(value, settings.gateway.state_dir)
                if not file.is_file():
                    yield Fault(f"{path}.{key}", f"there is no file {file}")


def unreachable(settings: Settings) -> Iterator[Fault]:
    """A state folder so deep that the control socket in it would have no address."""
    too_long = len(os.fsencode(settings.gateway.state_dir / control.NAME)) - MAX_SOCKET_PATH
    if too_long > 0:
        yield Fault("gateway.state_dir", f"{too_long} bytes too long for the address of the control socket in it")


def unaddressable(settings: Settings, outputs: Mapping[str, ModuleType], plant: Plant) -> Iterator[Fault]:
    """Outputs that have no address for some Tag of the plant."""
    for name, table in settings.output:
        if table is not None:
            try:
                outputs[name].addresses(plant, table)
            except ValueError as error:
                yield Fault(f"output.{name}", str(error))


def unregistered(settings: Settings, registered: Collection[str]) -> list[str]:
    """Nodes that assets name and nobody has registered yet."""
    return [node for asset in settings.asset for node in asset.nodes if node not in registered]
