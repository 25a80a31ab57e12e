"""The C library's four functions of ports/small against Python's own bytes, overlaps and all lengths of a few words."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SOURCE = Path(__file__).parents[2] / "nodes" / "c_tflm" / "ports" / "small" / "memory.c"
NAMES = ("memcpy", "memmove", "memset", "memcmp")
SIZE = 40
PLACE = st.integers(0, SIZE)
DATA = st.binary(min_size=SIZE, max_size=SIZE)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Under names of its own, so that nobody else gets to call it."""
    out = tmp_path_factory.mktemp("small") / "small.so"
    renamed = [f"-D{name}=small_{name}" for name in NAMES]
    subprocess.run(["cc", "-std=c11", "-Os", "-shared", "-fPIC", *renamed, "-o", str(out), str(SOURCE)], check=True)
    library = ctypes.CDLL(str(out))
    for name in NAMES[:3]:
        getattr(library, f"small_{name}").restype = ctypes.c_void_p
    return library


@given(DATA, PLACE, PLACE, PLACE)
def test_moving_within_a_buffer(small, data, to, start, n):
    n = min(n, SIZE - max(to, start))
    memory = ctypes.create_string_buffer(data, SIZE)
    at = ctypes.addressof(memory)
    returned = small.small_memmove(ctypes.c_void_p(at + to), ctypes.c_void_p(at + start), ctypes.c_size_t(n))
    expected = bytearray(data)
    expected[to : to + n] = data[start : start + n]
    assert (returned, memory.raw) == (at + to, bytes(expected))


@given(DATA, DATA, PLACE, PLACE, PLACE)
def test_copying(small, data, other, to, start, n):
    n = min(n, SIZE - max(to, start))
    memory = ctypes.create_string_buffer(data, SIZE)
    at = ctypes.addressof(memory) + to
    assert small.small_memcpy(ctypes.c_void_p(at), other[start:], ctypes.c_size_t(n)) == at
    assert memory.raw == data[:to] + other[start : start + n] + data[to + n :]


@given(DATA, PLACE, st.integers(-1, 300), PLACE)
def test_filling(small, data, to, value, n):
    n = min(n, SIZE - to)
    memory = ctypes.create_string_buffer(data, SIZE)
    at = ctypes.addressof(memory) + to
    assert small.small_memset(ctypes.c_void_p(at), value, ctypes.c_size_t(n)) == at
    assert memory.raw == data[:to] + bytes([value & 0xFF]) * n + data[to + n :]


@given(DATA, PLACE, st.integers(0, 255), PLACE)
def test_comparing(small, data, at, value, n):
    other = bytearray(data)
    if at < SIZE:
        other[at] = value
    found = small.small_memcmp(data, bytes(other), ctypes.c_size_t(n))
    expected = (data[:n] > bytes(other[:n])) - (data[:n] < bytes(other[:n]))
    assert (found > 0) - (found < 0) == expected
