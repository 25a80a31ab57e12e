"""The messages of nodes/wire/wire.cddl: dicts with its names, and no dict in a dict.

codec.py says how the lines below are read.
"""

from . import codec

BIRTH, FLAG, WINDOW, HEALTH, ACK, COMMAND, RESULT, CHUNK, SAMPLED, LEARNER_STATE, OFFER = range(1, 12)

_UP = {
    BIRTH: "seq:u16 age:u8 wire_version:1..23 full_seq:u32 skipped:u32 reset_cause:0..23 hardware:text:1..24 "
    "firmware:text:1..24 feature_set:u8 channels:1..9 generation:0..23 model:bytes:8..8! wake_ms:u32 heartbeat_ms:u32 "
    "listen_ms:u16 epoch:u16 last_command:u32 "
    "?samples [5 samples:1..1024 rate_millihz:u32 firmware_counter:u32 slot:0..1 learner:bytes:8..8!",
    FLAG: "seq:u16 age:u8 score:u8 why:u8 generation:0..23 ?values feature_set:u8 values:values:1..64",
    WINDOW: "seq:u16 age:u8 score:u8 generation:0..23 feature_set:u8 values:values:1..64",
    HEALTH: "seq:u16 age:u8 score:u8 why:u8 battery_mv:u16 temperature_cdeg:-32768..32767! link_dbm:-128..0! "
    "uptime_s:u32 wakes:u32 flags:u32 resends:u32 ring_drops:u32 refused:u32 "
    "[4 sleep:u32 sensor:u32 compute:u32 radio:u32 "
    "?deferred [4 battery_load_mv:u16! deferred:u32 stop_refused:u32 restarts:u32 "
    "?state [5 state:0..7 learned:u16 similarity:0..100 drift:u8 events_ppb:u32",
    RESULT: "seq:u16 age:u8 id:u32 code:0..23 ?detail detail:u32",
    SAMPLED: "seq:u16 age:u8 window_number:u32 part:u8 parts:1..255 channels:1..9 rate_millihz:u32 data:bytes:1..384",
    LEARNER_STATE: "seq:u16 age:u8 part:u8 parts:1..255 data:bytes:1..384",
}
_DOWN = {
    ACK: "base:u16! bitmap:u32 time_ms:u64 next_s:u32 mail:0..23 birth_wanted:flag",
    COMMAND: "id:1..4294967295 kind:u8 ?argument argument:u32",
    CHUNK: "transfer:u32 offset:u32 data:bytes:1..384",
    OFFER: "id:1..4294967295 store:0..3 size:u32 sha256:bytes:32..32 counter:u32 ?signature signature:bytes:64..64",
}


def write_up(kind, message):
    """The CBOR array of an upward message. ValueError if one of its values is none that may be there."""
    return codec.write(_UP[kind], message)


def read_down(plaintext):
    """(kind, message) of a downward plaintext, type byte first. None if it is no message of this direction."""
    if not plaintext or plaintext[0] not in _DOWN:
        return None
    try:
        return plaintext[0], codec.read(_DOWN[plaintext[0]], plaintext[1:])
    except ValueError:
        return None
