"""The two-path study on the recordings, from which docs/recommend.md follows, and the table of cores that it uses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.detectors.feature_sets import NAMES
from gateway.energy.core import FOLDER
from gateway.energy.table import HERE
from gateway.training.evaluation import Figures
from gateway.training.study import Domain, Study, Wish, plain, report, simulated
from gateway.training.study import study as compared
from gateway.training.study.conditions import RAMP, SAME, SIMULATED
from tests.bench import cores as measured_cores
from tests.bench import recommend
from tests.bench.figures import Figure
from tests.bench.progress import say
from tests.bench.recommend import CONDITIONS, SHORT
from tests.bench.shared_data import ROOT, dataset

OUT = ROOT / "build" / "study"
WISHES: Mapping[str, tuple[float | None, tuple[str, ...], str | None]] = {
    "fan": (240.0, ("off",), None), "rosa": (None, (), None), "uci_fan": (None, (), None),
    "skab": (4700.0, (), None), "wsn": (None, (), None), "occupancy": (None, (), None),
}  # fmt: skip
"""Set -> seconds of its first session that are learned from (None: as its manifest says), sessions left out, node."""
COMMAND = (
    "stethos model compare build/datasets/fan build/datasets/rosa build/datasets/uci_fan build/datasets/skab "
    "build/datasets/wsn build/datasets/occupancy --train-s fan 240 --train-s skab 4700 --without off --out build/study"
)
_TOLD: Mapping[str, tuple[str, Callable[[Figures], float | None]]] = {
    "auroc": ("", lambda f: f.auroc),
    "false_alarm_pct": ("%", lambda f: f.false_alarm_pct),
    "missed_pct": ("%", lambda f: f.missed_pct),
}


def run() -> tuple[Study, float]:
    """The whole study, and how many seconds it took. FileNotFoundError without the recordings."""
    wishes = [
        Wish(dataset(name), node, train_s, frozenset(without)) for name, (train_s, without, node) in WISHES.items()
    ]
    begun = time.perf_counter()
    return compared(wishes, seed=1, say=say), time.perf_counter() - begun


def study() -> Mapping[str, Figure]:
    """Report and JSON into build/study; the figures that docs/recommend.md names."""
    made, took_s = run()
    write(made, OUT)
    found = {key: figure for domain in made.domains for key, figure in _of_domain(domain).items()}
    for path, events in plain.pooled_events(made).items():
        how = f"{COMMAND}: {path}, {events['events']} false-alarm events where {events['wanted']:.1f} were promised"
        ratio = round(events["achieved_over_wanted"] or 0.0, 2)
        found[f"study_events_achieved_over_wanted_{SHORT[path]}"] = Figure(
            ratio, "", f"{how}, pooled over what was recorded"
        )
    recommend.write("study", recommend.glance(made))
    recommend.write("cost", recommend.cost(made.domains[0]))
    found["study_s"] = Figure(round(took_s, 1), "s", f"{COMMAND}, without drawing")
    return found


def plants() -> Mapping[str, Figure]:
    """What `stethos model compare` shows without recordings: machines that are simulated altogether."""
    with TemporaryDirectory() as folder:
        made = compared([Wish(data) for data in simulated.make(Path(folder))], seed=1, say=say)
        recommend.write("plants", recommend.plants(made))
        command = "stethos model compare --out build/plants"
        return {key: figure for domain in made.domains for key, figure in _of_domain(domain, command, "plant_").items()}


def write(made: Study, out: Path) -> None:
    """As `stethos model compare --out` does."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain.plain(made), indent=1)
    (out / "figures.json").write_text(text + "\n", encoding="utf-8")
    (out / "report.html").write_text(report.html(made, COMMAND), encoding="utf-8")


def _of_domain(domain: Domain, command: str = COMMAND, kind: str = "") -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for condition, of in domain.conditions.items():
        for path, result in of.paths.items():
            f = result.figures
            how = (
                f"{command}: {domain.name}, {condition}: {of.condition.how}; {path}; {f.rows} rows judged, "
                f"{f.normal_rows} normal, {f.fault_rows} faulty, {f.false_events} false-alarm events where "
                f"{f.wanted_false_events:.2f} were promised"
            )
            found |= _told(f"{kind}{domain.source.dataset.name}_{CONDITIONS[condition]}_{SHORT[path]}", f, how)
    return found


def _told(key: str, figures: Figures, how: str, wanted: Collection[str] = tuple(_TOLD)) -> dict[str, Figure]:
    values = {what: (unit, value(figures)) for what, (unit, value) in _TOLD.items() if what in wanted}
    return {
        f"study_{key}_{what}": Figure(round(value, 3), unit, how)
        for what, (unit, value) in values.items()
        if value is not None
    }


def length() -> Mapping[str, Figure]:
    """How long to learn: the fan, with less and less of its first session."""
    found: dict[str, Figure] = {}
    for seconds in recommend.LENGTHS_S:
        [domain] = compared([Wish(dataset("fan"), None, seconds, frozenset({"off"}))], say=say).domains
        command = f"stethos model compare build/datasets/fan --train-s fan {seconds:g} --without off"
        for condition in (SAME, RAMP + SIMULATED):
            for path, result in domain.conditions[condition].paths.items():
                key = f"fan_{seconds:g}s_{CONDITIONS[condition]}_{SHORT[path]}"
                how = f"{command}: {condition}, {path}, {domain.learned} windows learned"
                found |= _told(key, result.figures, how, ("false_alarm_pct", "missed_pct"))
    recommend.write("length", recommend.length(found))
    return found


def features() -> Mapping[str, Figure]:
    """Which features: vibration in one set and the others."""
    found: dict[str, Figure] = {}
    for name in dict.fromkeys(name for name, *_ in recommend.FEATURES):
        train_s, without, node = WISHES[name]
        for number in recommend.SETS:
            [domain] = compared([Wish(dataset(name), node, train_s, frozenset(without), number)], say=say).domains
            for _, condition, path, what in (row for row in recommend.FEATURES if row[0] == name):
                key = f"{name}_{NAMES[number]}_{CONDITIONS[condition]}_{SHORT[path]}"
                how = f"{COMMAND} --features {NAMES[number]}: {domain.name}, {condition}, {path}"
                found |= _told(key, domain.conditions[condition].paths[path].figures, how, (what,))
    recommend.write("features", recommend.features(found))
    return found


def cores() -> Mapping[str, Figure]:
    """Writes gateway/energy/cores/*.toml anew, from runs in QEMU. AssertionError where a compiler is missing."""
    found = {}
    for core in measured_cores.START:
        counted = measured_cores.counted(core)
        (HERE / FOLDER / f"{core}.toml").write_text(measured_cores.toml(core, counted), encoding="utf-8")
        _, worst = measured_cores.fitted(counted.counts)
        how = (
            f"{core}: the formula of gateway/energy/core.py against the count of QEMU -icount, the worst of "
            f"{len(counted.counts)} shapes of networks, GCC -Os"
        )
        key = f"study_formula_worst_pct_{core.replace('-', '_')}"
        found[key] = Figure(round(worst, 1), "%", how)
    return found


GROUPS = {
    "cores": cores, "study": study, "study-plants": plants, "study-length": length, "study-features": features,
}  # fmt: skip
