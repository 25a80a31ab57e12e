"""The structs of the C core, for ctypes, and what of JSON goes into them."""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char_p,
    c_int,
    c_int8,
    c_int16,
    c_int32,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)

VERDICTS = ("accepted", "malformed", "unknown_node", "bad_tag", "replayed", "undecodable")
ENVELOPE_MAX = 512
RECORD_SIZE = 40
SLOTS = 4
BLOCK = 1024
RING_BYTES = 2048
NEVER = 0xFFFF_FFFF
NOT_MEASURED = -32768


class Aes128(Structure):
    _fields_ = (("key", c_char_p), ("hardware", c_void_p), ("context", c_void_p))


class Ccm(Structure):
    _fields_ = (
        ("aes", POINTER(Aes128)), ("nonce", c_char_p), ("nonce_n", c_uint8), ("tag_n", c_uint8), ("aad", c_char_p),
        ("aad_n", c_uint16),
    )  # fmt: skip


class Bytes(Structure):
    _fields_ = (("data", c_char_p), ("n", c_size_t))

    @classmethod
    def of(cls, value: bytes | None) -> Bytes:
        return cls(value, len(value or b""))


class KeysSource(Structure):
    _fields_ = (("secret", Bytes), ("salt", Bytes), ("id", Bytes), ("id_context", Bytes))


class Keys(Structure):
    _fields_ = (
        ("kid", c_uint8 * 4), ("secret", c_uint8 * 16), ("up", c_uint8 * 16), ("iv_up", c_uint8 * 13),
        ("iv_down", c_uint8 * 13),
    )  # fmt: skip


class Replay(Structure):
    _fields_ = (("below", c_uint64), ("newest", c_uint32), ("any", c_bool))


class Downlink(Structure):
    _fields_ = (("replay", Replay), ("epoch", c_uint16))


class Cipher(Structure):
    _fields_ = (("hardware", c_void_p), ("context", c_void_p))


class FrameDecoder(Structure):
    _fields_ = (
        ("data", c_uint8 * 514), ("n", c_uint16), ("left", c_uint8), ("started", c_bool), ("zero", c_bool),
        ("oversize", c_bool),
    )  # fmt: skip


class RingEntry(Structure):
    _fields_ = (
        ("at_ms", c_uint64), ("seq", c_uint32), ("n", c_uint16), ("sends", c_uint16), ("type", c_uint8),
        ("array", c_uint8),
    )  # fmt: skip


class Ring(Structure):
    _fields_ = (("dropped", c_uint32), ("used", c_uint16), ("count", c_uint16), ("bytes", c_uint8 * RING_BYTES))


class Clock(Structure):
    _fields_ = (("local_ms", c_uint64), ("gateway_ms", c_uint64), ("fast_ppm", c_int32), ("started", c_bool))


class Record(Structure):
    _fields_ = (
        ("write", c_uint32), ("partial_iv_ceiling", c_uint32), ("seq_ceiling", c_uint32), ("seq_unused", c_uint32),
        ("last_command", c_uint32), ("heartbeat_ms", c_uint32), ("wake_ms", c_uint32), ("epoch", c_uint16),
        ("last_result", c_uint8), ("version", c_uint8), ("down_unused", c_uint32),
    )  # fmt: skip


class Ceiling(Structure):
    _fields_ = (
        ("record", Record), ("next_partial_iv", c_uint32), ("next_seq", c_uint32), ("skipped", c_uint32),
        ("slot", c_uint8), ("heal", c_bool),
    )  # fmt: skip


