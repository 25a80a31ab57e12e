"""What a node says: messages of what is so now, into the ring; as the node in C does (c_tflm/core/node_report.c)."""

from micropython import const

BIRTH, FLAG, WINDOW, HEALTH, SAMPLED, LEARNER_STATE = 1, 2, 3, 4, 9, 10  # stethos/message.py
_WIRE_VERSION = const(1)  # nodes/wire/wire.cddl
_DATA_MAX = const(384)  # bytes of `data` in one message: likewise
ANOMALOUS, MOVED, DRIFTED, DEFERRED, HINDERED = 1, 9, 10, 11, 15  # nodes/wire/SPEC.md, "Why"


def birth(node):
    settings, judge, record = node.settings, node.judge, node.talk.ceiling.record
    node.talk.say(BIRTH, {
        "wire_version": _WIRE_VERSION, "reset_cause": node.board.reset_cause(), "hardware": settings.hardware,
        "firmware": node.board.firmware, "feature_set": settings.feature_set, "channels": node.channels,
        "generation": _generation(node), "model": judge.model.id if judge.model else None, "wake_ms": node.wake_ms,
        "heartbeat_ms": node.heartbeat_ms, "listen_ms": settings.listen_ms, "last_command": record["last_command"],
        "samples": settings.samples, "rate_millihz": settings.rate_millihz, "firmware_counter": 0, "slot": 0,
        "learner": judge.learner.id() if judge.learner else None,
    })  # fmt: skip


def health(node):
    """False if there is no number for it."""
    kept, board, learner = node.kept, node.board, node.judge.learner
    cdeg = node.cdeg
    message = learner.health(kept.similarity) if learner else {}
    message.update({
        "score": kept.last_score, "why": 0 if kept.standing == ANOMALOUS else kept.standing,
        "battery_mv": board.battery_mv(), "temperature_cdeg": board.temperature_cdeg() if cdeg is None else cdeg,
        "link_dbm": kept.link_dbm or None, "uptime_s": (board.now_ms() - kept.booted_ms) // 1000,
        "wakes": kept.wakes, "flags": kept.flags, "resends": kept.resends,
        "ring_drops": kept.ring.dropped + kept.unnumbered, "refused": kept.refused,
        "sleep": node.spent_uc(0), "sensor": node.spent_uc(1), "compute": node.spent_uc(2), "radio": node.spent_uc(3),
        "battery_load_mv": kept.battery_load_mv or None, "deferred": kept.deferred, "stop_refused": 0,
        "restarts": board.restarts(),
    })  # fmt: skip
    return node.talk.say(HEALTH, message)


def flag(node, score, why, features=None):
    message = _valued(node, score, features) if features else {"score": score, "generation": _generation(node)}
    message["why"] = why
    node.talk.say(FLAG, message)


def window(node, score, features):
    """Every so manieth that is normal."""
    every, kept = node.settings.window_every, node.kept
    if every and kept.windows % every == 0 and not kept.deferring:
        node.talk.say(WINDOW, _valued(node, score, features))


def notice(node, why, so):
    """Told once, when it has become so."""
    kept, bit = node.kept, 1 << why - MOVED
    new = so and not kept.noticed & bit
    kept.noticed = kept.noticed | bit if so else kept.noticed & ~bit
    if new:
        flag(node, kept.last_score, why)


def parts(node, kind, data, message):
    """`data` in parts, each with what is in `message`, as many at a time as the ring takes. Who does not answer ends it
    for this wake.
    """
    ring = node.kept.ring
    count = (len(data) + _DATA_MAX - 1) // _DATA_MAX
    for part in range(count):
        if not ring.has_room(_DATA_MAX):
            node.exchange()
        if not ring.has_room(_DATA_MAX):
            return
        piece = data[part * _DATA_MAX : (part + 1) * _DATA_MAX]
        message.update(part=part, parts=count, data=piece)
        node.talk.say(kind, message)
    node.exchange()


def _generation(node):
    return node.judge.model.generation if node.judge.model else 0


def _valued(node, score, features):
    return {"score": score, "generation": _generation(node), "feature_set": node.settings.feature_set,
            "values": features}  # fmt: skip
