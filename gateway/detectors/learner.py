"""The learner of a node (`nodes/wire/SPEC.md`, "Learner"), as the node computes it: `core/learner.h` through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Self

import cbor2

from gateway.detectors import feature_sets
from gateway.detectors.node_library import node_library

BYTES = 4096  # struct learner, as the library is built
IMAGE_MAX = 1152  # what `learner_save` needs at most


class State(IntEnum):
    """What a learner is at."""

    EMPTY, LEARNING, WATCHING, FROZEN = range(4)


class Reply(IntEnum):
    """What a learner answers."""

    OK, MORE, DONE, ANOMALOUS, NOT_NOW, MISFIT, DAMAGED = range(7)


class LearnerRefused(ValueError):  # noqa: N818 - says what the learner did
    """The learner does not do that; `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the learner says {reply.name.lower()}")
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one window; `similarity` 0..100, anomalous below 50. The fields are explained in core/learner.h.

    `moved`: feature sets 1 and 3 tell by their levels; set 2, which does not know how a sensor is mounted, never does.
    """

    error: int
    threshold: int
    similarity: int
    score: int
    leading: int
    anomalous: bool
    latched: bool
    moved: bool
    drifted: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How a learner stands; `drift_q8` is 256 where the followed mean has reached the threshold."""

    state: State
    learned: int
    wanted: int
    refused: int
    followed: int
    events_ppb: int
    drift_q8: int
    least_similarity: int


class _Setup(ctypes.Structure):
    _fields_ = (
        ("feature_set", ctypes.c_uint8),
        ("channels", ctypes.c_uint8),
        ("average", ctypes.c_uint8),
        ("windows", ctypes.c_uint16),
        ("events_ppb", ctypes.c_uint32),
    )


class _Verdict(ctypes.Structure):
    _fields_ = (
        ("error", ctypes.c_uint32),
        ("threshold", ctypes.c_uint32),
        ("similarity", ctypes.c_uint8),
        ("score", ctypes.c_uint8),
        ("leading", ctypes.c_uint8),
        ("anomalous", ctypes.c_bool),
        ("latched", ctypes.c_bool),
        ("moved", ctypes.c_bool),
        ("drifted", ctypes.c_bool),
    )


class _Diagnosis(ctypes.Structure):
    _fields_ = (
        ("state", ctypes.c_int),
        ("learned", ctypes.c_uint16),
        ("wanted", ctypes.c_uint16),
        ("refused", ctypes.c_uint32),
        ("followed", ctypes.c_uint32),
        ("events_ppb", ctypes.c_uint32),
        ("drift_q8", ctypes.c_uint16),
        ("least_similarity", ctypes.c_uint8),
    )


@cache
def _library() -> ctypes.CDLL:
    library = node_library()
    library.learner_save.restype = ctypes.c_size_t
    library.learner_rate_ppb.restype = ctypes.c_uint32
    return library


class Learner:
    """One learner. Not thread-safe. Features are those of its feature set, whole numbers of 32 bits."""

    def __init__(
        self, feature_set: int, channels: int, *, windows: int = 0, events_ppb: int = 0, average: int = 1
    ) -> None:
        """Begins to learn: from `windows` windows (0: as many as fit), for `events_ppb` false alarms in 10^9 windows
        (0: one in 5,000). KeyError for an unknown feature set, LearnerRefused for what does not fit, LibraryMissing
        where the node's code is not there.
        """
        self._lib = _library()
        self._features = feature_sets.size(feature_set, channels)
        self._memory = ctypes.create_string_buffer(BYTES)
        setup = _Setup(feature_set, channels, average, windows, events_ppb)
        self._must(self._lib.learner_init(self._memory, ctypes.byref(setup)))

    @classmethod
    def of(cls, image: bytes) -> Self:
        """One that knows what a `learner-image` says. LearnerRefused if that is none, or of a feature set that is
        computed nowhere, and LibraryMissing.
        """
        try:
            _, feature_set, channels, average, *_ = cbor2.loads(image)
            learner = cls(int(feature_set), int(channels), average=int(average))
        except LearnerRefused:
            raise
        except KeyError as error:
            raise LearnerRefused(Reply.MISFIT) from error
        except (ValueError, TypeError, EOFError, cbor2.CBORError) as error:
            raise LearnerRefused(Reply.DAMAGED) from error
        learner.load(image)
        return learner

    def relearn(self, windows: int = 0) -> None:
        """Learn anew, keeping what is known for `rollback`. Raises LearnerRefused."""
        self._must(self._lib.learner_relearn(self._memory, ctypes.c_uint16(windows)))

    def learn(self, features: Sequence[int]) -> Reply:
        """MORE, DONE or ANOMALOUS; NOT_NOW when it does not learn. ValueError for a wrong number of features.

        A machine that only starts while it is learned takes more windows than wanted: its start is not kept.
        """
        return Reply(self._lib.learner_learn(self._memory, self._values(features)))

    def detect(self, features: Sequence[int]) -> Verdict:
        """Judge one window. Raises LearnerRefused while it learns, ValueError for a wrong number of features."""
        found = _Verdict()
        self._must(self._lib.learner_detect(self._memory, self._values(features), ctypes.byref(found)))
        return Verdict(*(getattr(found, name) for name, *_ in _Verdict._fields_))

    def sensitivity(self, events_ppb: int) -> None:
        """Another rate of false alarms, in 10^9 windows; 0: one in 5,000."""
        self._must(self._lib.learner_sensitivity(self._memory, ctypes.c_uint32(events_ppb)))

    def rate_ppb(self, similarity: int) -> int:
        """How often in 10^9 normal windows three of five have this similarity or less; 0 while it learns."""
        return int(self._lib.learner_rate_ppb(self._memory, ctypes.c_uint8(similarity)))

    def save(self) -> bytes:
        """What it knows, as a `learner-image` of wire.cddl; empty while it learns."""
        out = ctypes.create_string_buffer(IMAGE_MAX)
        size: int = self._lib.learner_save(self._memory, out, ctypes.c_size_t(IMAGE_MAX))
        return out.raw[:size]

    def load(self, image: bytes) -> None:
        """Know that instead. Raises LearnerRefused, and has changed nothing then."""
        self._must(self._lib.learner_load(self._memory, image, ctypes.c_size_t(len(image))))

    def merge(self, image: bytes) -> None:
        """Know that as well. Raises LearnerRefused, and has changed nothing then."""
        self._must(self._lib.learner_merge(self._memory, image, ctypes.c_size_t(len(image))))

    def rollback(self) -> None:
        """As before the last relearn, load or merge. Raises LearnerRefused if nothing is kept."""
        self._must(self._lib.learner_rollback(self._memory))

    def freeze(self, frozen: bool) -> None:
        """Frozen, it judges and does not follow."""
        self._lib.learner_freeze(self._memory, ctypes.c_bool(frozen))

    def acknowledge(self) -> None:
        """Someone has seen the alarm; after "moved" it learns anew."""
        self._lib.learner_acknowledge(self._memory)

    def diagnose(self) -> Diagnosis:
        """How it stands."""
        found = _Diagnosis()
        self._lib.learner_diagnose(self._memory, ctypes.byref(found))
        state, *rest = (getattr(found, name) for name, *_ in _Diagnosis._fields_)
        return Diagnosis(State(state), *rest)

    def _values(self, features: Sequence[int]) -> ctypes.Array[ctypes.c_int32]:
        if len(features) != self._features:
            raise ValueError(f"{len(features)} features where the feature set has {self._features}")
        return (ctypes.c_int32 * self._features)(*map(int, features))

    @staticmethod
    def _must(reply: int) -> None:
        if reply != Reply.OK:
            raise LearnerRefused(Reply(reply))
