"""The plots of a study, each as one inline SVG: the same study gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from gateway.training.evaluation import Track
from gateway.training.study import Domain, OfCondition, Study
from gateway.training.study.footprint import Footprint
from gateway.training.study.paths import BOTH, LEARNER, PATHS, PLACE, STATIC

matplotlib.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

COLOURS = {STATIC: "#c2410c", LEARNER: "#0f766e", BOTH: "#7c3aed", PLACE: "#1d4ed8"}
_INK, _FAINT, _FAULT = "#1f2937", "#9ca3af", "#fecaca"
_LOW, _HIGH = 0.05, 30.0
_POINTS = 300
_NAMED = 4  # runs
_STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "stethos", "font.family": "sans-serif", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": _FAINT, "axes.labelcolor": _INK,
    "xtick.color": _INK, "ytick.color": _INK, "axes.titlesize": 9.5, "axes.titlelocation": "left",
    "path.simplify_threshold": 0.6,
}  # fmt: skip


def told(domain: Domain, found: OfCondition) -> str:
    """Scores over time of the session that tells most, each path a row, with its alarms; beside them the ROC."""
    runs = _telling(found)
    rows = [path for path in PATHS if path in found.paths]
    with_roc = any(of.figures.auroc is not None for of in found.paths.values())
    with plt.rc_context(_STYLE):
        figure = plt.figure(figsize=(10.4, 0.5 + 0.92 * len(rows)))
        grid = figure.add_gridspec(len(rows), 2, width_ratios=(3.4, 1.0) if with_roc else (1.0, 0.001), hspace=0.28,
                                   wspace=0.16, left=0.055, right=0.985, top=0.91, bottom=0.13)  # fmt: skip
        shared: Axes | None = None
        for at, path in enumerate(rows):
            axes = figure.add_subplot(grid[at, 0], sharex=shared)
            shared = shared or axes
            _scores(axes, found.paths[path].tracks[runs], path, last=at == len(rows) - 1)
        if with_roc:
            _roc(figure.add_subplot(grid[:, 1]), found)
        return _svg(figure, f"scores over time: {domain.name}, {found.condition.name}")


def achieved(study: Study) -> str:
    """False-alarm events of every path and condition against those wanted, both with one added, on logarithms."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.2, 4.6), layout="constrained")
        most = 3.0
        for path in PATHS:
            points = [
                (of.paths[path].figures.wanted_false_events, of.paths[path].figures.false_events)
                for domain in study.domains for of in domain.conditions.values() if path in of.paths
            ]  # fmt: skip
            if points:
                wanted, found = np.array(points, float).T
                axes.scatter(wanted + 1, found + 1, s=34, color=COLOURS[path], alpha=0.75, label=path, linewidths=0)
                most = max(most, float(wanted.max()) + 2, float(found.max()) + 2)
        axes.plot([1, most], [1, most], color=_INK, linewidth=1)
        axes.fill_between([1, most], [1, most / 2], [1, 2 * most], color="#e5e7eb", linewidth=0, zorder=0)
        axes.set(xscale="log", yscale="log", xlim=(0.93, most), ylim=(0.93, most),
                 xlabel="wanted false-alarm events + 1", ylabel="achieved + 1",
                 title="each point a condition; in the band within a factor of two")  # fmt: skip
        figure.legend(frameon=False, loc="outside upper center", ncols=2)
        return _svg(figure, "false-alarm events achieved against wanted")


def footprint(found: Mapping[str, Footprint], title: str) -> str:
    """Flash, RAM, instructions, energy of a verdict and mean power, of each path on a Cortex-M4."""
    with plt.rc_context(_STYLE):
        figure, all_axes = plt.subplots(1, 5, figsize=(10.4, 1.05 + 0.24 * len(found)), layout="constrained")
        bars: list[tuple[str, list[float]]] = [
            ("flash, bytes", [float(f.flash_bytes or 0) for f in found.values()]),
            ("RAM, bytes", [float(f.ram_bytes or 0) for f in found.values()]),
            ("verdict, instructions", [f.cores["cortex-m4"].verdict_instructions for f in found.values()]),
            ("window, µJ", [f.cores["cortex-m4"].energy_uj or 0.0 for f in found.values()]),
            ("average power, µW", [f.cores["cortex-m4"].average_uw or 0.0 for f in found.values()]),
        ]
        for at, (axes, (name, values)) in enumerate(zip(all_axes, bars, strict=True)):
            places = np.arange(len(values))[::-1]
            axes.barh(places, values, color=[COLOURS[path] for path in found], height=0.62)
            axes.set_yticks(places, list(found) if at == 0 else [""] * len(values))
            axes.tick_params(left=False)
            axes.set_title(name)
            axes.set_xlim(0, 1.42 * max([*values, 1e-9]))
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            for place, value in zip(places, values, strict=True):
                axes.text(value, place, f" {_short(value)}", va="center", fontsize=8, color=_INK)
        return _svg(figure, title)


