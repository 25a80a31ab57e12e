"""The message vectors: what is sound, and what a receiver must refuse.

Written without `gateway.wire`, over plain lists, so that neither can hide the other's mistakes.
"""

from __future__ import annotations

import cbor2

U8, U16, U32, U64 = 0xFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF
I32_LOW, I32_HIGH = -(2**31), 2**31 - 1
TYPES = {"birth": 1, "flag": 2, "window": 3, "health": 4, "ack": 5, "command": 6, "result": 7, "chunk": 8, "sampled": 9,
         "learner_state": 10, "offer": 11}  # fmt: skip
UP = ("birth", "flag", "window", "health", "result", "sampled", "learner_state")
OPTIONAL = {"flag": 2, "result": 1, "command": 1, "offer": 1}

Case = dict[str, object]
Fields = dict[str, object]
Bad = tuple[str, object]

_BYTES = {"model", "learner", "data", "sha256", "signature"}
_LEFT_OFF = {("flag", "features"), ("result", "detail"), ("command", "argument"), ("offer", "signature")}

_WRONG_NUMBERS: tuple[Bad, ...] = (("is negative", -1), ("is a boolean", True), ("is a float", 1.0), ("is text", "1"))


def payload(name: str, items: object) -> bytes:
    """Type byte, then the array in preferred serialisation."""
    return bytes([TYPES[name]]) + cbor2.dumps(items)


def items_of(name: str, fields: Fields) -> list[object]:
    """The CBOR array of a message given by its fields, in the order of wire.cddl."""
    items: list[object] = []
    for key, value in fields.items():
        if key == "features" and isinstance(value, dict):
            items += [value["feature_set"], value["values"]]
        elif isinstance(value, dict):
            items.append(items_of(key, value))
        elif key in _BYTES and isinstance(value, str):
            items.append(bytes.fromhex(value))
        elif value is None and (name, key) in _LEFT_OFF:
            continue
        else:
            items.append(int(value) if key == "time_ms" and isinstance(value, str) else value)
    return items


def _energy(value: int) -> Fields:
    return dict.fromkeys(("sleep", "sensor", "compute", "radio"), value)


def _features(feature_set: int, *values: int) -> Fields:
    return {"feature_set": feature_set, "values": list(values)}


def _birth(**changes: object) -> Fields:
    fields: Fields = {
        "seq": 0x1234, "age": 0, "wire_version": 1, "full_seq": 0x51234, "skipped": 1023, "reset_cause": 3,
        "hardware": "stm32l4-lis2dw12", "firmware": "0.1.0", "feature_set": 1, "channels": 3, "generation": 2,
        "model": "00112233445566ff", "wake_ms": 10_000, "heartbeat_ms": 3_600_000, "listen_ms": 500, "epoch": 1,
        "last_command": 7,
    }  # fmt: skip
    return fields | changes


def _health(**changes: object) -> Fields:
    fields: Fields = {
        "seq": 4713, "age": 1, "score": 97, "why": 0, "battery_mv": 3012, "temperature_cdeg": 2150, "link_dbm": -71,
        "uptime_s": 86_400, "wakes": 8640, "flags": 3, "resends": 2, "ring_drops": 0, "refused": 1,
        "energy_uc": {"sleep": 90_000, "sensor": 12_000, "compute": 4_000, "radio": 31_000},
    }  # fmt: skip
    return fields | changes


_BIRTH_MORE: Fields = {
    "samples": 640, "rate_millihz": 1_000_000, "firmware_counter": 12, "slot": 1, "learner": "8899aabbccddeeff",
}  # fmt: skip
_HEALTH_MORE: Fields = {"battery_load_mv": 2710, "deferred": 3, "stop_refused": 0, "restarts": 2}
_LEARNER: Fields = {"state": 2, "learned": 168, "similarity": 93, "drift": 5, "events_ppb": 20_000}