class Port(Structure):
    _fields_ = (
        ("context", c_void_p),
        ("now_ms", CFUNCTYPE(c_uint64, c_void_p)),
        ("sample", CFUNCTYPE(c_int, c_void_p, POINTER(c_int16), c_uint16, c_uint8)),
        ("send", CFUNCTYPE(c_bool, c_void_p, POINTER(c_uint8), c_size_t)),
        ("receive", CFUNCTYPE(c_size_t, c_void_p, POINTER(c_uint8), c_size_t, POINTER(c_uint32))),
        ("persist_read", CFUNCTYPE(c_bool, c_void_p, c_uint8, POINTER(c_uint8))),
        ("persist_write", CFUNCTYPE(c_bool, c_void_p, c_uint8, POINTER(c_uint8))),
        ("battery_mv", CFUNCTYPE(c_uint16, c_void_p)),
        ("temperature_cdeg", CFUNCTYPE(c_int16, c_void_p)),
        ("link_dbm", CFUNCTYPE(c_int16, c_void_p)),
        ("identify", CFUNCTYPE(None, c_void_p)),
        ("event", CFUNCTYPE(None, c_void_p, c_int, c_uint32)),
        ("aes", CFUNCTYPE(None, c_void_p, POINTER(c_uint8), POINTER(c_uint8), POINTER(c_uint8))),
        ("current_na", c_uint32 * 4),
        ("store", c_void_p),
        ("alert", CFUNCTYPE(None, c_void_p, c_bool)),
        ("battery_load_mv", CFUNCTYPE(c_uint16, c_void_p)),
        ("stop_refused", CFUNCTYPE(c_uint32, c_void_p)),
        ("sample_short", CFUNCTYPE(c_int, c_void_p, POINTER(c_int16), c_uint16, c_uint8)),
        ("restart", CFUNCTYPE(None, c_void_p)),
        ("storage", CFUNCTYPE(None, c_void_p)),
        ("sample_part", CFUNCTYPE(c_int, c_void_p, POINTER(c_int16), c_uint16, c_uint8, c_uint16)),
    )


class PortStore(Structure):
    _fields_ = (
        ("size", c_uint32 * 4), ("page", c_uint16),
        ("read", CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8, c_uint32, POINTER(c_uint8), c_uint32)),
        ("erase", CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8)),
        ("write", CFUNCTYPE(c_bool, c_void_p, c_int, c_uint8, c_uint32, POINTER(c_uint8), c_uint32)),
    )  # fmt: skip


class LearnerSetup(Structure):
    _fields_ = (
        ("feature_set", c_uint8), ("channels", c_uint8), ("average", c_uint8), ("windows", c_uint16),
        ("events_ppb", c_uint32),
    )  # fmt: skip


class SlowLimits(Structure):
    _fields_ = (("low", c_int16 * 9), ("high", c_int16 * 9), ("set", c_uint32))


class AlertPolicy(Structure):
    _fields_ = (("raise_after", c_uint8), ("clear_after", c_uint8), ("on_fault", c_bool))


class ImageRules(Structure):
    _fields_ = (
        ("board", c_char_p), ("public_key", c_char_p), ("verify", c_void_p), ("unsigned_stores", c_uint8),
        ("running", c_int8), ("accept", c_void_p),
    )  # fmt: skip


class NodeConfig(Structure):
    _fields_ = (
        ("hardware", c_char_p), ("firmware", c_char_p), ("wake_ms", c_uint32), ("heartbeat_ms", c_uint32),
        ("listen_ms", c_uint16), ("samples", c_uint16), ("channels", c_uint8), ("reset_cause", c_uint8),
        ("window_every", c_uint16), ("flag_repeat", c_uint16), ("model_broken", c_bool), ("feature_set", c_uint8),
        ("kid", c_uint8 * 4), ("secret", c_uint8 * 16), ("rate_millihz", c_uint32), ("short_samples", c_uint16),
        ("whole_every", c_uint8), ("learner", c_void_p), ("setup", LearnerSetup), ("slow", c_void_p),
        ("judge_slow", c_void_p),
        ("limits", SlowLimits), ("alert", AlertPolicy), ("radio_min_mv", c_uint16), ("firmware_counter", c_uint32),
        ("slot", c_uint8), ("rules", POINTER(ImageRules)), ("updates", c_void_p), ("hear", c_void_p),
    )  # fmt: skip


class Span(Structure):
    _fields_ = (("at", c_void_p), ("n", c_uint32))

    @classmethod
    def of(cls, data: bytes | ctypes.Array | None) -> Span:
        """Of values, `n` counts them."""
        span = cls()
        if data is not None:
            span.kept = ctypes.create_string_buffer(data, max(1, len(data))) if isinstance(data, bytes) else data
            span.at = ctypes.addressof(span.kept)
            span.n = len(data)
        return span

    @property
    def data(self) -> bytes:
        return ctypes.string_at(self.at, self.n) if self.n else b""


NIL = -(2**31)


