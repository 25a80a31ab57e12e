"""The socket of a connection, read and written in large pieces. paho sees what is not PUBLISH or PUBACK."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

READ_BYTES = 64 * 1024
UNSENT_BYTES = 4 * 1024 * 1024
"""With more than this to be sent nothing is read: a broker that talks and never listens does not fill the memory."""

_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Stream:
    """A connected socket that does not block. It stands in for the socket in paho's client.

    `received` is called with what was read, `ended` once when the peer has gone; `why` then says how.
    """

    def __init__(
        self, sock: socket.socket, loop: asyncio.AbstractEventLoop,
        received: Callable[[bytes], None], ended: Callable[[], None],
    ) -> None:  # fmt: skip
        self.why = ""
        self.closed = False
        self._socket = sock
        self._loop = loop
        self._received = received
        self._ended = ended
        self._out = bytearray()
        self._in = b""  # for paho
        self._flushing = False
        self._reading = self._writing = False
        self._tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        if self._tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small pieces do not wait for the peer's ACK

    def start(self) -> None:
        """Begin to read, on the loop."""
        if not self.closed:
            self._read_on()

    @property
    def crowded(self) -> bool:
        """More waits to be sent than should."""
        return len(self._out) > UNSENT_BYTES

    def write(self, data: bytes) -> None:
        """Send, in one piece with whatever else is written in this turn of the loop."""
        self._out += data
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send now what the socket takes, the rest when it takes more."""
        self._flushing = False
        if self.closed or self.why:
            return
        try:
            sent = self._socket.send(self._out) if self._out else 0
        except _NOT_NOW:
            sent = 0
        except OSError as error:
            self.end(str(error))
            return
        del self._out[:sent]
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            if self._writing:
                self._loop.add_writer(self.fileno(), self.flush)
            else:
                self._loop.remove_writer(self.fileno())
        if not self._reading and not self.crowded:
            self._read_on()

    def end(self, why: str) -> None:
        """Nothing comes or goes any more. The first reason stands."""
        if not self.why and not self.closed:
            self.why = why
            self._unregister()
            self._ended()

    def pass_on(self, packet: bytes) -> None:
        """Let paho read this."""
        self._in += packet

    def recv(self, size: int) -> bytes:
        """For paho: what was passed on, b"" after the end."""
        if not self._in and not self.why:
            raise BlockingIOError
        data, self._in = self._in[:size], self._in[size:]
        return data

    def send(self, data: bytes | bytearray) -> int:
        """For paho: everything is taken."""
        self.write(bytes(data))
        return len(data)

    def close(self) -> None:
        """For paho. What the socket still takes, as the DISCONNECT, goes out."""
        if not self.closed:
            self.flush()
            self.closed = True
            self._unregister()
            self._socket.close()

    def fileno(self) -> int:
        """For paho and aiomqtt."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """For paho, which has done so before."""

    def _hurry(self) -> None:
        """Send TCP's ACK now and not 40 ms later: a broker that gathers small packets, as mosquitto does, keeps the
        next PUBACKs until then. The kernel forgets it, so it is said after each read.
        """
        if self._tcp and not self.closed and not self.why:
            with suppress(OSError):  # the next read says what is wrong
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _read_on(self) -> None:
        self._reading = True
        self._loop.add_reader(self.fileno(), self._readable)

    def _unregister(self) -> None:
        self._reading = self._writing = False
        self._loop.remove_reader(self.fileno())
        self._loop.remove_writer(self.fileno())

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except _NOT_NOW:
            return
        except OSError as error:
            self.end(str(error))
            return
        if not data:
            self.end("the broker has closed the connection")
            return
        self._received(data)
        if self.closed or self.why:
            return
        self.flush()
        self._hurry()
        if self.crowded and self._reading:
            self._reading = False
            self._loop.remove_reader(self.fileno())