SOUND: dict[str, dict[str, Fields]] = {
    "birth": {
        "ok": _birth(),
        "smallest": {
            "seq": 0, "age": 0, "wire_version": 1, "full_seq": 0, "skipped": 0, "reset_cause": 0, "hardware": "h",
            "firmware": "f", "feature_set": 0, "channels": 1, "generation": 0, "model": "0000000000000000",
            "wake_ms": 0, "heartbeat_ms": 0, "listen_ms": 0, "epoch": 0, "last_command": 0,
        },
        "largest": {
            "seq": U16, "age": U8, "wire_version": 23, "full_seq": U32, "skipped": U32, "reset_cause": 23,
            "hardware": "h" * 24, "firmware": "f" * 24, "feature_set": U8, "channels": 9, "generation": 23,
            "model": "ff" * 8, "wake_ms": U32, "heartbeat_ms": U32, "listen_ms": U16, "epoch": U16,
            "last_command": U32,
        },
        "absent: no model": _birth(model=None),
        "text is counted in bytes": _birth(hardware="é" * 12),
    },
    "flag": {
        "ok": {"seq": 4711, "age": 13, "score": 150, "why": 66, "generation": 2,
               "features": _features(1, -160, 523, 4096, 0, 24, 1_000_000)},
        "smallest": {"seq": 0, "age": 0, "score": 0, "why": 0, "generation": 0, "features": _features(0, 0)},
        "largest": {"seq": U16, "age": U8, "score": U8, "why": U8, "generation": 23,
                    "features": _features(U8, *[I32_LOW, I32_HIGH] * 32)},
        "absent: bare, smallest": {"seq": 0, "age": 0, "score": 0, "why": 0, "generation": 0, "features": None},
        "absent: bare, largest": {"seq": U16, "age": U8, "score": U8, "why": U8, "generation": 23, "features": None},
    },
    "window": {
        "ok": {"seq": 4712, "age": 24, "score": 100, "generation": 2, "features": _features(1, -160, 523, 4096)},
        "smallest": {"seq": 0, "age": 0, "score": 0, "generation": 0, "features": _features(0, 0)},
        "largest": {"seq": U16, "age": U8, "score": U8, "generation": 23,
                    "features": _features(U8, *[I32_LOW, I32_HIGH] * 32)},
        "every width of a value": {"seq": 23, "age": 23, "score": 24, "generation": 0, "features": _features(
            1, 23, 24, 255, 256, 65535, 65536, -24, -25, -256, -257, -65536, -65537)},
    },
    "health": {
        "ok": {"seq": 4713, "age": 1, "score": 97, "why": 0, "battery_mv": 3012, "temperature_cdeg": 2150,
               "link_dbm": -71, "uptime_s": 86_400, "wakes": 8640, "flags": 3, "resends": 2, "ring_drops": 0,
               "refused": 1, "energy_uc": {"sleep": 90_000, "sensor": 12_000, "compute": 4_000, "radio": 31_000}},
        "smallest": {"seq": 0, "age": 0, "score": 0, "why": 0, "battery_mv": 0, "temperature_cdeg": -32768,
                     "link_dbm": -128, "uptime_s": 0, "wakes": 0, "flags": 0, "resends": 0, "ring_drops": 0,
                     "refused": 0, "energy_uc": _energy(0)},
        "largest": {"seq": U16, "age": U8, "score": U8, "why": U8, "battery_mv": U16, "temperature_cdeg": 32767,
                    "link_dbm": 0, "uptime_s": U32, "wakes": U32, "flags": U32, "resends": U32, "ring_drops": U32,
                    "refused": U32, "energy_uc": _energy(U32)},
        "absent: no temperature, no link": {
            "seq": 1, "age": 0, "score": 0, "why": 8, "battery_mv": 3000, "temperature_cdeg": None, "link_dbm": None,
            "uptime_s": 1, "wakes": 1, "flags": 0, "resends": 0, "ring_drops": 0, "refused": 0,
            "energy_uc": _energy(1)},
    },
    "result": {
        "ok": {"seq": 4714, "age": 0, "id": 9, "code": 0, "detail": 300},
        "smallest": {"seq": 0, "age": 0, "id": 0, "code": 0, "detail": 0},
        "largest": {"seq": U16, "age": U8, "id": U32, "code": 23, "detail": U32},
        "absent: no detail": {"seq": 4714, "age": 0, "id": 9, "code": 2, "detail": None},
    },
    "ack": {
        "ok": {"base": 4711, "bitmap": 5, "time_ms": 1_790_000_000_123, "next_s": 0, "mail": 1,
               "birth_wanted": False},
        "smallest": {"base": 0, "bitmap": 0, "time_ms": 0, "next_s": 0, "mail": 0, "birth_wanted": False},
        "largest": {"base": U16, "bitmap": U32, "time_ms": str(U64), "next_s": U32, "mail": 23, "birth_wanted": True},
        "absent: nothing is durable, no base": {"base": None, "bitmap": 0, "time_ms": 1_790_000_000_123, "next_s": 0,
                                                "mail": 0, "birth_wanted": True},
    },
    "command": {
        "ok": {"id": 9, "kind": 3, "argument": 3600},
        "smallest": {"id": 1, "kind": 0, "argument": 0},
        "largest": {"id": U32, "kind": U8, "argument": U32},
        "absent: no argument": {"id": 9, "kind": 1, "argument": None},
    },
    "chunk": {
        "ok": {"transfer": 12, "offset": 384, "data": "00ff10"},
        "smallest": {"transfer": 0, "offset": 0, "data": "00"},
        "largest": {"transfer": U32, "offset": U32, "data": "a5" * 384},
        "data of 23 bytes": {"transfer": 12, "offset": 768, "data": "17" * 23},
        "data of 24 bytes": {"transfer": 12, "offset": 768, "data": "18" * 24},
        "data of 255 bytes": {"transfer": 12, "offset": 768, "data": "ff" * 255},
        "data of 256 bytes": {"transfer": 12, "offset": 768, "data": "00" * 256},
    },
    "sampled": {
        "ok": {"seq": 4715, "age": 2, "window_number": 300, "part": 1, "parts": 2, "channels": 3,
               "rate_millihz": 1_000_000, "data": "0100ffff0080ff7f"},
        "smallest": {"seq": 0, "age": 0, "window_number": 0, "part": 0, "parts": 1, "channels": 1, "rate_millihz": 0,
                     "data": "00"},
        "largest": {"seq": U16, "age": U8, "window_number": U32, "part": U8, "parts": 255, "channels": 9,
                    "rate_millihz": U32, "data": "5a" * 384},
    },
    "learner_state": {
        "ok": {"seq": 4716, "age": 2, "part": 0, "parts": 3, "data": "88010203"},
        "smallest": {"seq": 0, "age": 0, "part": 0, "parts": 1, "data": "00"},
        "largest": {"seq": U16, "age": U8, "part": U8, "parts": 255, "data": "5a" * 384},
    },
    "offer": {
        "ok": {"id": 12, "store": 3, "size": 70_000, "sha256": "0123456789abcdef" * 4, "counter": 13,
               "signature": "fedcba9876543210" * 8},
        "smallest": {"id": 1, "store": 0, "size": 0, "sha256": "00" * 32, "counter": 0, "signature": "00" * 64},
        "largest": {"id": U32, "store": 3, "size": U32, "sha256": "ff" * 32, "counter": U32, "signature": "ff" * 64},
        "absent: no signature": {"id": 12, "store": 0, "size": 3212, "sha256": "ab" * 32, "counter": 4,
                                 "signature": None},
    },
}  # fmt: skip

