"""The recordings of ../shared/data in the layout: what each README warns of is heeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.training import stream
from gateway.training.dataset import Dataset
from gateway.training.stream import Stream
from tests.bench.shared_data import DATA, SETS, make

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no recordings in ../shared/data")

BUILT: dict[str, Dataset] = {}


@pytest.fixture
def made(tmp_path_factory: pytest.TempPathFactory):
    def get(name: str) -> Dataset:
        if name not in BUILT:
            BUILT[name] = make(name, tmp_path_factory.mktemp("datasets"))
        return BUILT[name]

    return get


def streams(dataset: Dataset) -> dict[str, Stream]:
    return {recording.name: stream.of(recording) for recording in dataset.recordings}


@pytest.mark.parametrize("name", SETS)
def test_each_set_is_the_same_wherever_it_is_made(made, name: str, tmp_path: Path) -> None:
    assert make(name, tmp_path).sha256() == made(name).sha256()


def test_skab_learns_from_rows_0_to_399(made) -> None:
    found = streams(made("skab"))
    assert len(found) == 16 and {s.learn for s in found.values()} == {400}
    assert (
        found["other-2"].fault[:400].sum() == 296
    )  # labelled among what is learned from, and learned from all the same
    assert (found["anomaly-free-anomaly-free"].fault == 0).all()


def test_wsn_has_events_at_two_motes(made) -> None:
    found = streams(made("wsn"))
    assert {name: int((s.fault == 1).sum()) for name, s in found.items()} == {
        "mote-1": 117, "mote-2": 0, "mote-3": 0, "mote-4": 32,
    }  # fmt: skip
    assert {s.learn for s in found.values()} == {1000}


def test_people_in_an_office_are_no_fault(made) -> None:
    found = streams(made("occupancy"))
    assert all((s.fault == 0).all() and {*s.label} == {"empty", "occupied"} for s in found.values())
    hours = next(iter(found.values())).context
    assert hours is not None and 0 <= hours.min() < hours.max() < 24


def test_nab_goes_forwards_and_its_windows_are_faults(made) -> None:
    found = streams(made("nab"))
    machine = found["machine_temperature_system_failure"]
    assert (machine.learn, int(np.sum(np.diff((machine.fault == 1).astype(int)) == 1))) == (750, 4)
    assert (np.diff(machine.at_s) > 0).all()


def test_rosa_files_are_sessions_and_nodes_are_together(made) -> None:
    found = streams(made("rosa"))
    assert len({s.session for s in found.values()}) == 32
    assert np.array_equal(found["N203-imu"].at_s, found["N203-effort"].at_s)
    healthy = [s for name, s in found.items() if name.startswith("H")]
    assert all((s.fault == 0).all() for s in healthy)
    assert all("rpm" in s.context_names and not {"n_force", "v_freq", "d_ohm"} & {*s.channels} for s in found.values())


def test_the_fan_is_in_pieces_of_a_second_and_placed_twice(made) -> None:
    found = streams(made("fan"))
    assert {name: (s.session, s.learn, len(s)) for name, s in found.items()} == {
        "normal": ("placed", 60, 585), "weight": ("placed", 0, 580), "moving": ("moved", 60, 299),
        "off": ("off", 60, 578),
    }  # fmt: skip


def test_half_of_each_speed_is_learned_from(made) -> None:
    normal = streams(made("uci_fan"))["config-1"]
    assert normal.context is not None
    for part in (normal.context[: normal.learn], normal.context[normal.learn :]):
        assert sorted(set(part.ravel().tolist())) == list(range(20, 101, 10))


def test_cwrus_normal_is_at_the_rate_of_its_faults(made) -> None:
    dataset = made("cwru")
    assert {r.run.rate_hz for r in dataset.recordings} == {12_000.0}
    normal = dataset.recordings[0].read().values
    spectrum = np.abs(np.fft.rfft(normal[:, 0] - normal[:, 0].mean())) ** 2
    assert len(normal) == -(-121_969 // 4)
    assert spectrum[-len(spectrum) // 20 :].mean() < 0.1 * spectrum.mean()  # what was above half the new rate is gone
