"""The least memory with which an engine behind infer/network.h opens a file, found by trying."""

from __future__ import annotations

import ctypes
import faulthandler
import os
from collections.abc import Callable

from tests.nodes.direct_engine import State

ROOM = 1 << 14
"""Bytes before and behind the memory that is given: an engine with too little may write there."""


def asked_for(library: ctypes.CDLL, tflite: bytes) -> int:
    """What network_open says. AssertionError if it refuses the file."""
    return _opened(library, tflite)[0].memory_size


def least(library: ctypes.CDLL, tflite: bytes) -> int:
    """Bytes, of which one less is too little. Each try is a process of its own: some end in a fault."""
    too_little, enough = 0, asked_for(library, tflite)
    assert _survives(lambda: attaches(library, tflite, enough))
    while enough - too_little > 1:
        size = (too_little + enough) // 2
        if _survives(lambda size=size: attaches(library, tflite, size)):  # type: ignore[misc]
            enough = size
        else:
            too_little = size
    return enough


def attaches(library: ctypes.CDLL, tflite: bytes, size: int) -> bool:
    """Whether network_attach takes this much memory, which begins at a multiple of 16 less 8."""
    state, _file = _opened(library, tflite)
    memory = (ctypes.c_uint8 * (size + 2 * ROOM))()
    address = ctypes.addressof(memory) + ROOM
    address += -address % 16 + 8
    state.memory_size = size  # as if it had asked for no more
    given = ctypes.c_void_p(address)
    return bool(library.network_attach(ctypes.byref(state), given, ctypes.c_size_t(size)) == 0)


def _opened(library: ctypes.CDLL, tflite: bytes) -> tuple[State, ctypes.Array[ctypes.c_char]]:
    state, file = State(), ctypes.create_string_buffer(tflite, len(tflite))
    status = library.network_open(ctypes.byref(state), file, ctypes.c_size_t(len(tflite)))
    assert status == 0, f"refused with {status} at operator {state.refused_op}"
    return state, file


def _survives(attempt: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        os.close(2)  # what the interpreter has to say
        faulthandler.disable()
        os._exit(0 if attempt() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
