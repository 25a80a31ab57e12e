"""The tables of docs/recommend.md, each between `<!-- NAME -->` and `<!-- end -->`: what `make bench-models` finds goes
in there, and what people have written around it stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    "wsn": "room, two sensors", "occupancy": "office",
}  # fmt: skip
GLANCE: Sequence[tuple[str, str]] = (
    ("fan", SAME), ("fan", MOUNTING), ("fan", DRIFT + SIMULATED), ("fan", RAMP + SIMULATED), ("rosa", CHANGED),
    ("uci_fan", SAME), ("skab", SAME), ("skab", CHANGED), ("skab", RAMP + SIMULATED), ("wsn", SAME),
    ("wsn", MOUNTING), ("occupancy", CHANGED),
)  # fmt: skip
FEATURES: Sequence[tuple[str, str, str, str]] = (
    ("fan", MOUNTING + SIMULATED, STATIC, "false_alarm_pct"), ("fan", DRIFT + SIMULATED, LEARNER, "false_alarm_pct"),
    ("rosa", SAME, LEARNER, "false_alarm_pct"), ("rosa", CHANGED, LEARNER, "auroc"), ("uci_fan", SAME, PLACE, "auroc"),
)  # fmt: skip
"""Set, condition, path and figure that tell one set of features from the other."""
_WORDS = {"false_alarm_pct": "false alarms %", "auroc": "AUROC", "missed_pct": "missed %"}


def write(name: str, table: str, page: Path = PAGE) -> None:
    """Put a table in its place. AssertionError if the page has none of that name."""
    text = page.read_text(encoding="utf-8")
    found, n = re.subn(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m: m[1] + table + m[2], text, flags=re.DOTALL)
    assert n == 1, f"{page}: {n} places for {name}"
    page.write_text(found, encoding="utf-8")


def glance(study: Study) -> str:
    """False alarms and misses, and AUROC where there are both kinds of rows."""
    domains = {domain.source.dataset.name: domain for domain in study.domains}
    rows = [
        [f"{TITLES[name]}: {condition}", *(_cell(domains[name].conditions[condition].paths.get(p)) for p in PATHS)]
        for name, condition in GLANCE
    ]
    events = plain.pooled_events(study)
    pooled = [f"{events[path]['events']:.0f} / {events[path]['wanted']:.1f}" for path in PATHS]
    rows.append(["false-alarm events, achieved / promised, all that was recorded", *pooled])
    return _table(["", *PATHS], rows)


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


def features(found: Mapping[str, Figure]) -> str:
    """One set beside the other."""
    rows = [
        [
            f"{TITLES[name]}: {condition}, {path}, {_WORDS[what]}",
            *(
                _number(found.get(f"study_{name}_{feature_set}_{CONDITIONS[condition]}_{SHORT[path]}_{what}"), what)
                for feature_set in ("invariant", "statistics")
            ),
        ]
        for name, condition, path, what in FEATURES
    ]
    return _table(["", "invariant", "statistics"], rows)


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
