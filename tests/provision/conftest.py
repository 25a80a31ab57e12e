"""A board with MicroPython, and a registry that it is to be registered at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.keys import Registry
from tests.micropython.conftest import micropython  # noqa: F401
from tests.provision.board import Board


@pytest.fixture
def board(micropython: Path, tmp_path: Path) -> Iterator[Board]:  # noqa: F811
    """New, with power."""
    with Board(micropython, tmp_path / "board") as made:
        yield made


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """The gateway's."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def registry(state_dir: Path) -> Iterator[Registry]:
    """Empty."""
    opened = Registry.open(state_dir)
    yield opened
    opened.close()
