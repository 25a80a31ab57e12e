"""OPC UA: a server with the plant as typed objects, Tags as variables and Alarms as Part 9 conditions."""

from gateway.outputs.opcua.server import Output
from gateway.outputs.opcua.settings import Settings
from gateway.outputs.opcua.space import addresses

__all__ = ["Output", "Settings", "addresses"]
