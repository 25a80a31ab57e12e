"""MQTT at speed, for the Link and the Output: aiomqtt connects, and QoS 1 flows past it.

aiomqtt and the paho client beneath it read a packet in three system calls and give each PUBLISH a lock, a future and a
timeout of its own, which costs 130 to 400 µs a message. So they keep what happens once a connection (CONNECT, login,
TLS, will, SUBSCRIBE, keepalive, DISCONNECT), and what happens once a message (PUBLISH and PUBACK) is read and written
here, in one large piece per turn of the loop.
"""

from __future__ import annotations

from gateway.mqtt.connection import Connection, Message

__all__ = ["Connection", "Message"]
