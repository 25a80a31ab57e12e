"""node.json of an STM32 node: what is refused, and what it becomes on the board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.provision import stm32_json
from gateway.provision.node_json import NodeJsonInvalid
from gateway.provision.stm32_config import CHIPS, HEAD_BYTES, STORE_CONFIG, Head, slot
from gateway.store.keys import NodeKey

KEY = NodeKey("pump-1", bytes.fromhex("7f3a01c2"), bytes(range(16)), 0, 0)
SAID = {"board": "stm32l4", "channels": 6, "wake_ms": 60_000}


def read(folder: Path, **more: object) -> stm32_json.Stm32Json:
    file = folder / "node.json"
    file.write_text(json.dumps({**SAID, **more}))
    return stm32_json.read(file)


def test_what_is_said_is_what_lies_on_the_board(tmp_path: Path) -> None:
    page = read(tmp_path, alert_on_fault=True).page(KEY, model=True).pack()
    assert (len(page), page[:4], page[8:28]) == (96, b"STCF", KEY.kid + KEY.secret)
    assert int.from_bytes(page[28:32], "little") == 60_000
    assert b"b-l475e-iot01a\0" in page
    assert page[93] == 1  # alert_on_fault


def test_where_nobody_judges_every_window_is_sent_unless_said_otherwise(tmp_path: Path) -> None:
    for said, model, every in (({}, False, 0), ({"learn": 0}, False, 1), ({"learn": 0}, True, 0), ({}, True, 0)):
        assert read(tmp_path, **said).page(KEY, model=model).window_every == every
    assert read(tmp_path, window_every=7).page(KEY, model=True).window_every == 7


@pytest.mark.parametrize(
    ("more", "learn", "told"),
    [
        ({}, 240, "from 240 windows ("),
        ({}, 240, "features: principal, set 5"),
        ({"rate_millihz": 52_000}, 168, "features: statistics, set 1"),
        ({"channels": 2}, 216, "features: invariant, set 2"),
        ({"feature_set": 2}, 72, "from 72 windows, as many as fit of 32 features"),
        ({"feature_set": 2, "learn": 240}, 72, "of 32 features 72 windows fit"),
        ({"learn": None}, 0, "it has neither model nor learner: every window goes to the gateway"),
        ({"learn": 0, "window_every": 0}, 0, "window_every is 0: it says nothing of its machine"),
    ],
)
def test_it_learns_unless_said_otherwise_and_that_is_told(
    tmp_path: Path, more: dict[str, object], learn: int, told: str
) -> None:
    settings, lines = stm32_json.settled(read(tmp_path, **more), model=False)
    assert settings.page(KEY, model=False).learn == settings.learn == learn
    assert [line for line in lines if told in line]
    assert stm32_json.settled(settings, model=False)[0] == settings


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"board": "stm32h7"}, "board"), ({"sensor": "lis2dw12"}, "3 channels, not 6"), ({"samples": 16}, "samples"),
        ({"board": "stm32f4", "line": "module"}, "has no module"), ({"heartbeat_ms": 1000}, "nobody speaks"),
        ({"hardware": "ü" * 20}, "24 bytes"), ({"short_samples": 128}, "short_samples"), ({"speed": 1}, "speed"),
        ({"wake_ms": "60000"}, "wake_ms"),
    ],
)  # fmt: skip
def test_what_no_board_could_run_by_is_refused_by_name(tmp_path: Path, more: dict[str, object], said: str) -> None:
    with pytest.raises(NodeJsonInvalid, match=said):
        read(tmp_path, **more)


def test_every_fault_is_told_and_a_file_that_is_not_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(NodeJsonInvalid) as told:
        read(tmp_path, samples=1, baud=1)
    assert len(str(told.value).splitlines()) == 2
    with pytest.raises(NodeJsonInvalid, match="No such file"):
        stm32_json.read(tmp_path / "none.json")


def test_a_slots_head_is_read_as_it_is_written_and_a_damaged_one_is_none() -> None:
    lies = slot(CHIPS["stm32l4"], STORE_CONFIG, b"payload", 7)[:HEAD_BYTES].ljust(HEAD_BYTES, b"\xff")
    head = Head.parse(lies)
    assert (head.counter, head.size, head.active, head.complete, head.floor) == (7, 7, True, False, 7)
    for at in (4, 40, 130):
        torn = bytearray(lies)
        torn[at] ^= 1
        assert Head.parse(bytes(torn)).counter == 0
    unmarked = Head.parse(lies[:136] + b"complete".ljust(HEAD_BYTES - 136, b"\xff"))
    assert (unmarked.active, unmarked.complete, unmarked.floor) == (False, True, -1)
