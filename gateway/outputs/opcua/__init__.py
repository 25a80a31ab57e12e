"""OPC UA: a server with the plant as typed objects, Tags as variables and Alarms as Part 9 conditions.

asyncua takes half a second and 20 MB: it is imported when somebody asks for more than the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.outputs.opcua.settings import Settings

if TYPE_CHECKING:
    from gateway.outputs.opcua.server import Output
    from gateway.outputs.opcua.space import addresses

__all__ = ["Output", "Settings", "addresses"]


def __getattr__(name: str) -> object:
    match name:
        case "Output":
            from gateway.outputs.opcua.server import Output

            return Output
        case "addresses":
            from gateway.outputs.opcua.space import addresses

            return addresses
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
