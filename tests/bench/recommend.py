"""The tables of docs/recommend.md, each between `<!-- NAME -->` and `<!-- end -->`: what `make bench-models` finds goes
in there, and what people have written around it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.detectors.feature_sets import INVARIANT, NAMES, PRINCIPAL, STATISTICS
from gateway.training.study import Domain, OfPath, Study, plain
from gateway.training.study.conditions import CHANGED, DRIFT, MOUNTING, RAMP, SAME, SIMULATED
from gateway.training.study.paths import BOTH, LEARNER, PATHS, PLACE, STATIC
from tests.bench.figures import Figure

PAGE = Path(__file__).parents[2] / "docs" / "recommend.md"
SHORT = {STATIC: "static", LEARNER: "learner", BOTH: "both", PLACE: "gateway"}
CONDITIONS = {
    SAME: "same", CHANGED: "session", MOUNTING: "mount", MOUNTING + SIMULATED: "mount_sim", DRIFT: "drift",
    DRIFT + SIMULATED: "drift_sim", RAMP + SIMULATED: "ramp_sim",
}  # fmt: skip
"""How the figures' names have them."""
LENGTHS_S = (30.0, 60.0, 120.0, 240.0)
TITLES = {
    "fan": "ceiling fan", "rosa": "rotor, 65 Hz", "uci_fan": "fan, 9 speeds", "skab": "water pump",
    "wsn": "room, two sensors", "occupancy": "office", "motor": "simulated motor", "pump": "simulated pump",
    "room": "simulated room",
}  # fmt: skip
FIVE = (SAME, CHANGED, MOUNTING, DRIFT, RAMP)
WHOLE = ("fan", "skab", "wsn")
"""Vibration, pump, room: of these each of the five is told, if only to say why it is not there."""
DRIFT_PCT = (5.0, 10.0, 25.0)
DRIFT_WINDOWS = (500, 4320)
"""One a minute: eight hours, three days."""
DRIFT_SETS = PRINCIPAL, INVARIANT
SETS = PRINCIPAL, INVARIANT, STATISTICS
FEATURES: Sequence[tuple[str, str, str, str]] = (
    ("fan", SAME, STATIC, "missed_pct"), ("fan", SAME, PLACE, "false_alarm_pct"),
    ("fan", MOUNTING + SIMULATED, STATIC, "false_alarm_pct"), ("fan", DRIFT + SIMULATED, LEARNER, "false_alarm_pct"),
    ("fan", DRIFT + SIMULATED, PLACE, "false_alarm_pct"), ("fan", RAMP + SIMULATED, STATIC, "missed_pct"),
    ("fan", RAMP + SIMULATED, LEARNER, "missed_pct"), ("fan", RAMP + SIMULATED, PLACE, "missed_pct"),
    ("rosa", SAME, LEARNER, "false_alarm_pct"), ("rosa", CHANGED, LEARNER, "false_alarm_pct"),
    ("rosa", CHANGED, LEARNER, "auroc"), ("rosa", CHANGED, PLACE, "auroc"), ("uci_fan", SAME, LEARNER, "auroc"),
    ("uci_fan", SAME, PLACE, "auroc"), ("uci_fan", SAME, PLACE, "missed_pct"),
)  # fmt: skip
"""Set, condition, path and figure that tell one set of features from the others."""
_WORDS = {"false_alarm_pct": "false alarms %", "auroc": "AUROC", "missed_pct": "missed %"}


def write(name: str, table: str, page: Path = PAGE) -> None:
    """Put a table in its place. AssertionError if the page has none of that name."""
    text = page.read_text(encoding="utf-8")
    found, n = re.subn(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m: m[1] + table + m[2], text, flags=re.DOTALL)
    assert n == 1, f"{page}: {n} places for {name}"
    page.write_text(found, encoding="utf-8")


def glance(study: Study) -> str:
    """False alarms and misses, and AUROC where there are both kinds of rows."""
    rows = [row for domain in study.domains for row in _five(domain)]
    events = plain.pooled_events(study)
    pooled = [f"{events[path]['events']:.0f} / {events[path]['wanted']:.1f}" for path in PATHS]
    rows.append(["false-alarm events, achieved / promised, all that was recorded", *pooled])
    return _table(["", *PATHS], rows)