_MORE: dict[str, dict[str, Fields]] = {
    "birth": {
        "more": _birth(more=_BIRTH_MORE),
        "more, smallest": _birth(more={
            "samples": 1, "rate_millihz": 0, "firmware_counter": 0, "slot": 0, "learner": "00" * 8}),
        "more, largest": SOUND["birth"]["largest"] | {"more": {
            "samples": 1024, "rate_millihz": U32, "firmware_counter": U32, "slot": 1, "learner": "ff" * 8}},
        "more, absent: nothing learned": _birth(more=_BIRTH_MORE | {"learner": None}),
    },
    "health": {
        "more": _health(more=_HEALTH_MORE),
        "more, smallest": _health(more=dict.fromkeys(_HEALTH_MORE, 0)),
        "more, largest": SOUND["health"]["largest"] | {"more": dict.fromkeys(_HEALTH_MORE, U32) | {
            "battery_load_mv": U16}},
        "more, absent: no battery under load": _health(more=_HEALTH_MORE | {"battery_load_mv": None}),
        "learner": _health(more=_HEALTH_MORE, learner=_LEARNER),
        "learner, smallest": _health(more=_HEALTH_MORE, learner=dict.fromkeys(_LEARNER, 0)),
        "learner, largest": _health(more=_HEALTH_MORE, learner={
            "state": 7, "learned": U16, "similarity": 100, "drift": U8, "events_ppb": U32}),
    },
}  # fmt: skip
"""What was added at the end of messages that 0.1.0 has."""

