import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.runtime import control
from gateway.runtime.control import RELOAD, Control, ControlFailed, ask
from gateway.runtime.reload import Reloaded, Reloads
from tests.runtime.house import KEYS, House, WireNode, running, until

ALARM = "asset/pump-1/anomaly"


RELOADED = Reloaded(("link wifi: restarted",))


async def reloaded() -> Reloaded:
    return RELOADED


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with running(tmp_path) as a_house:
        reloads = Reloads(reloaded)
        reloading = asyncio.create_task(reloads.run())
        serving = asyncio.create_task(Control(tmp_path, a_house.decider, reloads.ask).run())
        await until((tmp_path / control.NAME).exists)
        yield a_house
        for task in (serving, reloading):
            task.cancel()
        await asyncio.gather(serving, reloading, return_exceptions=True)
        assert not (tmp_path / control.NAME).exists()


async def said(folder: Path, request: object) -> dict[str, object]:
    return await asyncio.to_thread(ask, folder, request)  # type: ignore[arg-type]


async def test_an_alarm_is_acknowledged_by_the_user_that_the_kernel_names(house: House, tmp_path: Path) -> None:
    await house.hand_in(WireNode(KEYS[0]).flag())
    await house.answered(1)
    request = {"kind": "acknowledge", "actor": "anna", "alarm": ALARM, "comment": "belt"}
    reply = await said(tmp_path, request)
    assert reply["outcome"] == "done"
    (change,) = [a for a in (await house.decider.view()).alarms if str(a.alarm) == ALARM]
    assert (change.event, change.acknowledged, change.actor) == (reply["event"], True, "anna")
    assert (change.origin, change.comment) == (f"cli uid {os.getuid()}", "belt")
    assert (await said(tmp_path, request))["outcome"] == "already"


async def test_who_acknowledges_says_whether_it_is_normal_from_now_on(house: House, tmp_path: Path) -> None:
    await house.hand_in(WireNode(KEYS[0]).flag())
    await house.answered(1)
    request = {"kind": "acknowledge", "actor": "anna", "alarm": ALARM, "comment": "belt", "learn": True}
    with pytest.raises(ControlFailed, match="not a command: learn"):
        await said(tmp_path, request | {"learn": 1})
    reply = await said(tmp_path, request)
    assert (reply["outcome"], str(reply["detail"])[:11]) == ("done", "learns anew")
    nodes = house.decider.engine.nodes.nodes
    assert {(node.learn_from, node.learn_ordered) for node in nodes.values()} == {(house.decider.committed_id, True)}
    (change,) = [a for a in (await house.decider.view()).alarms if str(a.alarm) == ALARM]
    assert (change.actor, change.comment) == ("anna", "belt; normal from now on")


async def test_a_reload_is_asked_for_and_its_outcome_told(house: House, tmp_path: Path) -> None:
    assert await said(tmp_path, {"kind": RELOAD}) == {"changed": ["link wifi: restarted"], "faults": []}


async def test_no_more_ask_at_once_than_there_is_room_for(house: House, tmp_path: Path) -> None:
    path = tmp_path / control.NAME
    silent = [await asyncio.open_unix_connection(path) for _ in range(control.MAX_ASKING)]
    with pytest.raises(ControlFailed, match="too many"):
        await said(tmp_path, {"kind": RELOAD})
    reader, asking = silent[0]
    asking.write(b"{}\n")
    assert b"error" in await reader.readline()
    await said(tmp_path, {"kind": RELOAD})
    for _, writer in silent:
        writer.close()


def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    bound = Control(tmp_path, None, None)._bound()  # type: ignore[arg-type]
    try:
        assert stat.S_IMODE((tmp_path / control.NAME).stat().st_mode) == 0o600
    finally:
        bound.close()
    again = Control(tmp_path, None, None)._bound()  # type: ignore[arg-type] # one left by a crash is no hindrance
    again.close()


@pytest.mark.parametrize(
    "request_",
    [
        [], "x", 7, {}, {"kind": "acknowledge"}, {"kind": "explode", "actor": "a"},
        {"kind": "acknowledge", "actor": "a", "event": "7"}, {"kind": "acknowledge", "actor": "a", "event": None},
        {"kind": "acknowledge", "actor": "a", "until_ms": 1.5}, {"kind": "acknowledge", "actor": "a", "evnt": 7},
    ],
)  # fmt: skip
async def test_what_is_no_command_is_refused_and_changes_nothing(
    house: House, tmp_path: Path, request_: object
) -> None:
    with pytest.raises(ControlFailed, match="not a command"):
        await said(tmp_path, request_)
    assert house.decider.engine.last_id <= 1


async def test_a_client_may_say_anything_or_nothing(house: House, tmp_path: Path) -> None:
    for data in (b"", b"\n", b"\xff\n", b"{" * 100_000, b"[" * 30_000 + b"\n", b'{"origin": "root"}\n'):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / control.NAME))
        writer.write(data)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        assert data == b"" or b"error" in answer
        writer.close()
    assert (await said(tmp_path, {"kind": "acknowledge", "actor": "a", "alarm": ALARM}))["outcome"] != "done"


def test_no_gateway_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ControlFailed, match="does the gateway run"):
        ask(tmp_path, {})
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / control.NAME))
    left.close()
    with pytest.raises(ControlFailed, match=json.dumps("refused")[1:-1]):
        ask(tmp_path, {})
