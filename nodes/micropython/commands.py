"""What the gateway can tell a node to do: nodes/wire/SPEC.md, "Commands"."""

from micropython import const

DONE, UNKNOWN_KIND, REFUSED = 0, 1, 2  # wire.cddl, `result`
_IDENTIFY = const(1)
_BIRTH = const(2)
_SET_HEARTBEAT = const(3)
_SET_WAKE = const(4)
_RELEARN = const(5)
_FREEZE = const(6)
_THAW = const(7)
_ROLL_BACK = const(8)
_SENSITIVITY = const(9)
_COLLECT = const(10)
_ACKNOWLEDGE = const(11)
_SEND_LEARNER = const(12)
_RESTART = const(14)
_COLLECT_MAX = const(1000)
_WAKE_MIN_MS = const(100)
_WAKE_MAX_MS = const(86400000)
_WINDOWS_MAX = const(65535)
_EVENTS_MAX = const(1000000000)
_NOTHING = {}


def take(node, kind, argument):
    """(code of the result, what changes in the record, what to do once that is durable). What is done may still give
    another code.
    """
    changes = _NOTHING
    act = None
    if kind == _IDENTIFY:
        act = node.identify
    elif kind == _BIRTH:
        act = node.say_birth
    elif kind == _SET_HEARTBEAT and 0 < argument <= 0xFFFFFFFF // 1000:
        changes, act = {"heartbeat_ms": argument * 1000}, node.announce
    elif kind == _SET_WAKE and _WAKE_MIN_MS <= argument <= _WAKE_MAX_MS:
        changes, act = {"wake_ms": argument}, node.announce
    elif kind == _COLLECT and argument <= _COLLECT_MAX:
        act = lambda: setattr(node.kept, "collect", argument)  # noqa: E731
    elif kind == _ACKNOWLEDGE:
        act = node.acknowledge
    elif kind == _RESTART:
        act = lambda: setattr(node, "then", node.restart)  # noqa: E731
    elif _learner_takes(node.judge.learner, kind, argument):
        act = lambda: _tell(node, kind, argument)  # noqa: E731
    if act:
        return DONE, changes, act
    return (REFUSED if _IDENTIFY <= kind <= _RESTART else UNKNOWN_KIND), changes, None


def _learner_takes(learner, kind, argument):
    if learner is None or learner.fault:
        return False
    most = {_RELEARN: _WINDOWS_MAX, _SENSITIVITY: _EVENTS_MAX, _FREEZE: None, _THAW: None, _ROLL_BACK: None,
            _SEND_LEARNER: None}  # fmt: skip
    return kind in most and (most[kind] is None or argument <= most[kind])


def _tell(node, kind, argument):
    if kind == _SEND_LEARNER:
        node.learner_wanted = True
        return DONE
    return node.judge.learner.tell(kind, argument)
