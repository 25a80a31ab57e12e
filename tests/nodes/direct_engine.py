"""`direct` through ctypes, as a test drives it."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

from tests.nodes.library import node_library

KINDS = {0: np.float32, 9: np.int8}


class End(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("scale", ctypes.c_uint32),
        ("zero_point", ctypes.c_int8),
        ("type", ctypes.c_uint8),
    )


class State(ctypes.Structure):
    """struct network"""

    _fields_ = (
        ("input", End),
        ("output", End),
        ("memory_size", ctypes.c_size_t),
        ("refused_op", ctypes.c_int16),
        ("refused_at", ctypes.c_uint16),
        ("state", ctypes.c_void_p),
        ("tflite", ctypes.c_void_p),
        ("tflite_size", ctypes.c_uint32),
        ("units", ctypes.c_uint32),
    )


def load() -> ctypes.CDLL:
    lib = node_library()
    lib.network_op_name.restype = ctypes.c_char_p
    lib.network_status_text.restype = ctypes.c_char_p
    return lib


class Fenced:
    """Bytes whose end is the end of a page, with a page behind it that nobody may touch: reading on is a crash."""

    def __init__(self, data: bytes) -> None:
        pages = -(-len(data) // mmap.PAGESIZE) + 1
        self._map = mmap.mmap(-1, pages * mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        fence = (pages - 1) * mmap.PAGESIZE
        self._map[fence - len(data) : fence] = data
        self.address = ctypes.c_void_p(start + fence - len(data))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        assert protect(ctypes.c_void_p(start + fence), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0


class Refused(Exception):
    """network_open or network_attach said no: the name of the status, and of the operator where there is one."""


class Direct:
    """One opened file. `memory_size` is what it asked for; it gets that and not a byte more."""

    def __init__(self, tflite: bytes) -> None:
        self._lib = load()
        self._state = State()
        self._file = Fenced(tflite)
        self._check(self._lib.network_open(ctypes.byref(self._state), self._file.address, ctypes.c_size_t(len(tflite))))
        self.memory_size: int = self._state.memory_size
        self._guard = (ctypes.c_uint8 * (self.memory_size + 16))(*[0xA5] * (self.memory_size + 16))
        self._check(self._lib.network_attach(ctypes.byref(self._state), self._guard, ctypes.c_size_t(self.memory_size)))

    def _check(self, status: int) -> None:
        if status:
            op = self._state.refused_op
            name = "" if op < 0 else f": {self._lib.network_op_name(op).decode()}"
            raise Refused(self._lib.network_status_text(status).decode() + name)

    @property
    def inputs(self) -> int:
        return self._state.input.size

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Floats where the model has them at its ends, else int8."""
        x = np.ascontiguousarray(inputs, KINDS[self._state.input.type])
        assert x.size == self._state.input.size
        out = np.empty(self._state.output.size, KINDS[self._state.output.type])
        self._lib.network_run(ctypes.byref(self._state), x.ctypes.data_as(ctypes.c_void_p),
                             out.ctypes.data_as(ctypes.c_void_p))  # fmt: skip
        assert bytes(self._guard)[self.memory_size :] == b"\xa5" * 16, "wrote behind its memory"
        return out


def cut_anywhere(tflite: bytes, x: np.ndarray) -> None:
    """A file that is cut is refused, or gives the same."""
    expected = Direct(tflite).run(x)
    survived = 0
    for length in range(len(tflite)):
        try:
            direct = Direct(tflite[:length])
        except Refused:
            continue
        survived += 1
        assert np.array_equal(direct.run(x), expected), length
    assert survived < 16  # only what pads the end may be missing


def any_byte_changed(tflite: bytes) -> None:
    """A file with a wrong byte is refused, or runs."""
    refusals = 0
    for at in range(len(tflite)):
        for bits in (0xFF, 0x80, 0x01):
            damaged = bytearray(tflite)
            damaged[at] ^= bits
            try:
                direct = Direct(bytes(damaged))
            except Refused:
                refusals += 1
                continue
            direct.run(np.zeros(direct.inputs, np.int8))
    assert refusals > len(tflite) // 4
