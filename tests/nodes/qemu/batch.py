"""Questions for nodes/c_tflm/ports/bench/runner.c, asked in one start of an emulator."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.nodes.qemu.emulator import Processor, run

END, MODEL, INPUTS, WINDOW, LEARNER, LEARN, JUDGE, SAVE, LOGARITHMS, POWERS, TRANSFORM, SPECTROGRAM, IMAGE, HEAR = (
    range(14)
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the engine said to a .tflite: status (enum network_status, 0: runs), operator refused, bytes that it needs,
    bytes of an input and of an output."""

    status: int
    refused_op: int
    memory: int
    input: int
    output: int


Answer = Any
"""As the method says that put the question."""


class Batch:
    """Collects questions; `ask` gives the answers in the same order."""

    def __init__(self) -> None:
        self._questions = bytearray()
        self._kinds: list[int] = []

    def model(self, tflite: bytes) -> None:
        """Open a .tflite -> Opened. Inputs are for the last one opened."""
        self._add(MODEL, tflite)

    def inputs(self, inputs: np.ndarray) -> None:
        """Run it, each row of `inputs` one inference -> the bytes of all outputs in turn."""
        self._add(INPUTS, np.ascontiguousarray(inputs).tobytes())

    def window(self, feature_set: int, samples: np.ndarray) -> None:
        """Features of int16 samples [n, channels] -> (sensor fault, int32 features)."""
        n, channels = samples.shape
        data = np.ascontiguousarray(samples, "<i2").tobytes()
        self._add(WINDOW, struct.pack("<BBH", feature_set, channels, n) + data)

    def learner(self, feature_set: int, channels: int, windows: int, average: int, events_ppb: int) -> None:
        """Begin one -> int, its reply."""
        self._add(LEARNER, struct.pack("<BBBxHxxI", feature_set, channels, average, windows, events_ppb))

    def learn(self, features: list[list[int]]) -> None:
        """Give it windows -> list of replies."""
        self._add(LEARN, np.array(features, "<i4").tobytes())

    def judge(self, features: list[list[int]]) -> None:
        """Let it judge windows -> list of verdicts, as in nodes/wire/learner."""
        self._add(JUDGE, np.array(features, "<i4").tobytes())

    def save(self) -> None:
        """-> bytes, its learner-image."""
        self._add(SAVE, b"")

    def logarithms(self, numbers: list[int]) -> None:
        """fixed_log2 -> list."""
        self._add(LOGARITHMS, np.array(numbers, "<u8").tobytes())

    def powers(self, numbers: list[int]) -> None:
        """fixed_exp2 -> list."""
        self._add(POWERS, np.array(numbers, "<i4").tobytes())

    def transform(self, values: list[list[int]]) -> None:
        """fft of pairs -> list of pairs."""
        self._add(TRANSFORM, np.array(values, "<i4").tobytes())

    def spectrogram(self, frame: int, bands: int, corner: int, samples: np.ndarray) -> None:
        """Feature set 4 of int16 samples [n] -> int32 rows, all in one; empty for a form that it refuses."""
        head = struct.pack("<4H", frame, corner, bands, len(samples))
        self._add(SPECTROGRAM, head + np.ascontiguousarray(samples, "<i2").tobytes())

    def image(self, image: bytes) -> None:
        """Open a model image that looks at a spectrogram -> (status, enum model_status; bytes that it needs)."""
        self._add(IMAGE, image)

    def hear(self, windows: np.ndarray) -> None:
        """Interleaved windows int16 [n, samples, channels] for it -> list of errors."""
        self._add(HEAR, np.ascontiguousarray(windows, "<i2").tobytes())

    def ask(self, processor: Processor, program: Path, folder: Path) -> list[Answer]:
        """One start of the program. AssertionError if the program fails or writes behind its memory."""
        (folder / "batch.in").write_bytes(self._questions + struct.pack("<II", END, 0))
        run(processor, program, folder)
        answers = list(_answers((folder / "batch.out").read_bytes()))
        assert len(answers) == len(self._kinds)
        return [_read(kind, answer) for kind, answer in zip(self._kinds, answers, strict=True)]

    def _add(self, kind: int, payload: bytes) -> None:
        self._questions += struct.pack("<II", kind, len(payload)) + payload + bytes(-len(payload) % 4)
        self._kinds.append(kind)


def _answers(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + n]
        at += 4 + n + -n % 4


def _read(kind: int, answer: bytes) -> Answer:
    match kind:
        case 1:
            return Opened(*struct.unpack("<5i", answer))
        case 2:
            (spoilt,) = struct.unpack_from("<I", answer)
            assert spoilt == 0, f"{spoilt} bytes written behind its memory"
            return answer[4:]
        case 3:
            return answer[0], np.frombuffer(answer[4:], "<i4")
        case 4:
            return answer[0]
        case 5:
            return list(answer)
        case 6:
            return np.frombuffer(answer, "<u4").reshape(-1, 9).tolist()
        case 8 | 11:
            return np.frombuffer(answer, "<i4").tolist()
        case 9:
            return np.frombuffer(answer, "<u8").tolist()
        case 10:
            return np.frombuffer(answer, "<i4").reshape(-1, 2).tolist()
        case 12:
            return struct.unpack("<iI", answer)
        case 13:
            spoilt, *errors = np.frombuffer(answer, "<u4").tolist()
            assert spoilt == 0, f"{spoilt} bytes written behind its memory"
            return errors
        case _:
            return answer