def plants(study: Study) -> str:
    """The same of machines that are simulated altogether."""
    return _table(["", *PATHS], [row for domain in study.domains for row in _five(domain)])


def _five(domain: Domain) -> Iterator[list[str]]:
    """The five conditions: as they were recorded, else simulated; what is missing of a WHOLE set, with the reason."""
    name = domain.source.dataset.name
    for condition in FIVE:
        there = [c for c in (condition, condition + SIMULATED) if c in domain.conditions]
        if there:
            paths = domain.conditions[there[0]].paths
            yield [f"{TITLES[name]}: {there[0]}", *(_cell(paths.get(path)) for path in PATHS)]
        elif name in WHOLE:
            why = domain.missing.get(condition) or domain.missing[condition + SIMULATED]
            yield [f"{TITLES[name]}: {condition}: {why}", *("–" for _ in PATHS)]


def cost(domain: Domain) -> str:
    """What each path costs a node with a Cortex-M4."""
    rows = []
    for path, of in domain.footprint.items():
        m4 = of.cores["cortex-m4"]
        ram = "–" if of.ram_bytes is None else f"{of.ram_bytes:,}"
        verdict = f"{m4.verdict_instructions:,.0f} + {m4.features_instructions:,.0f}"
        rows.append([path, f"{of.flash_bytes:,}", ram, verdict, f"{m4.energy_uj:.0f}", f"{m4.average_uw:.1f}",
                     str(len(of.steps))])  # fmt: skip
    head = ["", "flash, bytes", "RAM, bytes", "instructions, verdict + features", "µJ a window", "average µW", "steps"]
    return _table(head, rows)


def length(found: Mapping[str, Figure]) -> str:
    """The fan, learned for longer and longer."""
    columns = (("same", "false_alarm_pct"), ("ramp_sim", "missed_pct"))
    rows = []
    for seconds in LENGTHS_S:
        cells = [
            _number(found.get(f"study_fan_{seconds:g}s_{condition}_{path}_{what}"))
            for path in ("learner", "gateway", "static") for condition, what in columns
        ]  # fmt: skip
        rows.append([f"{seconds:g} s", *cells])
    who = ("learner on the node", "learner at the gateway", "static")
    head = [f"{path}: {what}" for path in who for what in ("false alarms %", "ramp missed %")]
    return _table(["learned", *head], rows)


def drift(found: Mapping[str, Figure]) -> str:
    """Machines that get louder, by how much and how fast."""
    columns = [(who, NAMES[number]) for who in (LEARNER, PLACE) for number in DRIFT_SETS]
    rows = []
    for machine in ("motor", "pump"):
        for length in DRIFT_WINDOWS:
            for rise in DRIFT_PCT:
                key = f"study_drift_{machine}_{length}_{rise:g}_pct"
                cells = [_number(found.get(f"{key}_{name}_{SHORT[who]}")) for who, name in columns]
                rows.append([f"{TITLES[machine]}: {rise:g} % louder in {length:,} windows", *cells])
    return _table(["", *(f"{who}, {name}" for who, name in columns)], rows)


def features(found: Mapping[str, Figure]) -> str:
    """One set beside the others."""
    sets = [NAMES[number] for number in SETS]
    rows = [
        [
            f"{TITLES[name]}: {condition}, {path}, {_WORDS[what]}",
            *(
                _number(found.get(f"study_{name}_{feature_set}_{CONDITIONS[condition]}_{SHORT[path]}_{what}"), what)
                for feature_set in sets
            ),
        ]
        for name, condition, path, what in FEATURES
    ]
    return _table(["", *sets], rows)


def _cell(of: OfPath | None) -> str:
    if of is None or not of.figures.rows:
        return "–"
    f = of.figures
    told = " / ".join("–" if v is None else f"{v:.1f}" for v in (f.false_alarm_pct, f.missed_pct))
    return told if f.auroc is None else f"{told} ({f.auroc:.2f})"


def _number(figure: Figure | None, what: str = "") -> str:
    return "–" if figure is None else f"{figure.value:.{2 if what == 'auroc' else 1}f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