_HIGH: dict[str, int] = {
    "seq": U16, "age": U8, "wire_version": 23, "full_seq": U32, "skipped": U32, "reset_cause": 23, "feature_set": U8,
    "channels": 9, "generation": 23, "wake_ms": U32, "heartbeat_ms": U32, "listen_ms": U16, "epoch": U16,
    "last_command": U32, "score": U8, "why": U8, "battery_mv": U16, "uptime_s": U32, "wakes": U32, "flags": U32,
    "resends": U32, "ring_drops": U32, "refused": U32, "id": U32, "code": 23, "detail": U32, "base": U16,
    "bitmap": U32, "time_ms": U64, "next_s": U32, "mail": 23, "kind": U8, "argument": U32,
    "window_number": U32, "part": U8, "parts": 255, "rate_millihz": U32, "store": 3, "size": U32, "counter": U32,
    "transfer": U32, "offset": U32, "samples": 1024, "firmware_counter": U32, "slot": 1, "deferred": U32,
    "stop_refused": U32, "restarts": U32, "state": 7, "learned": U16, "similarity": 100, "drift": U8,
    "events_ppb": U32, "battery_load_mv": U16,
}  # fmt: skip
_AT_LEAST_ONE = {"wire_version", "channels", "parts", "samples"}
_SPECIAL: dict[str, tuple[Bad, ...]] = {
    "hardware": (("is empty", ""), ("is 25 bytes", "h" * 25), ("is 26 bytes in 13 characters", "é" * 13),
                 ("is a byte string", b"h"), ("is a number", 1)),
    "firmware": (("is empty", ""), ("is 25 bytes", "f" * 25), ("is nil", None)),
    "model": (("is 7 bytes", bytes(7)), ("is 9 bytes", bytes(9)), ("is text", "modelmod"), ("is empty", b"")),
    "temperature_cdeg": (("is below -32768", -32769), ("is above 32767", 32768), ("is a float", 21.5)),
    "link_dbm": (("is below -128", -129), ("is above 0", 1), ("is a boolean", False)),
    "energy_uc": (("has 3 numbers", [0] * 3), ("has 5 numbers", [0] * 5), ("is a number", 0), ("is nil", None),
                  ("holds a number above 4294967295", [0, 0, 0, U32 + 1]), ("holds a negative number", [0, -1, 0, 0]),
                  ("holds a boolean", [0, 0, True, 0])),
    "values": (("are none", []), ("are 65", [0] * 65), ("hold one below -2147483648", [I32_LOW - 1]),
               ("hold one above 2147483647", [I32_HIGH + 1]), ("hold a boolean", [0, True]),
               ("hold a float", [0.5]), ("hold a nil", [None]), ("are a number", 0), ("are bytes", b"\0")),
    "learner": (("is 7 bytes", bytes(7)), ("is 9 bytes", bytes(9)), ("is text", "learners")),
    "data": (("is empty", b""), ("is 385 bytes", bytes(385)), ("is text", "data"), ("is a number", 0), ("is nil", None),
             ("is an array", [0])),
    "sha256": (("is 31 bytes", bytes(31)), ("is 33 bytes", bytes(33)), ("is text", "s" * 32), ("is nil", None)),
    "signature": (("is 63 bytes", bytes(63)), ("is 65 bytes", bytes(65)), ("is text", "s" * 64), ("is nil", None)),
    "birth_wanted": (("is the number 0", 0), ("is the number 1", 1), ("is nil", None)),
}  # fmt: skip


def _names(fields: Fields) -> list[str]:
    names: list[str] = []
    for key in fields:
        names += ["feature_set", "values"] if key == "features" else [key]
    return names


def _bad_values(key: str) -> tuple[Bad, ...]:
    if key in _SPECIAL:
        return _SPECIAL[key]
    above = (f"is above {_HIGH[key]}", _HIGH[key] + 1)
    return (above, *_WRONG_NUMBERS, *((("is 0", 0),) if key in _AT_LEAST_ONE else ()))


def _malformed_fields(name: str) -> dict[str, bytes]:
    """Each field of a sound message replaced by each thing that it must not be."""
    items = items_of(name, SOUND[name]["ok"])
    cases = {}
    for i, key in enumerate(_names(SOUND[name]["ok"])):
        for why, bad in _bad_values(key):
            cases[f"{key} {why}"] = payload(name, [*items[:i], bad, *items[i + 1 :]])
    return cases


def _malformed_shapes(name: str) -> dict[str, bytes]:
    """Wrong as a whole: array too short or long, not an array, a type byte that does not fit."""
    full = items_of(name, SOUND[name]["ok"])
    optional = OPTIONAL.get(name, 0)
    other = payload("ack" if name in UP else "flag", full)
    cases = {
        "too few elements": payload(name, full[: len(full) - optional - 1]),
        "too many elements": payload(name, [*full, 0]),
        "empty array": payload(name, []),
        "not an array": payload(name, 0),
        "a map": payload(name, {0: 0}),
        "in a tag": bytes([TYPES[name]]) + b"\xc1" + cbor2.dumps(full),
        "type byte of the other direction": other,
        "type byte nobody has": b"\x00" + cbor2.dumps(full),
        "only the type byte": bytes([TYPES[name]]),
        "nothing": b"",
    }
    if name == "flag":
        cases["feature set without values"] = payload(name, full[:-1])
    return cases


