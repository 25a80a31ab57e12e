"""A model that looks at a spectrogram gives the same errors on every processor: those that SPEC.md foresees."""

from __future__ import annotations

import re

import pytest

from gateway.training.features.mel import Form
from tests.nodes.qemu.batch import Batch
from tests.nodes.qemu.emulator import SOURCES
from tests.nodes.spectrogram_images import Looking, sounds

VIBRATION = Looking(Form(64, 16, 64), rows=16, samples=17 * 32)
SOUND = Looking(Form(512, 32, 358), rows=32, channel=0, channels=1, samples=1024)
BOARDS = int(re.search(r"RUN_MODEL_MEMORY = (\d+)", (SOURCES / "ports/stm32/run.h").read_text()).group(1))
ROOM = {VIBRATION: BOARDS, SOUND: 20 << 10}
"""Bytes: what the boards have, which docs/spectrograms.md promises to be enough for vibration, and what sound takes."""


@pytest.mark.parametrize("looking", [VIBRATION, SOUND], ids=["vibration", "sound"])
def test_every_processor_scores_as_foreseen(looking: Looking, runner) -> None:
    windows = sounds(6, looking)
    batch = Batch()
    batch.image(looking.image())
    batch.hear(windows)
    batch.image(looking.image()[:-1])
    batch.hear(windows)
    opened, errors, refused, nothing = runner.ask(batch)
    assert opened[0] == 0
    assert 4000 < opened[1] <= ROOM[looking]
    assert errors == looking.errors(windows[:, :, looking.channel])
    assert len(set(errors)) > 3
    assert refused[0] != 0
    assert nothing == []
