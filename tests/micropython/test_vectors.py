"""The vectors of nodes/wire in plain Python, as MicroPython runs it and as CPython does."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(("script", "least"), [("messages", 2700), ("envelope", 700), ("features", 380)])
def test_every_vector(run, script, least):
    interpreter, cases, _ = run(script).split(" ", 2)
    assert int(cases) >= least, f"{interpreter} has looked at {cases} cases only"