def _malformed_more(name: str) -> dict[str, bytes]:
    """The same of what was added at the end."""
    cases: dict[str, bytes] = {}
    added = ("more", "learner") if name == "health" else ("more",)
    full = items_of(name, _MORE[name][added[-1]])
    for at, part in enumerate(added, len(full) - len(added)):
        fields = _MORE[name][added[-1]][part]
        assert isinstance(fields, dict)
        inner = items_of(part, fields)
        bad: dict[str, object] = {"is a number": 0, "is nil": None, "is a map": {0: 0}, "is empty": []}
        bad |= {f"has {len(inner) - 1} elements": inner[:-1], f"has {len(inner) + 1} elements": [*inner, 0]}
        bad["is nested deeper"] = [inner]
        for i, key in enumerate(fields):
            for why, value in _bad_values(key):
                bad[f"{key} {why}"] = [*inner[:i], value, *inner[i + 1 :]]
        cases |= {f"{part} {why}": payload(name, [*full[:at], value, *full[at + 1 :]]) for why, value in bad.items()}
    cases["something behind the last element"] = payload(name, [*full, 0])
    if name == "health":
        cases["learner without more"] = payload(name, [*full[:-2], full[-1]])
    else:
        full[-1] = [*items_of("more", _BIRTH_MORE)[:-1], None]  # so that the last byte is no part of a string
    good = payload(name, full)
    last = cbor2.dumps(full[-1])
    assert good.endswith(last)
    start, count = good[: -len(last)], last[0] & 0x1F
    cases["encoding: the last array's length in two bytes"] = start + bytes([0x98, count]) + last[1:]
    cases["encoding: the last array of indefinite length"] = start + b"\x9f" + last[1:] + b"\xff"
    cases["encoding: a byte follows the last array"] = good + b"\x00"
    cases["truncated in the last array"] = good[:-1]
    return cases


def _malformed_encodings(name: str) -> dict[str, bytes]:
    """The right values, but not in preferred serialisation, or with bytes that do not belong."""
    items = items_of(name, SOUND[name]["smallest"])
    good = payload(name, items)
    kind, head, rest = good[:1], good[1], good[2:]
    assert head & 0xE0 == 0x80 and rest[0] < 24, "a short array whose first element is a one-byte number"
    cases = {
        "encoding: first number in two bytes": kind + bytes([head]) + b"\x18" + rest,
        "encoding: first number in three bytes": kind + bytes([head]) + b"\x19\0" + rest,
        "encoding: array length in two bytes": kind + bytes([0x98, head & 0x1F]) + rest,
        "encoding: array of indefinite length": kind + b"\x9f" + rest + b"\xff",
        "encoding: a byte follows": good + b"\x00",
        "encoding: the message twice": good + good[1:],
        "truncated": good[:-1],
    }
    if not isinstance(items[-1], bytes):
        cases["encoding: break instead of an element"] = good[:-1] + b"\xff"
    return cases


def cases(name: str) -> list[Case]:
    """All vectors of one message."""
    made: list[Case] = [
        {"name": case, "valid": True, "payload": payload(name, items_of(name, fields)).hex(), "message": fields}
        for case, fields in SOUND[name].items()
    ]
    bad = _malformed_fields(name) | _malformed_shapes(name) | _malformed_encodings(name)
    if name == "birth":
        text = payload(name, items_of(name, _birth(hardware="zz")))
        bad["encoding: text that is not UTF-8"] = text.replace(b"bzz", b"b\xc3\x28")
    if name in _MORE:
        made += [
            {"name": case, "valid": True, "payload": payload(name, items_of(name, fields)).hex(), "message": fields}
            for case, fields in _MORE[name].items()
        ]
        bad |= _malformed_more(name)
    if name == "ack":
        long = b"\x05\x86\x00\x00\x1b" + (U32).to_bytes(8, "big") + b"\x00\x00\xf4"
        bad["encoding: a time of 32 bits in nine bytes"] = long
    for why, data in bad.items():
        label = why if why.startswith(("encoding", "truncated")) else f"malformed: {why}"
        made.append({"name": label, "valid": False, "payload": data.hex(), "message": None, "why": why})
    return made
