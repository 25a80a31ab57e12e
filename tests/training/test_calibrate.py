"""Thresholds from held-out normal windows: what they are made from, what they promise, and what they achieve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.detectors import detector, direct
from gateway.detectors.bundle import Bundle
from gateway.detectors.manifest import Bin, DataSource, Entry
from gateway.training import bundle_writer, calibrate, held_out
from gateway.training.calibrate import Scale, bins, calibrated, count_events, thresholds
from gateway.training.commission import Purpose, host_bundle, node_bundle
from gateway.training.dataset import Dataset, Label, Writer, load
from gateway.training.held_out import CALIBRATE, CHECK, FIT, Choice, Rows, Unfit
from tests.training.recordings import fans

SOURCE = DataSource(description="drawn", sha256="0" * 64)
SIZES = {"hub": 1.0, "rim": 1.2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fans(tmp_path_factory.mktemp("data") / "fans", SIZES)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same fans on another day."""
    return fans(tmp_path_factory.mktemp("data") / "later", SIZES, seed=9)


@pytest.fixture(scope="module")
def bundles(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    lessons = held_out.for_training(data, 1, 64)
    folder = tmp_path_factory.mktemp("bundles")
    left_out = frozenset({0, 3, 6})
    made = {}
    for role, make in (("node", node_bundle), ("host", host_bundle)):
        purpose = Purpose(f"fan-{role}", held_out.channels(lessons.run), 64, 200_000, "tests", left_out)
        made[role] = make(folder / f"fan-{role}", purpose, lessons.normal)
    return made


def of(table: tuple[Entry, ...], node: str = "", asset: str = "", contexts: int = 0) -> list[Entry]:
    return [e for e in table if (e.node, e.asset, len(e.context)) == (node, asset, contexts)]


def test_the_parts_share_no_time_and_the_fitted_one_is_left_out(data: Dataset, other: Dataset, bundles: dict) -> None:
    (own, _), (later, _) = (held_out.for_bundle(d, bundles["node"].manifest) for d in (data, other))
    assert np.all(np.diff(own.part) >= 0) and np.all(np.diff(later.part) >= 0)
    assert [int((own.part == p).sum()) for p in (FIT, CALIBRATE, CHECK)] == [750, 250, 250]
    assert [int((later.part == p).sum()) for p in (FIT, CALIBRATE, CHECK)] == [0, 833, 417]


@pytest.mark.parametrize("role", ["node", "host"])
def test_errors_are_those_of_whoever_runs_the_model(role: str, other: Dataset, bundles: dict) -> None:
    bundle = bundles[role]
    rows, _ = held_out.for_bundle(other, bundle.manifest)
    if role == "node":
        expected = direct.errors(direct.Network(bundle.model), bundle.manifest.scaling, rows.features)
    else:
        expected = np.array(detector(bundle).score(rows.features.tolist()))
    assert np.array_equal(calibrate.errors_of(bundle, rows), expected)


@pytest.mark.parametrize("role", ["node", "host"])
@pytest.mark.parametrize("by", ["p95", "p99", "event_1of1", "event_3of5"])
def test_the_threshold_in_force_is_the_one_asked_for(role: str, by: str, other: Dataset, bundles: dict) -> None:
    bundle = bundles[role]
    rows = held_out.for_bundle(other, bundle.manifest)
    manifest = calibrated(bundle, rows, by, 10_000_000)
    assert manifest.calibration is not None
    assert (manifest.calibration.outputs, manifest.calibration.by) == ({"node": "direct", "host": "litert"}[role], by)
    table = manifest.calibration.table
    for entry in table:
        covered = [e for e in table if e.node in (entry.node or e.node,) and set(entry.context) <= set(e.context)]
        assert entry.threshold == max(getattr(e, by) for e in covered)
    general = table[0]
    assert (general.node, general.asset, general.context) == ("", "", ())
    assert manifest.threshold_for("stranger", "") == general.threshold
    if role == "node":
        assert manifest.node.threshold == general.threshold
        assert manifest.threshold == pytest.approx(
            1e6 * general.threshold * direct.Network(bundle.model).output.scale ** 2 / 9, abs=1
        )
    else:
        assert manifest.threshold == general.threshold
    checked = np.concatenate([calibrate.errors_of(bundle, r)[r.part == CHECK] for r in rows])
    assert general.check_windows == len(checked) == manifest.quality.windows
    assert general.check_above == np.sum(checked > general.threshold)


def test_percentiles_leave_what_they_say_above_them(other: Dataset, bundles: dict) -> None:
    bundle = bundles["node"]
    rows = held_out.for_bundle(other, bundle.manifest)
    for row, entry in zip(rows, [of(calibrated(bundle, rows, "p95").calibration.table, n, "fan")[0] for n in SIZES],
                          strict=True):  # fmt: skip
        errors = calibrate.errors_of(bundle, row)[row.part == CALIBRATE]
        assert entry.windows == len(errors)
        for percentile, threshold in ((0.95, entry.p95), (0.99, entry.p99)):
            assert np.mean(errors > threshold) <= 1 - percentile < np.mean(errors > threshold - 1) + 1 / len(errors)


def test_each_node_has_its_own_in_each_context(other: Dataset, bundles: dict) -> None:
    manifest = calibrated(bundles["node"], held_out.for_bundle(other, bundles["node"].manifest))
    table = manifest.calibration.table
    for node in SIZES:
        (own,) = of(table, node, "fan")
        slow, fast = of(table, node, "fan", 1)
        assert (slow.context[0].high, fast.context[0].low) == (15.0, 15.0)
        assert slow.windows + fast.windows == own.windows
        assert own.threshold == max(own.event_1of1, slow.threshold, fast.threshold)
        assert manifest.threshold_for(node, "fan", {"speed": 12.0}) == slow.threshold
        assert manifest.threshold_for(node, "fan") == own.threshold


def drawn(seed: int, by: str, events_ppb: int) -> tuple[Entry, ...]:
    """Of 2000 windows to calibrate on and 4000 to check on, whose errors are drawn from a law that is known."""
    errors = np.rint(1000 * np.random.default_rng(seed).chisquare(8, 6000)).astype(np.int64)
    part = np.repeat([CALIBRATE, CHECK], [2000, 4000]).astype(np.int8)
    rows = Rows("run", "hub", "fan", errors[:, None], part, np.zeros((6000, 0)), (), SOURCE)
    return thresholds([rows], [errors], by, events_ppb)


@pytest.mark.parametrize("by", ["event_1of1", "event_3of5"])
def test_events_come_about_as_often_as_wanted(by: str) -> None:
    """Pooled over fifty places that were calibrated each by itself, on windows that gave no threshold."""
    found = [of(drawn(seed, by, 2_000_000), "hub", "fan")[0] for seed in range(50)]
    assert sum(entry.check_windows for entry in found) * 0.002 == 400
    assert 200 <= sum(entry.check_events for entry in found) <= 800


def rows_of(*lengths: int) -> list[Rows]:
    """Runs of so many windows to calibrate on, and as many to check on."""
    return [
        Rows(f"{i}", "hub", "fan", np.zeros((2 * n, 1), np.int64), np.repeat([CALIBRATE, CHECK], n).astype(np.int8),
             np.zeros((2 * n, 0)), (), SOURCE)
        for i, n in enumerate(lengths)
    ]  # fmt: skip


def test_no_more_events_come_of_being_calibrated_for_long() -> None:
    events = 0
    for seed in range(4):
        errors = np.rint(1000 * np.random.default_rng(seed).chisquare(8, 80_000)).astype(np.int64)
        events += thresholds(rows_of(40_000), [errors], "event_1of1", 2_000_000)[0].check_events
    assert 160 <= events <= 640  # 320 are wanted


def test_a_classifiers_margins_are_counted_in_steps() -> None:
    """Logits are logarithms already: events come about as often as wanted, and none is beyond what can be."""
    events = 0
    for seed in range(50):
        errors = np.rint(np.random.default_rng(seed).normal(80, 12, 4000)).astype(np.int64)
        entry = thresholds(rows_of(2000), [errors], "event_1of1", 2_000_000, Scale(509, 0.08))[0]
        events += entry.check_events
    assert 100 <= events <= 400  # 200 are wanted
    far = thresholds(rows_of(100), [np.arange(200) * 2], "event_1of1", 1, Scale(509, 0.08))
    assert far[0].threshold == 509


@pytest.mark.parametrize("lengths", [(60,) * 20, (3,) * 40, (500, 4, 4), (24,)])
def test_runs_may_be_many_or_uneven(lengths: tuple[int, ...]) -> None:
    random = np.random.default_rng(3)
    errors = [random.integers(50, 100, 2 * n) for n in lengths]
    (entry, *_) = thresholds(rows_of(*lengths), errors, "event_1of1", 2_000_000)
    assert entry.windows == sum(lengths)
    assert 99 <= entry.threshold <= 300


def test_what_the_windows_cannot_show_is_called_an_extrapolation() -> None:
    found = [drawn(1, "event_1of1", ppb)[0].extrapolated for ppb in (2_500_000, 2_400_000)]
    assert found == [False, True]
    assert not drawn(1, "p99", 1)[0].extrapolated


def test_labels_and_their_order_change_nothing(data: Dataset, bundles: dict, tmp_path: Path) -> None:
    labels = (Label(start_s=1.0, end_s=50.0, label="odd", fault=True),)
    labelled = fans(tmp_path / "labelled" / "fans", SIZES, seed=9, labels=labels)
    plain = fans(tmp_path / "plain" / "fans", SIZES, seed=9)
    first, second = (
        calibrated(bundles["node"], held_out.for_bundle(d, bundles["node"].manifest)) for d in (labelled, plain)
    )
    assert first == second


@pytest.mark.parametrize(
    ("begins", "above", "events"),
    [
        ("", "", 0), ("x", "x", 1), ("x" * 30, "x" * 30, 1),
        ("x" + "." * 9 + "x", "x" + "." * 9 + "x", 1), ("x" + "." * 10 + "x", "x" + "." * 10 + "x", 2),
        ("..x", "xxx", 1), ("x.........." "x", "x....x....." "x", 1),
    ],
)  # fmt: skip
def test_an_event_lasts_until_ten_windows_are_quiet(begins: str, above: str, events: int) -> None:
    assert count_events(np.array([c == "x" for c in begins], bool), np.array([c == "x" for c in above], bool)) == events


def test_bins_are_states_or_of_equal_weight() -> None:
    assert bins(np.array([1.0, 3.0, 1.0]), "s") == [
        Bin(name="s", low=None, high=2.0),
        Bin(name="s", low=2.0, high=None),
    ]
    assert bins(np.ones(5), "s") == [Bin(name="s", low=None, high=None)]
    edges = [b.high for b in bins(np.arange(100.0), "s")]
    assert edges == [24.75, 49.5, 74.25, None]


UNFIT = {
    "another unit": ({"channels": tuple}, "in 8192/g, where the bundle has 16384/g"),
    "another rate": ({"rate_hz": 100.0}, "100 Hz, where bundle fan-node is for 200 Hz"),
    "nothing to learn from": ({"commission_s": 0.0}, "commission_s"),
    "too little": ({"commission_s": 5.0}, "10 windows to calibrate on, where 24 are the least"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_data_that_do_not_fit_are_refused(kind: str, bundles: dict, data: Dataset, tmp_path: Path) -> None:
    changed, reason = UNFIT[kind]
    if "channels" in changed:
        own = data.manifest.runs[0].channels
        changed = {"channels": tuple(c.model_copy(update={"per_unit": 8192.0}) for c in own)}
    other = fans(tmp_path / "other", {"hub": 1.0}, seconds=20, **changed)
    with pytest.raises(Unfit, match=reason):
        calibrated(bundles["node"], held_out.for_bundle(other, bundles["node"].manifest))


def test_what_was_fitted_to_is_known_by_its_file_in_any_dataset(bundles: dict, tmp_path: Path) -> None:
    """The day that the model was trained on, with another day beside it."""
    both = fans(tmp_path / "both", SIZES)
    more = fans(tmp_path / "more", {"hub": 1.0}, seed=9)
    run = more.manifest.runs[0].model_copy(update={"file": "hub-later.npz", "session": "later", "sha256": None})
    rows = more.recordings[0].read()
    with Writer(both.folder, name="", add=True) as writer:
        writer.add(run, rows.values, context=rows.context)
    found = held_out.for_bundle(load(both.folder), bundles["node"].manifest)
    assert [(r.run, bool((r.part == FIT).any())) for r in found] == [("hub", True), ("rim", True), ("hub-later", False)]
    later = held_out.for_bundle(load(both.folder), bundles["node"].manifest, Choice(sessions=("later",)))
    assert [r.run for r in later] == ["hub-later"]
    with pytest.raises(Unfit, match="no session 'never', but s, later"):
        held_out.for_bundle(load(both.folder), bundles["node"].manifest, Choice(sessions=("never",)))
    with pytest.raises(Unfit, match="no run of these nodes in these sessions"):
        held_out.for_bundle(load(both.folder), bundles["node"].manifest, Choice(("rim",), ("later",)))


def test_a_node_that_is_not_there_is_named(data: Dataset, bundles: dict) -> None:
    with pytest.raises(Unfit, match="no node 'nave', but hub, rim"):
        held_out.for_bundle(data, bundles["node"].manifest, Choice(nodes=("nave",)))


def test_a_calibrated_bundle_can_be_written_and_read(other: Dataset, bundles: dict, tmp_path: Path) -> None:
    before = bundles["node"]
    manifest = calibrated(before, held_out.for_bundle(other, before.manifest))
    made = bundle_writer.write(tmp_path / "fan-node", manifest, before.model, bundle_writer.self_test_of(before))
    assert made.manifest.calibration == manifest.calibration
    assert made.model == before.model and made.image != before.image
