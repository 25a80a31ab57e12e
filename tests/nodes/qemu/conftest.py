"""The runner for each processor that can be compiled for and emulated here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nodes.conftest import node_build  # noqa: F401
from tests.nodes.qemu.batch import Answer, Batch
from tests.nodes.qemu.emulator import PROCESSORS, Processor, make, why_not


@dataclass(frozen=True, slots=True)
class Runner:
    """A processor, the program that it runs, and a folder for their files."""

    processor: Processor
    program: Path
    folder: Path

    def ask(self, batch: Batch) -> list[Answer]:
        return batch.ask(self.processor, self.program, self.folder)


@pytest.fixture(scope="session", params=PROCESSORS)
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    processor = PROCESSORS[request.param]
    if missing := why_not(processor):
        pytest.skip(missing)
    build = make(f"{processor.name}/runner.elf")
    return Runner(processor, build / processor.name / "runner.elf", tmp_path_factory.mktemp(processor.name))
