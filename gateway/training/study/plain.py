"""A study as plain values: every figure, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway import __version__
from gateway.detectors.feature_sets import NAMES
from gateway.training.study import Domain, OfPath, Study
from gateway.training.study import conditions as study_conditions
from gateway.training.study import paths as study_paths
from gateway.training.study.paths import PATHS

VERSION = 1


def plain(study: Study) -> dict[str, Any]:
    """The same study gives the same values: no time of day, no time that a computer took."""
    return {
        "version": VERSION,
        "made_by": f"stethos {__version__}, stethos model compare",
        "seed": study.seed,
        "domains": {domain.name: _domain(domain) for domain in study.domains},
        "pooled_events": pooled_events(study),
        "not_studied": dict(study.not_studied),
    }


def pooled_events(study: Study) -> dict[str, dict[str, float | None]]:
    """False-alarm events of each path against those promised, over all conditions that were recorded: simulated ones
    have the same rows once more.
    """
    found: dict[str, dict[str, float | None]] = {}
    for path in PATHS:
        figures = [
            of.paths[path].figures
            for domain in study.domains
            for of in domain.conditions.values()
            if path in of.paths and not of.condition.simulated
        ]
        events, wanted = sum(f.false_events for f in figures), sum(f.wanted_false_events for f in figures)
        found[path] = {"events": events, "wanted": wanted, "achieved_over_wanted": events / wanted if wanted else None}
    return found


def _domain(domain: Domain) -> dict[str, Any]:
    source, static = domain.source, domain.static
    return {
        "dataset": source.dataset.name,
        "dataset_sha256": source.dataset.sha256(),
        "node": source.node,
        "kind": source.run.kind,
        "channels": [channel.name for channel in source.run.channels],
        "feature_set": NAMES[source.feature_set],
        "samples": source.samples,
        "hop": source.hop,
        "row_s": source.hop / source.run.rate_hz,
        "trained_on_sessions": list(domain.training),
        "windows_learned": domain.learned,
        "static_model": domain.refused
        if static is None
        else {
            "layers": list(study_paths.sizes(static)),
            "windows_fit_calibrate_check": list(static.windows),
            "tflite_bytes": len(static.bundle.model),
            "threshold": static.bundle.manifest.node.threshold if static.bundle.manifest.node else None,
            "threshold_extrapolated": static.bundle.manifest.quality.extrapolated,
        },
        "conditions": {
            name: {
                "how": found.condition.how,
                "simulated": found.condition.simulated,
                "paths": {path: _path(of) for path, of in found.paths.items()},
            }
            for name, found in domain.conditions.items()
        },
        "missing": {name: domain.missing[name] for name in study_conditions.NAMES if name in domain.missing},
        "footprint": {path: asdict(found) for path, found in domain.footprint.items()},
    }


def _path(found: OfPath) -> dict[str, Any]:
    return {
        **asdict(found.figures),
        "runs": len(found.tracks),
        "float_auroc": found.float_auroc,
        "int8_auroc_cost": found.int8_cost,
        "notes": list(found.notes),
    }