def _numbers(names: str) -> list[tuple[str, type]]:
    return [(name, c_uint32) for name in names.split()]


class Birth(Structure):
    _fields_ = (
        *_numbers("seq age wire_version full_seq skipped reset_cause"),
        ("hardware", Span), ("firmware", Span), *_numbers("feature_set channels generation"), ("model", Span),
        *_numbers("wake_ms heartbeat_ms listen_ms epoch last_command"),
        *_numbers("has_more samples rate_millihz firmware_counter slot"), ("learner", Span),
    )  # fmt: skip


class Flag(Structure):
    _fields_ = (*_numbers("seq age score why generation has_features feature_set"), ("values", Span))


class Window(Structure):
    _fields_ = (*_numbers("seq age score generation feature_set"), ("values", Span))


class Health(Structure):
    _fields_ = (
        *_numbers("seq age score why battery_mv"), ("temperature_cdeg", c_int32), ("link_dbm", c_int32),
        *_numbers("uptime_s wakes flags resends ring_drops refused sleep sensor compute radio"),
        *_numbers("has_more"), ("battery_load_mv", c_int32), *_numbers("deferred stop_refused restarts"),
        *_numbers("has_learner state learned similarity drift events_ppb"),
    )  # fmt: skip


class Result(Structure):
    _fields_ = tuple(_numbers("seq age id code has_detail detail"))


class Sampled(Structure):
    _fields_ = (*_numbers("seq age window_number part parts channels rate_millihz"), ("data", Span))


class LearnerState(Structure):
    _fields_ = (*_numbers("seq age part parts"), ("data", Span))


class Ack(Structure):
    _fields_ = (("time_ms", c_uint64), ("base", c_int32), *_numbers("bitmap next_s mail birth_wanted"))


class Command(Structure):
    _fields_ = tuple(_numbers("id kind has_argument argument"))


class Offer(Structure):
    _fields_ = (
        *_numbers("id store size"), ("sha256", Span), *_numbers("counter has_signature"), ("signature", Span),
    )  # fmt: skip


class Chunk(Structure):
    _fields_ = (*_numbers("transfer offset"), ("data", Span))


class DownUnion(ctypes.Union):
    _fields_ = (("ack", Ack), ("command", Command), ("offer", Offer), ("chunk", Chunk))


class DownMessage(Structure):
    _fields_ = (("type", c_int), ("u", DownUnion))


UP = {
    "birth": Birth, "flag": Flag, "window": Window, "health": Health, "result": Result, "sampled": Sampled,
    "learner_state": LearnerState,
}  # fmt: skip
TAILS = {"features", "more", "learner", "detail", "argument", "signature"}
"""Keys of a vector's message that may be left off: a struct has a flag for them."""


def to_struct(name: str, message: dict) -> Structure:
    """The struct that holds the message of an upward vector."""
    out = UP[name]()
    spans = {field for field, kind in out._fields_ if kind is Span}
    kept = []

    def put(key: str, value: object) -> None:
        flag = f"has_{key}"
        if key in TAILS and hasattr(out, flag):
            setattr(out, flag, value is not None)
        if isinstance(value, dict):
            for part, inner in value.items():
                put(part, inner)
        elif key in spans:
            data = value.encode() if key in ("hardware", "firmware") else value
            data = (c_int32 * len(value))(*value) if key == "values" else data
            span = Span.of(bytes.fromhex(data) if isinstance(data, str) else data)
            kept.append(span.kept if value is not None else None)  # ctypes copies the pointer alone
            setattr(out, key, span)
        elif key not in TAILS or value is not None:
            setattr(out, key, NIL if value is None else value)

    for key, value in message.items():
        put(key, value)
    out.kept = kept
    return out


def from_struct(name: str, struct: Structure) -> dict:
    """The message of a downward vector that a struct holds."""
    found: dict = {}
    for field, kind in struct._fields_:
        value = getattr(struct, field)
        if kind is Span:
            found[field] = value.data.hex()
        elif kind is c_int32 and value == NIL:
            found[field] = None
        elif not field.startswith("has_"):
            found[field] = value
    for key in TAILS & found.keys():
        if not getattr(struct, f"has_{key}"):
            found[key] = None
    if name == "ack":
        found["birth_wanted"] = bool(found["birth_wanted"])
    return found
