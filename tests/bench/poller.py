"""A Modbus client that reads every asset's registers once a second (Modbus TCP, function 4)."""

from __future__ import annotations

import socket
import threading
import time

from gateway.outputs.modbus.map import ASSET_BASE, ASSET_SLOTS, ASSET_STRIDE

MOST = 125  # registers of one request
EVERY_S = 1.0
TIMEOUT_S = 30.0


class Poller:
    """Polls in a thread of its own until stopped. `failure`: why it ended before, "" while it has not. `read_s`: when
    it began the last round that it has read to its end (CLOCK_MONOTONIC).
    """

    def __init__(self, port: int, assets: int) -> None:
        self.failure = ""
        self.read_s = time.monotonic()
        self._port = port
        self._words = min(assets, ASSET_SLOTS) * ASSET_STRIDE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modbus client", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._poll()
        except OSError as error:
            self.failure = str(error)

    def _poll(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S) as line:
            while not self._stop.wait(EVERY_S):
                began_s = time.monotonic()
                for start in range(0, self._words, MOST):
                    count = min(MOST, self._words - start)
                    read = b"\x04" + (ASSET_BASE + start).to_bytes(2, "big") + count.to_bytes(2, "big")
                    line.sendall(b"\0\1\0\0" + (len(read) + 1).to_bytes(2, "big") + b"\1" + read)
                    answer = _exactly(line, 9)
                    if answer[7] != 4:
                        raise ConnectionError(f"exception {answer[8]}")
                    _exactly(line, answer[8])
                self.read_s = began_s


def _exactly(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = line.recv(size - len(data))
        if not chunk:
            raise ConnectionError("the gateway has closed a Modbus connection")
        data += chunk
    return data
