"""What the nodes of a storm listen at: a sensor that fails and recovers, or simulated motors that go wrong and are well
again, with the model by which their nodes tell.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import c_size_t, c_uint64, create_string_buffer, sizeof
from pathlib import Path

from gateway.training.simulator import Simulation

NO_ANSWER = 7  # sample status: the sensor did not answer
PHASE_S = 2.0  # so long all motors are well, and then ill
RULE = "[rule]\nwindow_s = 1\nquiet_s = 1\n"  # what opens in one phase is closed in the next
HOST_BUNDLE, NODE_IMAGE = "motor-host", "motor-node/image.cbor"
WINDOWS = 8  # of each kind, a second apart
MODEL_BYTES, WORKING_WORDS = 4096, 512  # room enough for struct model, and for what its network works in


class Sensor:
    """One channel that answers at every other wake: each wake is news."""

    channels, samples, window_every = 1, 8, 0
    model: ctypes.Array[ctypes.c_char] | None = None

    def window(self, wake: int) -> bytes | None:
        """Samples, or None: no answer."""
        if wake % 2:
            return None
        return b"".join(((7919 * i + wake) % 1000).to_bytes(2, "little") for i in range(self.samples))


class Motor:
    """One place on a motor. Its sensor fails at every fourth wake; all motors are ill at the same times, so that k of n
    nodes flag within the rule's window, and quiet in between. Every other normal window is sent.
    """

    channels, samples, window_every = 6, 128, 2

    def __init__(self, library: ctypes.CDLL, models: Path, seed: int) -> None:
        self._well, self._ill = (self._windows(spec, seed) for spec in ("sim:motor", "sim:motor?fault=imbalance"))
        image = (models / NODE_IMAGE).read_bytes()
        self._image = create_string_buffer(image, len(image))
        self._working = (c_uint64 * WORKING_WORDS)()
        self.model = create_string_buffer(MODEL_BYTES)
        refused = library.model_open(
            self.model, self._image, c_size_t(len(image)), self._working, c_size_t(sizeof(self._working))
        )
        assert not refused, refused

    def _windows(self, spec: str, seed: int) -> list[bytes]:
        with Simulation(spec, seed) as machine:
            return [machine.window(1_000_000 * i, self.samples).astype("<i2").tobytes() for i in range(WINDOWS)]

    def window(self, wake: int) -> bytes | None:
        """Samples, or None: no answer."""
        if wake % 4 == 0:
            return None
        return (self._ill if time.monotonic() % (2 * PHASE_S) > PHASE_S else self._well)[wake % WINDOWS]
