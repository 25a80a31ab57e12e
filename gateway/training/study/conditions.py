"""The conditions of a two-path study: recorded where the dataset has them, simulated where its samples allow it, and
said to be missing, by name and reason, where neither is so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.training.dataset import Recording
from gateway.training.dataset.manifest import Run
from gateway.training.judges import Seen
from gateway.training.study import data, ramp
from gateway.training.study.data import LEAST, Alter, Shown, Source, learned_s, seen
from gateway.training.view import joined

SAME, CHANGED, MOUNTING, DRIFT, RAMP = (
    "same session", "changed session", "changed mounting", "slow drift", "ramped fault",
)  # fmt: skip
SIMULATED = " (simulated)"
NAMES = (SAME, CHANGED, MOUNTING, MOUNTING + SIMULATED, DRIFT, DRIFT + SIMULATED, RAMP + SIMULATED)

MOVED, DRIFTING = "moved", "drift"
"""How the name of a session begins whose node was moved to another place, or in which it drifts."""


@dataclass(frozen=True)
class Visit:
    """The runs of one session, in their order, by one judge; nothing before row `after` of the first is counted."""

    shown: tuple[Shown, ...]
    after: int = 0


@dataclass(frozen=True)
class Condition:
    """What is judged, and how it came about, in one sentence."""

    name: str
    how: str
    visits: tuple[Visit, ...]

    @property
    def simulated(self) -> bool:
        """Whether the rows were altered on purpose."""
        return self.name.endswith(SIMULATED)


def lessons(source: Source, train_s: float | None, without: frozenset[str] = frozenset()) -> list[Shown]:
    """What the static model is trained from: of the first session what may be learned from (or `train_s` seconds of
    it), and of as many of the next as it takes for LEAST windows. No label is read.
    """
    found: list[Shown] = []
    sessions: list[str] = []
    for recording in source.recordings:
        session = recording.run.session
        if session in without or _elsewhere(recording.run):
            continue
        if session not in sessions:
            if sum(one.learn for one in found) * source.hop >= LEAST * source.dense_hop:
                break
            sessions.append(session)
        first = not found
        found.append(source.shown(recording, train_s if first else None))
    return [one for one in found if one.learn]


def conditions(
    source: Source, taught: Sequence[Shown], without: frozenset[str] = frozenset()
) -> tuple[list[Condition], dict[str, str]]:
    """Those that the dataset gives, and those that it does not with the reason."""
    known = {one.windows.name: one.learn for one in taught}
    learn_s = {one.windows.name: learned_s(one) for one in taught}
    sessions = {one.windows.session for one in taught}
    here = [r for r in source.recordings if r.run.session in sessions]
    others = [r for r in source.recordings if r.run.session not in sessions | without]
    missing: dict[str, str] = {}
    found = [_recorded(SAME, "the rest of the sessions that were trained on", _same(source, here, known, learn_s))]
    found.append(_recorded(CHANGED, "other sessions of the node", _visits(source, others, MOVED, DRIFTING)))
    found.append(_mounted(source, others))
    found.append(_recorded(DRIFT, "sessions that are said to drift", _visits(source, others, only=DRIFTING)))
    if source.run.kind == "features":
        missing[MOUNTING + SIMULATED] = missing[DRIFT + SIMULATED] = "its rows are features: no samples to alter"
    else:
        found.append(_turned(source, here, known, learn_s))
        found.append(_drifting(source, here, taught, known, learn_s))
    ramped, why = _ramped(source, taught, without)
    found.append(ramped)
    for condition in found:
        if not any(len(one.windows) > max(one.learn, visit.after) for visit in condition.visits for one in visit.shown):
            missing[condition.name] = why if condition.name == RAMP + SIMULATED else _WHY[condition.name]
    return [condition for condition in found if condition.name not in missing], missing


_WHY = {
    SAME: "no row behind what was learned from",
    CHANGED: "one session only",
    MOUNTING: "no session named moved…, and no other node with the same channels",
    MOUNTING + SIMULATED: "no row behind what was learned from",
    DRIFT: "no session named drift…",
    DRIFT + SIMULATED: "no row behind what was learned from",
}


def _elsewhere(run: Run) -> bool:
    return run.session.startswith((MOVED, DRIFTING))


def _recorded(name: str, how: str, visits: Sequence[Visit]) -> Condition:
    return Condition(name, how, tuple(visits))


def _same(
    source: Source, here: Sequence[Recording], known: dict[str, int], learn_s: dict[str, float],
    alter: Alter | None = None,
) -> list[Visit]:  # fmt: skip
    """The training sessions once more; what was trained on is learned from."""
    return [
        Visit(tuple(source.shown(r, learn_s.get(r.name) if r.name in known else None, alter) for r in runs))
        for runs in _by_session(here)
    ]


def _visits(source: Source, recordings: Sequence[Recording], *never: str, only: str = "") -> list[Visit]:
    return [
        Visit(tuple(source.shown(r) for r in runs))
        for runs in _by_session(recordings)
        if runs[0].run.session.startswith(only) and not (never and runs[0].run.session.startswith(never))
    ]


def _by_session(recordings: Sequence[Recording]) -> Iterator[list[Recording]]:
    for session in dict.fromkeys(r.run.session for r in recordings):
        yield [r for r in recordings if r.run.session == session]


def _mounted(source: Source, others: Sequence[Recording]) -> Condition:
    """Sessions at another place; else other nodes that measure the same, each of which is at another place."""
    visits = _visits(source, others, only=MOVED)
    how = "the node at another place, where it learns anew what the manifest allows"
    if not visits:
        how = "other nodes with the same channels"
        for node in source.dataset.nodes:
            runs = source.dataset.of_node(node)
            if node != source.node and (runs[0].run.channels, runs[0].run.kind) == (
                source.run.channels,
                source.run.kind,
            ):
                visits += _visits(source, runs, DRIFTING)
    return Condition(MOUNTING, how, tuple(visits))


def _turned(source: Source, here: Sequence[Recording], known: dict[str, int], learn_s: dict[str, float]) -> Condition:
    axes = (
        "its axes turned by a quarter about two of them, "
        if not source.slow and len(source.run.channels) % 3 == 0
        else ""
    )
    how = f"the training sessions once more, {axes}gain {data.GAIN}, within 16 bits; the learners learn it anew"
    return Condition(MOUNTING + SIMULATED, how, tuple(_same(source, here, known, learn_s, data.turned)))


def _drifting(
    source: Source, here: Sequence[Recording], taught: Sequence[Shown], known: dict[str, int], learn_s: dict[str, float]
) -> Condition:
    sd = taught[0].readings.x[: max(taught[0].readings_learn, 1)].std(axis=0)
    visits = []
    for runs in _by_session(here):
        shown = []
        for r in runs:
            own = learn_s.get(r.name) if r.name in known else None
            learned = own if own is not None else r.run.commission_s
            shown.append(source.shown(r, own, data.drifting(learned, sd)))
        visits.append(Visit(tuple(shown)))
    what = f"+{data.DRIFT_SD:g} standard deviations" if source.slow else f"gain 1 to {data.DRIFT_GAIN}"
    first = visits[0].shown[0]
    long = f"in the {len(first.windows) - first.learn} windows from what is learned to the end"
    how = f"the training sessions once more, {what} {long}; runs that go on, at that end"
    return Condition(DRIFT + SIMULATED, how, tuple(visits))


def _ramped(source: Source, taught: Sequence[Shown], without: frozenset[str]) -> tuple[Condition, str]:
    comes = "linearly" if source.slow else "geometrically"
    how = (
        f"each kind of recorded fault comes {comes} in {ramp.RAMP_S:g} s into normal rows, and then stays; its "
        "first row counts as faulty"
    )
    known = [r for r in source.recordings if r.run.session not in without and not _elsewhere(r.run)]
    base, shown, why = ramp.ramped(source, taught, list(_by_session(known)))
    return Condition(RAMP + SIMULATED, how, tuple(Visit((one,), base.learn) for one in shown)), why


def together(taught: Sequence[Shown], *, gateway: bool) -> Seen:
    """All that was learned from before, as one."""
    parts = []
    for one in taught:
        rows, learn = (one.readings, one.readings_learn) if gateway else (one.windows, one.learn)
        parts.append(seen(rows, 0, learn))
    return joined(parts)
