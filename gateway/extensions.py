"""Links and outputs are found by the name of their file: a new one is a file, and no line here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import ModuleType

from gateway import links, outputs


@cache
def link_modules() -> Mapping[str, ModuleType]:
    """Type of link -> its module."""
    return _with(links, "Link")


@cache
def output_modules() -> Mapping[str, ModuleType]:
    """Name of output -> its module."""
    return _with(outputs, "Output")


def _with(package: ModuleType, offered: str) -> Mapping[str, ModuleType]:
    found = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if {offered, "Settings"} <= set(dir(module)):  # `hasattr` would make it import what it stands on
            found[info.name] = module
    return found
