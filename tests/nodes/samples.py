"""The host port's sources of samples through ctypes."""

from __future__ import annotations

import ctypes

import numpy as np

from tests.nodes.library import source_library


class Source:
    """An opened source; ValueError with its own words if it refuses the specification."""

    def __init__(self, spec: str, seed: int = 1) -> None:
        self._lib = source_library()
        self._lib.source_open.restype = ctypes.c_void_p
        self._lib.source_open.argtypes = (ctypes.c_char_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t)
        self._lib.source_read.argtypes = (
            ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint16, ctypes.c_uint8,
        )  # fmt: skip
        self._lib.source_rate.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self._lib.source_close.argtypes = (ctypes.c_void_p,)
        error = ctypes.create_string_buffer(200)
        self._source = self._lib.source_open(spec.encode(), seed, error, len(error))
        if not self._source:
            raise ValueError(error.value.decode())
        rate, channels = ctypes.c_uint32(), ctypes.c_uint8()
        self._lib.source_rate(self._source, ctypes.byref(rate), ctypes.byref(channels))
        self.rate_millihz, self.channels = rate.value, channels.value

    def read(self, seconds: float, n: int, channels: int | None = None) -> np.ndarray:
        """Samples [n, channels] from that time on; IndexError where the source says no, with its number."""
        width = self.channels if channels is None else channels
        out = np.empty((n, width), np.int16)
        result = self._lib.source_read(self._source, round(seconds * 1e6), out.ctypes.data, n, width)
        if result:
            raise IndexError(result)
        return out

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._lib.source_close(self._source)
