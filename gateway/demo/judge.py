"""What came of a replayed recording: every window's label against what the node claimed and the gateway scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.core import entry as entries
from gateway.core.entry import Report, Scored
from gateway.core.update import AlarmChange, AlarmTransition, IncidentChange, IncidentTransition, decode_updates
from gateway.demo.recordings import Replay, ReplayNode
from gateway.store.reader import Reader
from gateway.training.outcome import Interval
from gateway.wire.messages import Flag, Window

PAGE = 1000


@dataclass(slots=True)
class Judged:
    """Windows of one node that lie wholly in a normal or a faulty stretch, and how they were judged."""

    node: str
    note: str
    normal: int = 0
    flagged_normal: int = 0
    scored_normal: int = 0  # how many the gateway's own model called anomalous, flagged or not
    faulty: int = 0
    flagged_faulty: int = 0
    scored_faulty: int = 0
    mixed: int = 0  # windows across a change of label
    sensor_faults: int = 0


@dataclass(slots=True)
class Summary:
    """A whole replay."""

    nodes: list[Judged]
    incidents: int
    alarms: int


def summarise(replay: Replay, state_dir: Path) -> Summary:
    """Read the journal of a finished replay. The nodes report every window, back to back and in order."""
    reader = Reader.open(state_dir)
    looks: dict[str, list[tuple[int, Flag | Window]]] = {node.name: [] for node in replay.nodes}
    scores: dict[int, Scored] = {}
    after = 0
    while rows := reader.read(after, PAGE):
        for row in rows:
            after = row.id
            body = entries.decode(row.kind, row.version, row.body)
            if isinstance(body, Scored):
                scores[body.window] = body
            elif isinstance(body, Report) and isinstance(body.message, Flag | Window):
                looks[body.node].append((row.id, body.message))
    incidents, alarms = _events(reader)
    reader.close()
    return Summary([_judge(node, looks[node.name], scores) for node in replay.nodes], incidents, alarms)


def table(summary: Summary) -> list[str]:
    """The summary as lines of a Markdown table."""
    lines = [
        "| node | normal windows | flagged by node | by gateway | faulty windows | flagged by node | by gateway |",
        "|---|---|---|---|---|---|---|",
    ]
    for n in summary.nodes:
        lines.append(
            f"| {n.node} | {n.normal} | {_of(n.flagged_normal, n.normal)} | {_of(n.scored_normal, n.normal)} "
            f"| {n.faulty} | {_of(n.flagged_faulty, n.faulty)} | {_of(n.scored_faulty, n.faulty)} |"
        )
    lines.append("")
    lines.append(f"incidents: {summary.incidents}, alarms raised: {summary.alarms}")
    lines.extend(f"{n.node}: {n.note}" for n in summary.nodes)
    return lines


def _events(reader: Reader) -> tuple[int, int]:
    incidents = alarms = after = 0
    while rows := reader.events(after, PAGE):
        after = rows[-1][0]
        for update in (update for *_, body in rows for update in decode_updates(body)):
            match update:
                case IncidentChange(transition=IncidentTransition.OPENED):
                    incidents += 1
                case AlarmChange(transition=AlarmTransition.RAISED):
                    alarms += 1
    return incidents, alarms


def _judge(node: ReplayNode, looks: Sequence[tuple[int, Flag | Window]], scores: dict[int, Scored]) -> Judged:
    judged = Judged(node.name, node.note)
    length = node.node.manifest.samples
    for index, (entry, message) in enumerate(looks):
        label = _label(node.labels, index * length, (index + 1) * length)
        flagged = isinstance(message, Flag)
        if flagged and message.features is None:
            judged.sensor_faults += 1
            continue
        scored = scores.get(entry)
        anomalous = scored is not None and not scored.failure and scored.value > scored.threshold
        if label is None:
            judged.mixed += 1
        elif label:
            judged.faulty += 1
            judged.flagged_faulty += flagged
            judged.scored_faulty += anomalous
        else:
            judged.normal += 1
            judged.flagged_normal += flagged
            judged.scored_normal += anomalous
    return judged


def _label(labels: Sequence[Interval], start: int, end: int) -> str | None:
    """The one fault ("" for normal) of a window, or None if it touches two kinds of stretch."""
    kinds = {bool(i.fault) for i in labels if i.start < end and start < i.end}
    return None if len(kinds) != 1 else ("fault" if kinds.pop() else "")


def _of(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "0"
