"""Makers of asyncua's identifiers from plain values, which its annotations want wrapped."""

from __future__ import annotations

from asyncua import ua


def standard(identifier: int) -> ua.NodeId:
    """A node of OPC UA's own namespace."""
    return ua.NodeId(ua.Int32(identifier))


def named(identifier: str, namespace: int) -> ua.NodeId:
    """A node with a string id."""
    return ua.NodeId(ua.String(identifier), ua.Int16(namespace))


def status(code: int) -> ua.StatusCode:
    """A status code."""
    return ua.StatusCode(ua.UInt32(code))