def _scores(axes: Axes, tracks: Sequence[Track], path: str, *, last: bool) -> None:
    """The runs of a session one behind the other, whatever time lies between."""
    passed = np.concatenate([[0.0], np.cumsum([float(t.at_s[-1] - t.at_s[0]) + t.row_s for t in tracks])])
    per, name = _unit(float(passed[-1]))
    at = np.concatenate([begin + t.at_s - t.at_s[0] for begin, t in zip(passed[:-1], tracks, strict=True)]) / per
    fault, score, alarm = (np.concatenate([getattr(t, key) for t in tracks]) for key in ("fault", "score", "alarm"))
    for begin, end in _stretches(fault == 1):
        axes.axvspan(at[begin], at[end - 1], color=_FAULT, linewidth=0)
    kept = _thinned(score)
    axes.plot(at[kept], np.clip(score[kept], _LOW, _HIGH), color=COLOURS[path], linewidth=0.9)
    axes.axhline(1.0, color=_INK, linewidth=0.6, linestyle=(0, (4, 3)))
    for border in passed[1:-1] / per:
        axes.axvline(border, color=_INK, linewidth=0.6)
    for begin, end in _stretches(alarm):
        axes.plot([at[begin], at[end - 1]], [_HIGH * 1.35] * 2, color=_INK, linewidth=3.2, solid_capstyle="butt",
                  clip_on=False)  # fmt: skip
    axes.set(yscale="log", ylim=(_LOW, _HIGH), xlim=(0, passed[-1] / per))
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.minorticks_off()
    axes.text(0.006, 0.8, path, transform=axes.transAxes, color=COLOURS[path], fontweight="bold", fontsize=8.5)
    if not last:
        axes.tick_params(labelbottom=False)
    else:
        axes.set_xlabel(f"{name} behind what was learned: {', then '.join(t.run for t in tracks[:_NAMED])}")


def _unit(length_s: float) -> tuple[float, str]:
    return (3600.0, "hours") if length_s > 7200 else (60.0, "minutes") if length_s > 240 else (1.0, "seconds")


def _roc(axes: Axes, found: OfCondition) -> None:
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=0.8)
    for path, of in found.paths.items():
        fault = np.concatenate([t.fault[t.judged] for t in of.tracks])
        score = np.concatenate([t.score[t.judged] for t in of.tracks])
        if of.figures.auroc is None:
            continue
        rate, recall, _ = roc_curve(fault[fault >= 0], score[fault >= 0])
        kept = np.unique(np.linspace(0, len(rate) - 1, min(len(rate), _POINTS)).astype(int))
        axes.plot(rate[kept], recall[kept], color=COLOURS[path], linewidth=1.3)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title="ROC, all runs", xlabel="false alarms")
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])


def _telling(found: OfCondition) -> slice:
    """The tracks of the session with the most of the rarer kind of row; the longest where all have one kind."""
    tracks = next(iter(found.paths.values())).tracks
    ends = np.cumsum([0, *(len(visit.shown) for visit in found.condition.visits)]).tolist()
    sessions = [slice(begin, end) for begin, end in pairwise(ends)]

    def worth(session: slice) -> tuple[int, int]:
        fault = np.concatenate([t.fault for t in tracks[session]])
        return min(int((fault == 1).sum()), int((fault == 0).sum())), len(fault)

    return max(sessions, key=worth)


def _thinned(score: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows to draw: of each stretch the least and the largest."""
    if len(score) <= 2 * _POINTS:
        return np.arange(len(score))
    filled = np.nan_to_num(score, nan=0.0)
    ends = np.linspace(0, len(score), _POINTS + 1).astype(int)
    kept: set[int] = set()
    for begin, end in pairwise(ends.tolist()):
        kept |= {int(begin + np.argmin(filled[begin:end])), int(begin + np.argmax(filled[begin:end]))}
    return np.array(sorted(kept), np.intp)


def _stretches(mask: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _short(value: float) -> str:
    if value >= 1e4:
        return f"{value / 1000:.0f} k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _svg(figure: Figure, title: str) -> str:
    """Without what only a file needs, and with a title for whoever cannot see it."""
    out = StringIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(out, format="svg", metadata=metadata)
    plt.close(figure)
    text = out.getvalue()
    head, body = text[text.index("<svg") :].split(">", 1)
    return f'{_unsized(head)} role="img"><title>{title}</title>{body}'


def _unsized(head: str) -> str:
    """The opening tag without width and height: the page says how wide it is."""
    parts: Sequence[str] = [part for part in head.split(" ") if not part.startswith(("width=", "height="))]
    return " ".join(parts)
