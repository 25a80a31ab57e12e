"""The structs of the C core and of the generated codec, for ctypes, and what of JSON goes into them."""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char_p,
    c_int,
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
BLOCK = 1024
RING_BYTES = 2048
NEVER = 0xFFFF_FFFF
NOT_MEASURED = -32768


class Aes128(Structure):
    _fields_ = (("round_key", c_uint8 * 176), ("hardware", c_void_p), ("context", c_void_p))


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
        ("last_command", c_uint32), ("heartbeat_ms", c_uint32), ("wake_ms", c_uint32), ("down_unused", c_uint32),
        ("epoch", c_uint16), ("last_result", c_uint8),
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
    )


class NodeConfig(Structure):
    _fields_ = (
        ("kid", c_uint8 * 4), ("secret", c_uint8 * 16), ("hardware", c_char_p), ("firmware", c_char_p),
        ("wake_ms", c_uint32), ("heartbeat_ms", c_uint32), ("listen_ms", c_uint16), ("samples", c_uint16),
        ("channels", c_uint8), ("reset_cause", c_uint8), ("window_every", c_uint16), ("flag_repeat", c_uint16),
        ("model_broken", c_bool),
    )  # fmt: skip


class String(Structure):
    _fields_ = (("value", c_void_p), ("len", c_size_t))

    @classmethod
    def of(cls, data: bytes) -> String:
        string = cls()
        string.kept = ctypes.create_string_buffer(data, max(1, len(data)))
        string.value = ctypes.addressof(string.kept)
        string.len = len(data)
        return string


def _numbers(prefix: str, names: str) -> list[tuple[str, type]]:
    return [(f"{prefix}_{name}", c_uint32) for name in names.split()]


class Birth(Structure):
    _fields_ = (
        *_numbers("birth", "seq age wire_version full_seq skipped reset_cause"),
        ("birth_hardware", String), ("birth_firmware", String),
        *_numbers("birth", "feature_set channels generation"),
        ("birth_model_bstr8", String), ("birth_model_choice", c_int),
        *_numbers("birth", "wake_ms heartbeat_ms listen_ms epoch last_command"),
    )  # fmt: skip


class WindowPart(Structure):
    _fields_ = (("feature_set", c_uint32), ("values", c_int32 * 64), ("values_n", c_size_t))


class Flag(Structure):
    _fields_ = (
        *_numbers("flag", "seq age score why generation"), ("part", WindowPart), ("present", c_bool),
    )  # fmt: skip


class Window(Structure):
    _fields_ = (
        *_numbers("window", "seq age score generation"),
        ("feature_set", c_uint32), ("values", c_int32 * 64), ("values_n", c_size_t),
    )  # fmt: skip


class Health(Structure):
    _fields_ = (
        *_numbers("health", "seq age score why battery_mv"),
        ("temperature_cdeg", c_int32), ("temperature_cdeg_choice", c_int),
        ("link_dbm", c_int32), ("link_dbm_choice", c_int),
        *_numbers("health", "uptime_s wakes flags resends ring_drops refused"),
        *_numbers("energy", "sleep sensor compute radio"),
    )  # fmt: skip


class Result(Structure):
    _fields_ = (*_numbers("result", "seq age id code detail"), ("present", c_bool))


class Ack(Structure):
    _fields_ = (
        ("ack_base", c_uint32), ("ack_base_choice", c_int), ("ack_bitmap", c_uint32), ("ack_time_ms", c_uint64),
        *_numbers("ack", "next_s mail"),
        ("ack_birth_wanted", c_bool),
    )  # fmt: skip


class Command(Structure):
    _fields_ = (*_numbers("command", "id kind argument"), ("present", c_bool))


class DownUnion(ctypes.Union):
    _fields_ = (("ack", Ack), ("command", Command))


class DownMessage(Structure):
    _fields_ = (("type", c_int), ("u", DownUnion))


MESSAGES = {
    "birth": Birth, "flag": Flag, "window": Window, "health": Health, "result": Result, "ack": Ack, "command": Command,
}  # fmt: skip


def _put_features(out: WindowPart | Window, features: dict) -> None:
    out.feature_set = features["feature_set"]
    out.values_n = len(features["values"])
    out.values[: out.values_n] = features["values"]


def _get_features(struct: WindowPart | Window) -> dict:
    return {"feature_set": struct.feature_set, "values": list(struct.values[: struct.values_n])}


def _keep(out: Structure, string: String) -> String:
    """ctypes copies the pointer, not what it points to: the struct holds on to that as well."""
    out.kept = (*getattr(out, "kept", ()), string.kept)
    return string


def to_struct(name: str, message: dict) -> Structure:
    """The struct that holds a vector's message."""
    out = MESSAGES[name]()
    for key, value in message.items():
        match key, value:
            case "features", None:
                pass
            case "features", _ if name == "flag":
                _put_features(out.part, value)
                out.present = True
            case "features", _:
                _put_features(out, value)
            case "energy_uc", _:
                for activity, uc in value.items():
                    setattr(out, f"energy_{activity}", uc)
            case (("hardware" | "firmware"), _):
                setattr(out, f"birth_{key}", _keep(out, String.of(value.encode())))
            case "model", _:
                out.birth_model_choice = value is None
                out.birth_model_bstr8 = _keep(out, String.of(bytes.fromhex(value or "")))
            case (("temperature_cdeg" | "link_dbm"), _):
                setattr(out, f"{key}_choice", value is None)
                setattr(out, key, value or 0)
            case "base", _:
                out.ack_base_choice = value is None
                out.ack_base = value or 0
            case (("argument" | "detail"), _):
                out.present = True
                setattr(out, f"{name}_{key}", value)
            case _:
                setattr(out, f"{name}_{key}", int(value))
    return out


def from_struct(name: str, struct: Structure) -> dict:
    """The vector's message that a struct holds."""
    found: dict = {}
    fields = [field for field, *_ in struct._fields_]
    for field in fields:
        key = field.removeprefix(f"{name}_")
        value = getattr(struct, field)
        if isinstance(value, String):
            found[key] = ctypes.string_at(value.value, value.len) if value.len and value.value else b""
        elif key not in ("part", "values", "values_n", "feature_set") or name == "birth":
            found[key] = value
    return _tidy(name, found, struct)


def _tidy(name: str, found: dict, struct: Structure) -> dict:
    present = found.pop("present", True)
    match name:
        case "birth":
            nil = found.pop("model_choice")  # the string is untouched then
            model = found.pop("model_bstr8")
            found["model"] = None if nil else model.hex()
            found |= {key: found[key].decode() for key in ("hardware", "firmware")}
        case "flag":
            found["features"] = _get_features(struct.part) if present else None
        case "window":
            found["features"] = _get_features(struct)
        case "health":
            for key in ("temperature_cdeg", "link_dbm"):
                if found.pop(f"{key}_choice"):
                    found[key] = None
            activities = ("sleep", "sensor", "compute", "radio")
            found["energy_uc"] = {activity: found.pop(f"energy_{activity}") for activity in activities}
        case "ack":
            if found.pop("base_choice"):
                found["base"] = None
        case "result" | "command":
            if not present:
                del found["detail" if name == "result" else "argument"]
    return found
