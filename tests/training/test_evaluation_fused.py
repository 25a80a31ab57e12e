"""Nodes of an asset side by side: aligned without looking ahead, faulty where one is, judged where one is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.training import stream
from gateway.training.dataset import Channel, Dataset, Label, Run, Writer, load
from gateway.training.evaluation import NotEvaluable, View, measured
from gateway.training.evaluation_fused import together, tracks
from tests.training.machines import AXES, machine

ROWS, LEARN = 900, 500


def room(folder: Path, *, step: float, told: bool = True, gone: range = range(0), **about: Any) -> Dataset:
    """Two thermometers in one room, whose weather both feel; the second is `step` warmer in rows 700 to 799."""
    random = np.random.default_rng(3)
    weather = np.cumsum(random.normal(scale=0.05, size=ROWS))
    weather -= np.linspace(0, weather[-1], ROWS)
    with Writer(folder, name="room") as out:
        for at, node in enumerate(("left", "right")):
            values = weather + random.normal(scale=0.02, size=ROWS)
            values[700:800] += step * at
            fault = [Label(start_s=700.0, end_s=800.0, label="heat", fault=True)] if at else []
            normal = Label(start_s=0.0, end_s=700.0, label="normal", fault=False)
            run = Run(**{
                "file": f"{node}.npz", "node": node, "asset": "room", "kind": "values", "rate_hz": 1.0,
                "session": "s", "channels": (Channel(name="t"),), "commission_s": float(LEARN),
                "labels": (normal, *fault) if told else (), **about,
            })  # fmt: skip
            kept = np.array([i for i in range(ROWS) if not (at and i in gone)])
            out.add(run, values[kept][:, None], at_s=kept.astype(float))
    return load(folder)


def test_a_moment_has_the_newest_row_that_was_complete_and_not_too_old(tmp_path: Path) -> None:
    left, right = (stream.of(r) for r in room(tmp_path, step=0.0, gone=range(600, 650)).recordings)
    late = replace(right, at_s=right.at_s + 0.4)
    moments = together([left, late])
    assert np.isnan(moments.x["right"][0, 0])  # not complete yet
    assert np.array_equal(moments.x["right"][1:600, 0], right.x[:599, 0])
    assert np.isnan(moments.x["right"][602:650, 0]).all() and np.isfinite(moments.x["left"]).all()


def test_a_moment_is_faulty_if_a_node_is(tmp_path: Path) -> None:
    moments = together([stream.of(r) for r in room(tmp_path, step=1.0).recordings])
    assert (np.flatnonzero(moments.fault == 1) == np.arange(700, 800)).all()
    assert (moments.fault[:700] == 0).all() and (moments.fault[800:] == -1).all()


def test_what_does_not_fit_is_found_though_both_wander_farther(tmp_path: Path) -> None:
    dataset = room(tmp_path, step=0.25)
    found = measured(dataset, "fused", tracks(dataset))
    assert (found.runs[0].node, found.runs[0].learned, found.pooled.rows) == ("left right", LEARN, ROWS - LEARN)
    assert found.pooled.auroc is not None and found.pooled.auroc > 0.9


def test_a_missing_node_leaves_the_other_to_be_judged(tmp_path: Path) -> None:
    (track,) = tracks(room(tmp_path, step=0.25, gone=range(550, ROWS)))
    assert track.judged.all()


def test_labels_change_nothing(tmp_path: Path) -> None:
    (told,), (untold,) = (list(tracks(room(tmp_path / str(t), step=0.25, told=t))) for t in (True, False))
    assert told.score.tolist() == untold.score.tolist() and told.alarm.tolist() == untold.alarm.tolist()


def test_vibration_of_two_nodes(tmp_path: Path) -> None:
    dataset = machine(tmp_path, nodes=("top", "bottom"))
    found = measured(dataset, "fused", tracks(dataset, view=View(samples=64)))
    assert found.pooled.auroc is not None and found.pooled.auroc > 0.99


def test_what_cannot_be_fused_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotEvaluable, match="no asset has several nodes"):
        list(tracks(machine(tmp_path / "one")))
    with pytest.raises(NotEvaluable, match="at most 6 nodes"):
        list(tracks(machine(tmp_path / "many", nodes=[f"n{i}" for i in range(7)], normal_s=121, fault_s=1)))
    few = machine(tmp_path / "few", nodes=("a", "b"), commission_s=2.0)
    with pytest.raises(NotEvaluable, match="s: "):
        measured(few, "fused", tracks(few))
    with Writer(tmp_path / "twice", name="x") as out:
        for name, node in (("a", "a"), ("b", "b"), ("c", "b")):
            run = Run(
                file=f"{name}.npz", node=node, asset="m", kind="samples", channels=AXES, rate_hz=64.0, session="s"
            )
            out.add(run, np.zeros((640, 3)))
    with pytest.raises(NotEvaluable, match="several runs of one node"):
        list(tracks(load(tmp_path / "twice")))
