"""A study as one HTML file that needs nothing else: tables, plots and how each figure came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from gateway.detectors.feature_sets import NAMES
from gateway.energy.core import Core
from gateway.training.study import Domain, OfCondition, OfPath, Study
from gateway.training.study import conditions as study_conditions
from gateway.training.study import paths as study_paths
from gateway.training.study import plain as study_plain
from gateway.training.study import plots as study_plots
from gateway.training.study.footprint import BATTERY, EVERY_S, RADIO, REPORT_S, SENSOR, Footprint, OnCore
from gateway.training.study.paths import PATHS

_CSS = """
:root { --ink: #1f2937; --dim: #6b7280; --line: #e5e7eb; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: #fafaf9;
  margin: 0; }
main { max-width: 1240px; margin: 0 auto; padding: 32px 24px 80px; }
h1 { font-size: 27px; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 21px; margin: 48px 0 4px; padding-top: 20px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 28px 0 2px; }
p { margin: 6px 0; max-width: 78ch; }
.dim, figcaption { color: var(--dim); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; font-size: 13px;
  background: #fff; }
th, td { padding: 4px 8px; border: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { background: #f5f5f4; font-weight: 600; white-space: normal; line-height: 1.25; }
th:first-child, td:first-child { text-align: left; }
.figures th, .figures td { padding: 3px 6px; font-size: 12.5px; }
th.left, td.left, td.core { text-align: left; } td.left { white-space: normal; }
td small { color: var(--dim); }
svg { width: 100%; height: auto; display: block; background: #fff; border: 1px solid var(--line); border-radius: 6px;
  margin: 10px 0; }
svg text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; }
.narrow { max-width: 620px; }
.sim { font-size: 11px; font-weight: 500; color: #92400e; background: #fef3c7; border-radius: 9px; padding: 1px 8px;
  margin-left: 6px; vertical-align: 2px; }
.key span { display: inline-block; margin-right: 18px; font-weight: 600; }
ul { margin: 6px 0; padding-left: 20px; } li { margin: 2px 0; }
code { background: #f5f5f4; padding: 1px 5px; border-radius: 4px; font-size: 13px; }
"""

_EXTRAPOLATED = " (an extrapolation: too few to show so low a rate)"


def html(study: Study, command: str) -> str:
    """The whole page. `command` is what makes it again."""
    domains = "".join(_domain(domain) for domain in study.domains)
    refused = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in study.not_studied.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Two-path study</title><style>{_CSS}</style></head><body><main>"
        "<h1>Static model or learning at the place?</h1>"
        f'<p class="dim">The two-path study of <code>{escape(command)}</code>, seed {study.seed}</p>'
        f"{_INTRODUCTION}{_key()}{_overview(study)}"
        f"{f'<p>Not studied:</p><ul>{refused}</ul>' if refused else ''}"
        "<h2>Promised and kept</h2><p>A detector promises so many false-alarm events in so many normal windows. What "
        "was wanted is small where a recording is short: then a point says little.</p>"
        f'{_events(study)}<div class="narrow">{study_plots.achieved(study)}</div>'
        f"{domains}{_READING}</main></body></html>\n"
    )


_INTRODUCTION = """
<p>Four ways to find out that a machine is not as it was, on the same rows. The <b>static int8 model</b> is an
autoencoder, trained once and calibrated on int8 outputs that the node's own code computed. The <b>learner on the
node</b> begins where the node is mounted. <b>Both</b> is how a node joins them: either may alarm, and the learner
learns nothing from what the model calls anomalous. The <b>learner at the gateway</b> has full covariances, the context
(such as a speed) and, of slow sensors, each reading. No label was read before everything was judged, and nobody
acknowledged an alarm: one that stands for ever counts for ever.</p>
"""

_READING = """
<h2>How to read it</h2>
<ul>
<li>False alarms and misses are shares of rows at which an alarm stands, or does not: latched, as people see it.</li>
<li>Events are alarms that begin in a normal row; wanted is what was promised for so many of them.</li>
<li>The clock's AUROC is what the time since the start of a run alone would reach: near it, a score proves nothing.</li>
<li>int8 costs AUROC: that of the float network less that of the int8 one, on the same rows.</li>
<li>A simulation is named one. It is made from the recording that stands beside it and is no second machine.</li>
<li>Instructions were counted in QEMU, time is reckoned with the cycles an instruction that stand beside each core,
currents come from data sheets. Nothing of it was measured with a meter. What no data sheet says is not known.</li>
</ul>
"""


def _key() -> str:
    names = "".join(f'<span style="color:{study_plots.COLOURS[path]}">{path}</span>' for path in PATHS)
    return f'<p class="key">{names}</p>'


def _overview(study: Study) -> str:
    """Each condition of each domain: false alarms and misses of the paths, coloured by the worse of the two."""
    head = "".join(f'<th style="color:{study_plots.COLOURS[path]}">{path}</th>' for path in PATHS)
    rows = []
    for domain in study.domains:
        for name in study_conditions.NAMES:
            if name in domain.conditions:
                cells = "".join(_told(domain.conditions[name].paths.get(path)) for path in PATHS)
                rows.append(f"<tr><td>{escape(domain.name)}</td><td class=left>{_name(name)}</td>{cells}</tr>")
    return (
        "<h2>At a glance</h2><p>Normal rows alarmed, faulty rows missed, per cent, and AUROC; – where no label "
        "can say. Green: both below 5 %, amber: below 25 %, red: not; grey: no fault was shown, so that silence is all "
        "that it takes.</p>"
        f'<div class="scroll"><table><tr><th>data</th><th class=left>condition</th>{head}</tr>{"".join(rows)}'
        "</table></div>"
    )


def _events(study: Study) -> str:
    rows = "".join(
        f'<tr><td style="color:{study_plots.COLOURS[path]};font-weight:600">{path}</td><td>{found["events"]:.0f}</td>'
        f"<td>{found['wanted']:.1f}</td><td>{_number(found['achieved_over_wanted'], 1)}</td></tr>"
        for path, found in study_plain.pooled_events(study).items()
    )
    return (
        "<p>All recorded conditions together:</p><table><tr><th></th><th>events</th><th>wanted</th>"
        f"<th>achieved / wanted</th></tr>{rows}</table>"
    )


def _told(found: OfPath | None) -> str:
    if found is None or not found.figures.rows:
        return "<td>–</td>"
    f = found.figures
    worst = max(v for v in (f.false_alarm_pct, f.missed_pct, 0.0) if v is not None)
    good = "#f5f5f4" if f.missed_pct is None else "#dcfce7"
    colour = good if worst < 5 else "#fef3c7" if worst < 25 else "#fee2e2"
    return (
        f'<td style="background:{colour}">{_number(f.false_alarm_pct, 1)} / {_number(f.missed_pct, 1)} '
        f"<small>{_number(f.auroc, 3)}</small></td>"
    )


def _name(condition: str) -> str:
    plain = condition.removesuffix(study_conditions.SIMULATED)
    return plain + ('<span class="sim">simulated</span>' if plain != condition else "")


def _domain(domain: Domain) -> str:
    source, static = domain.source, domain.static
    model = escape(domain.refused)
    if static is not None:
        fit, calibrate, check = static.windows
        model = (
            f"static model {'-'.join(map(str, study_paths.sizes(static)))}, {len(static.bundle.model):,} bytes, from "
            f"{fit} windows, its threshold from {calibrate} others"
            f"{_EXTRAPOLATED if static.bundle.manifest.quality.extrapolated else ''}, checked on {check}"
        )
    missing = "".join(f"<li>{escape(name)}: {escape(domain.missing[name])}</li>"
                      for name in study_conditions.NAMES if name in domain.missing)  # fmt: skip
    parts = "".join(_condition(domain, domain.conditions[n]) for n in study_conditions.NAMES if n in domain.conditions)
    return (
        f"<h2>{escape(domain.name)}</h2>"
        f"<p>{len(source.run.channels)} channels at {source.run.rate_hz:g} Hz, {NAMES[source.feature_set]} features of "
        f"windows of {source.samples}, a row each {source.hop / source.run.rate_hz:.3g} s; {domain.learned} windows "
        f"learned in {escape(', '.join(domain.training))}; {model}.</p>"
        + (f"<p>Conditions that this data cannot give:</p><ul>{missing}</ul>" if missing else "")
        + parts
        + _footprint(domain)
    )


_COLUMNS: Sequence[tuple[str, Callable[[OfPath], str]]] = (
    ("rows", lambda p: str(p.figures.rows)),
    ("not judged", lambda p: str(p.figures.not_judged)),
    ("AUROC", lambda p: _number(p.figures.auroc, 3)),
    ("AUPRC", lambda p: _number(p.figures.auprc, 3)),
    ("accuracy", lambda p: _number(p.figures.accuracy, 3)),
    ("precision", lambda p: _number(p.figures.precision, 3)),
    ("recall", lambda p: _number(p.figures.recall, 3)),
    ("F1", lambda p: _number(p.figures.f1, 3)),
    ("false alarms %", lambda p: _number(p.figures.false_alarm_pct, 1)),
    ("missed %", lambda p: _number(p.figures.missed_pct, 1)),
    ("delay s", lambda p: _number(p.figures.delay_s, 1)),
    ("faults found", lambda p: f"{p.figures.faults_found} of {p.figures.faults}"),
    ("events / wanted", lambda p: f"{p.figures.false_events} / {p.figures.wanted_false_events:.2f}"),
    ("clock's AUROC", lambda p: _number(p.figures.clock_auroc, 3)),
    ("int8 costs AUROC", lambda p: _number(p.int8_cost, 3)),
)


def _condition(domain: Domain, found: OfCondition) -> str:
    head = "".join(f"<th>{name}</th>" for name, _ in _COLUMNS)
    rows = "".join(
        f'<tr><td style="color:{study_plots.COLOURS[path]};font-weight:600">{path}</td>'
        + "".join(f"<td>{show(of)}</td>" for _, show in _COLUMNS)
        + "</tr>"
        for path, of in found.paths.items()
    )
    notes = dict.fromkeys(f"{path}: {note}" for path, of in found.paths.items() for note in of.notes)
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f"<h3>{_name(found.condition.name)}</h3><p class=dim>{escape(found.condition.how)}.</p>"
        f'<div class="scroll"><table class="figures"><tr><th></th>{head}</tr>{rows}</table></div>'
        + (
            f"<details><summary class=dim>{len(notes)} remarks</summary><ul class=dim>{said}</ul></details>"
            if notes
            else ""
        )
        + f"<figure style='margin:0'>{study_plots.told(domain, found)}<figcaption>Score over threshold; red: labelled "
        "as a fault; the black bar: an alarm stands; a line: another recording.</figcaption></figure>"
    )


def _footprint(domain: Domain) -> str:
    found = domain.footprint
    rows = "".join(_cost(path, of) for path, of in found.items())
    cores = "".join(
        f"<tr><td>{path}</td><td class=core>{core}</td><td>{on.features_instructions:,.0f}</td>"
        f"<td>{on.verdict_instructions:,.0f}</td><td>{on.formula_worst_pct:.0f}</td><td>{on.latency_ms:.3f}</td>"
        f"<td>{on.flash_bytes:,}</td>{_power(on)}</tr>"
        for path, of in found.items()
        for core, on in of.cores.items()
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in _of_cores(found))
    return (
        "<h3>What it costs</h3><p class=dim>Flash with features and model; RAM without samples and stack. Time and "
        f"power of a Cortex-M4, of a day with a window each {EVERY_S:g} s and a report each {REPORT_S:g} s (the "
        f"gateway's learner: with each window), sensor {SENSOR}, radio {RADIO}, battery {BATTERY}, by data sheets. "
        "Peak power is that of the state that draws most.</p>"
        f"{study_plots.footprint(found, f'footprint: {domain.name}')}"
        '<div class="scroll"><table><tr><th></th><th>flash, bytes</th><th>RAM, bytes</th><th>peak RAM, bytes</th>'
        f"<th>storage, bytes</th><th>MACs</th><th>ms a window</th>{_POWER}<th class=left>deployment steps</th></tr>"
        f"{rows}</table></div>{''.join(map(_ethos, found.values()))}"
        '<details><summary class="dim">on each core</summary><div class="scroll"><table><tr><th></th>'
        "<th class=left>core</th><th>features, instructions</th><th>verdict, instructions</th><th>formula within %</th>"
        f"<th>ms a window</th><th>flash, bytes</th>{_POWER}</tr>{cores}</table></div><ul class=dim>{notes}</ul>"
        "</details>"
    )


_POWER = "<th>µJ a window</th><th>average µW</th><th>peak mW</th><th>battery, years</th>"


def _power(on: OnCore) -> str:
    values = ((on.energy_uj, 1), (on.average_uw, 1), (on.peak_mw, 2), (on.battery_years, 1))
    return "".join(f"<td>{'not known' if v is None else _number(v, digits)}</td>" for v, digits in values)


def _of_cores(found: Mapping[str, Footprint]) -> Iterator[str]:
    """How each core's time came about, and what of it is not known."""
    for name, on in next(iter(found.values())).cores.items() if found else ():
        core = Core.load(name)
        unknown = f" Power is not known: {on.unknown}." if on.unknown else ""
        yield f"{name}: {core.title}. {core.cycles_per_instruction:g} cycles an instruction. {core.assumed}.{unknown}"


_OF_ETHOS: Mapping[str, str] = {
    "cycles": "{:,.0f} cycles", "npu_cycles": "{:,.0f} of them in the NPU", "ms": "{:.4f} ms", "mhz": "at {:g} MHz",
    "sram_bytes": "{:,.0f} bytes of SRAM", "flash_bytes": "{:,.0f} bytes of flash",
}  # fmt: skip
"""What is told of it, in words and units."""


def _ethos(of: Footprint) -> str:
    if not of.ethos_note:
        return ""
    told = ", ".join(form.format(of.ethos[key]) for key, form in _OF_ETHOS.items() if key in of.ethos)
    return f"<p>On an Ethos-U55 ({escape(of.ethos_note)}): {told or '–'}.</p>"


def _cost(path: str, of: Footprint) -> str:
    bytes_ = "".join(
        f"<td>{'–' if value is None else f'{value:,}'}</td>"
        for value in (of.flash_bytes, of.ram_bytes, of.peak_bytes, of.storage_bytes, of.macs)
    )
    m4 = of.cores["cortex-m4"]
    return (
        f"<tr><td>{path}</td>{bytes_}<td>{m4.latency_ms:.3f}</td>{_power(m4)}"
        f"<td class=left>{len(of.steps)}: {escape('; '.join(of.steps))}</td></tr>"
    )


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
