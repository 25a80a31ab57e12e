"""Figures of trained models: seconds to train, what int8, small sizes and pruning cost, classes beside reconstruction.

Nothing is fitted to labels: they serve to count. A set's AUROC is the mean over its cases; a case is trained on what
was recorded first, or in another run, and judged on the rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import direct, errors, feature_sets
from gateway.detectors.feature_sets import INVARIANT, STATISTICS
from gateway.training import autoencoder, classifier, dense, evaluation, judges, quantise, room, stream, tflite_file
from gateway.training.dense import Floats
from gateway.training.metrics import auroc
from gateway.training.prune import Lesson, prune
from gateway.training.stream import Stream
from gateway.training.tflite_file import Network
from tests.bench.figures import Figure
from tests.bench.shared_data import dataset

SEED = 1
SETS = "skab", "rosa", "fan", "uci_fan", "cwru"
MINUTES, EACH_S = 10, 1
RUNS = 5
PRUNED = 0.5
SIZES = "node", "small4", "small6", "small8", "wide"
LEAST = 2.0**-10


@dataclass(frozen=True)
class Case:
    """Standardised windows that are learned from, and others with what is true of them (1 fault, 0 normal)."""

    fit: Floats
    judged: Floats
    fault: NDArray[np.int8]


def case(fit: Floats, judged: Floats, fault: NDArray[np.int8]) -> Case:
    """Standardised by what is learned from; what hardly varies there is left out."""
    mean, std = fit.mean(axis=0), fit.std(axis=0)
    kept = std > LEAST
    return Case((fit - mean)[:, kept] / std[kept], (judged - mean)[:, kept] / std[kept], fault)


def rows(found: Stream) -> Floats:
    """Values as they are; of features all but levels, which tell how a sensor lies."""
    if found.feature_set is None:
        return found.x
    kinds = feature_sets.kinds(found.feature_set, len(found.channels))
    return found.x[:, [kind is not feature_sets.Kind.LEVEL for kind in kinds]]


def cases(name: str) -> Iterator[Case]:
    """The cases of a set."""
    found = [stream.of(recording, STATISTICS) for recording in dataset(name).recordings]
    if name == "skab":
        for one in found:
            if (one.fault[one.learn :] == 1).any():
                yield case(rows(one)[: one.learn], rows(one)[one.learn :], one.fault[one.learn :])
    elif name == "rosa":
        imu = [one for one in found if one.node == "imu"]
        healthy = np.concatenate([rows(one) for one in imu if one.name.startswith("H")])
        for mode in "NVD":
            own = [one for one in imu if one.name.startswith(mode)]
            yield case(healthy, np.concatenate([rows(o) for o in own]), np.concatenate([o.fault for o in own]))
    else:
        first = found[0]
        others = [one for one in found[1:] if one.session == first.session]
        judged = [rows(first)[first.learn :], *(rows(one) for one in others)]
        fault = [first.fault[first.learn :], *(one.fault for one in others)]
        yield case(rows(first)[: first.learn], np.concatenate(judged), np.concatenate(fault))


def scores(network: Network, windows: Floats) -> Floats:
    """Reconstruction errors, of an int8 network on the node's engine."""
    if network.input is None:
        return np.asarray(((dense.activations(network, windows)[-1] - windows) ** 2).sum(axis=1))
    q = np.clip(np.rint(windows / network.input.scale), -128, 127).astype(np.int8)
    outputs = direct.Network(tflite_file.write(network)).run(q)
    return errors.reconstruction(q.astype(np.int64), outputs.astype(np.int64)).astype(np.float64)


def of_case(one: Case, network: Network) -> float | None:
    """AUROC; None where labels do not give it."""
    return auroc(one.fault, scores(network, one.judged))


def costs() -> Mapping[str, Figure]:
    """AUROC by set of each architecture, float and int8, and of a pruned one."""
    found: dict[str, list[float]] = {}
    for name in SETS:
        of_set: dict[str, list[float]] = {}
        for one in cases(name):
            for key, network in networks(one).items():
                value = of_case(one, network)
                if value is not None:
                    of_set.setdefault(key, []).append(value)
        for key, values in of_set.items():
            found.setdefault(key, []).append(fmean(values))
    how = (
        f"mean over the sets {', '.join(SETS)} (skab over its files, rosa over N, V and D), trained on each set's "
        "commissioning part, rosa on its healthy runs; statistics without levels, skab's values; seed 1"
    )
    mean = {key: fmean(values) for key, values in found.items()}
    by_set = ", ".join(f"{s} {f - i:+.4f}" for s, f, i in zip(SETS, found["node"], found["node int8"], strict=True))
    figures = {
        "int8_auroc_cost": Figure(
            round(mean["node"] - mean["node int8"], 4), "",
            f"AUROC of the float autoencoder n-2n/3-4n/9-2n/3-n (18-12-8-12-18 of six channels) less that in int8 on "
            f"the node's engine, {how}; by set: {by_set}",
        )
    }  # fmt: skip
    for key in [*SIZES, "pruned"]:
        sizes = "the node's with half its weights pruned" if key == "pruned" else "-".join(
            map(str, autoencoder.ARCHITECTURES[key](18))
        )  # fmt: skip
        value = mean[f"{key} int8"]
        figures[f"autoencoder_auroc_{key}"] = Figure(round(value, 3), "", f"in int8, {sizes} for 18 features; {how}")
    return figures


