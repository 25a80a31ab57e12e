"""Spectrograms by the node's C code."""

from __future__ import annotations

import ctypes

import numpy as np

from gateway.training.features.mel import Form
from tests.nodes.library import node_library


class CForm(ctypes.Structure):
    _fields_ = (("frame", ctypes.c_uint16), ("corner", ctypes.c_uint16), ("bands", ctypes.c_uint8))


class Scale(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_int32), ("multiplier", ctypes.c_int32), ("shift", ctypes.c_uint8))


BANDS_MAX, HALF_MAX, GUARD = 64, 256, 0x5A5A5A5A


class CMel(ctypes.Structure):
    _fields_ = (
        ("form", CForm),
        ("begun", ctypes.c_bool),
        ("edges", ctypes.c_uint16 * (BANDS_MAX + 2)),
        ("before", ctypes.c_int16 * HALF_MAX),
        ("bins", ctypes.c_int32 * (2 * HALF_MAX)),
        ("guard", ctypes.c_uint32),
    )


class Mel:
    """`struct mel` and what is called with it. ValueError for a form that it refuses."""

    def __init__(self, frame: int, bands: int, corner: int) -> None:
        library = node_library()
        library.mel_init.restype = library.mel_add.restype = ctypes.c_bool
        library.mel_quantize.argtypes = (*[ctypes.c_void_p] * 3, ctypes.c_int8, ctypes.c_void_p)
        library.mel_quantize.restype = None
        self._library = library
        self._mel = CMel(guard=GUARD)
        if not library.mel_init(ctypes.byref(self._mel), ctypes.byref(CForm(frame, corner, bands))):
            raise ValueError("refused")

    @classmethod
    def of(cls, form: Form) -> Mel:
        return cls(form.frame, form.bands, form.corner)

    @property
    def edges(self) -> list[int]:
        return list(self._mel.edges[: self._mel.form.bands + 2])

    def add(self, samples: np.ndarray, stride: int = 1) -> list[int] | None:
        """The row that half a frame of samples ends, if it ends one."""
        data = np.ascontiguousarray(samples, np.int16)
        assert len(data) >= (self._mel.form.frame // 2 - 1) * stride + 1
        row = np.full(self._mel.form.bands + 1, GUARD, np.int32)
        ended = self._library.mel_add(
            ctypes.byref(self._mel), ctypes.c_void_p(data.ctypes.data), stride, ctypes.c_void_p(row.ctypes.data)
        )
        assert row[-1] == GUARD == self._mel.guard
        assert ended or np.all(row == GUARD)
        return row[:-1].tolist() if ended else None

    def rows(self, samples: np.ndarray) -> list[list[int]]:
        """Of one window, from its beginning."""
        half = self._mel.form.frame // 2
        whole = [self.add(samples[at : at + half]) for at in range(0, len(samples) - half + 1, half)]
        assert whole[0] is None
        return [row for row in whole[1:] if row is not None]

    def quantise(self, row: list[int], scaling: list[tuple[int, int, int]], zero_point: int) -> list[int]:
        scales = (Scale * len(scaling))(*scaling)
        out = np.full(len(row) + 1, 77, np.int8)
        given = np.array(row, np.int32)
        self._library.mel_quantize(
            ctypes.byref(self._mel), given.ctypes.data, ctypes.addressof(scales), zero_point, out.ctypes.data
        )
        assert out[-1] == 77
        return out[:-1].tolist()