def networks(one: Case) -> Mapping[str, Network]:
    """By name, and with "int8" behind it."""
    found = {}
    for key in SIZES:
        found[key] = autoencoder.train(one.fit, autoencoder.ARCHITECTURES[key](one.fit.shape[1]), SEED)
    lesson = Lesson(one.fit, one.fit, one.fit, one.fit, autoencoder.squared_error)
    found["pruned"] = prune(found["node"], lesson, PRUNED, SEED).network
    return found | {f"{key} int8": quantise.best(network, one.fit, one.fit).network for key, network in found.items()}


def seconds() -> Mapping[str, Figure]:
    """Training and evaluating, by the clock of this computer."""
    random = np.random.default_rng(SEED)
    windows = random.normal(size=(60 * MINUTES // EACH_S, 4)) @ random.normal(size=(4, 18))
    windows += 0.3 * random.normal(size=windows.shape)
    spent = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        network = autoencoder.train(windows, autoencoder.node_sizes(18), SEED)
        quantise.best(network, windows, windows)
        spent.append(time.perf_counter() - begun)
    how = (
        f"an 18-12-8-12-18 autoencoder, float and then int8, on {len(windows)} windows of {EACH_S} s, median of {RUNS}"
    )
    result = evaluation.evaluate(dataset("fan"), judges.PlaceJudge, "learner")
    return {
        "train_s": Figure(round(median(spent), 2), "s", f"{how}; one process on two cores"),
        "evaluate_windows_per_s": Figure(
            round(result.windows_per_s), "/s",
            "windows of the set fan (3 channels, 200 Hz, 1 s) judged by the gateway's learner, features included",
        ),
    }  # fmt: skip


def classes() -> Mapping[str, Figure]:
    """A fan's speeds as classes beside reconstruction, and a room whose regimes k-means has found."""
    first, *others = (stream.of(recording, INVARIANT) for recording in dataset("uci_fan").recordings)
    speeds = sorted(set(first.context[:, 0]))
    names = tuple(f"{speed:g}" for speed in speeds)
    known = np.searchsorted(
        speeds, np.concatenate([first.context[first.learn :, 0], *(o.context[:, 0] for o in others)])
    )
    one = case(
        first.x[: first.learn],
        np.concatenate([first.x[first.learn :], *(o.x for o in others)]),
        np.concatenate([first.fault[first.learn :], *(o.fault for o in others)]),
    )
    labels = np.searchsorted(speeds, first.context[: first.learn, 0])
    sizes = classifier.node_sizes(one.fit.shape[1], len(names))
    trained = classifier.train(one.fit, labels, names, sizes, SEED)
    strange = classifier.strangers(one.fit, labels, SEED)
    int8 = quantise.best(trained, one.fit, one.fit, "classifier", strange).network
    assert int8.input is not None
    q = np.clip(np.rint(one.judged / int8.input.scale), -128, 127).astype(np.int8)
    outputs = direct.Network(tflite_file.write(int8)).run(q).astype(np.int64)
    plain = quantise.best(
        autoencoder.train(one.fit, autoencoder.node_sizes(one.fit.shape[1]), SEED), one.fit, one.fit
    ).network
    how = "uci_fan, invariant features, trained on the first half of config 1, all speeds; int8 on the node's engine"
    what_of = f"classifier {'-'.join(map(str, sizes))} of the speeds"
    values = {
        "known": (errors.confidence(outputs, known), f"{what_of}, which are known"),
        "any": (errors.confidence(outputs), f"{what_of}, none known"),
        "reconstruction": (scores(plain, one.judged), "autoencoder 16-11-7-11-16"),
    }  # fmt: skip
    return {
        f"uci_fan_classes_auroc_{key}": Figure(round(auroc(one.fault, score) or 0.0, 3), "", f"{what}; {how}")
        for key, (score, what) in values.items()
    } | rooms()


def rooms() -> Mapping[str, Figure]:
    """The room's node on days of simulated rooms that it has never seen."""

    sampling = room.Sampling()
    with TemporaryDirectory() as folder:
        node, _ = room.make(Path(folder), room.simulated(sampling), sampling)
    manifest, engine = node.manifest, direct.Network(node.model)
    seeds = range(4000, 4008)
    share = {}
    for fault in ("", "heating", "door", "leak"):
        spec = f"sim:room?fault={fault}" if fault else "sim:room"
        windows = np.concatenate([sampling.windows(room.day(spec, seed, sampling)) for seed in seeds])
        above = (
            direct.errors(engine, manifest.scaling, windows, manifest.kind, manifest.known) > manifest.node.threshold
        )
        share[fault] = float(np.mean(above))
    how = (
        f"of windows (32 samples a minute apart, slow features) of a day of {len(seeds)} simulated rooms never seen; "
        f"{len(manifest.classes) - 1} regimes by k-means, 1 in 1000 wanted; int8 on the node's engine"
    )
    return {
        "room_false_alarm_pct": Figure(round(100 * share.pop(""), 2), "%", f"windows above the threshold, {how}"),
        "room_recall_pct": Figure(
            round(100 * min(share.values()), 1), "%",
            f"windows above it of the worst of failed heating, open door and leak, {how}",
        ),
    }  # fmt: skip


GROUPS = {"training": seconds, "sizes": costs, "classes": classes}
