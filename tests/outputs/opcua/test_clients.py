"""The server as node-opcua, a client nobody here wrote, sees it."""

from __future__ import annotations

from pathlib import Path

from gateway.core.update import AlarmTransition, Quality
from tests.outputs.opcua.plants import (
    FAN,
    GATEWAY_ID,
    LOST,
    PASSWORD,
    T0,
    USER,
    VIEWER,
    change,
    peer,
    serving,
    tag,
)


async def test_browse_read_with_status_and_source_time_and_no_write(tmp_path: Path, client: Path) -> None:
    tags = [
        tag("node/n-1/battery", 2987),
        tag("asset/pump-1/state", 2, Quality.STALE),
        tag("node/n-2/temperature", -1234, Quality.LOST),
    ]
    reads = ["node.n-1.battery", "asset.pump-1.state", "node.n-2.temperature", "node.n-3.anomalous"]
    options = [o for r in reads for o in ("--read", r)]
    async with serving(tmp_path, tags) as server:
        server.trust(client / "client.der")
        async with peer("opcua_plant.mjs", server, client, *options, "--write", "node.n-1.battery") as program:
            browsed, battery, state, temperature, anomalous, written = await program.rest()
    assert browsed["namespaces"][2] == "urn:stethos:plant"
    assert browsed["namespaces"][1] == f"urn:stethos:gateway:{GATEWAY_ID.hex()}"
    pump = browsed["tree"]["hall"]["below"]["line-a"]["below"]["pump-1"]
    assert pump["id"] == "asset.pump-1"
    assert pump["type"] == "type.asset"
    assert set(pump["below"]) == {"state", "evidence", "score", "incident", "n-1", "n-2"}
    assert pump["below"]["n-1"]["below"]["battery"]["id"] == "node.n-1.battery"
    assert browsed["tree"]["gateway"]["below"]["nodes_lost"]["id"] == "gateway.gateway.nodes_lost"
    assert battery["value"] == 2.987
    assert (battery["type"], battery["status"]) == ("Double", "Good")
    assert battery["source"] == "2026-09-21T14:13:20.123Z"
    assert battery["server"] > battery["source"]
    assert (state["value"], state["type"], state["status"]) == (2, "UInt32", "UncertainLastUsableValue")
    assert (temperature["value"], temperature["status"]) == (-12.34, "BadNoCommunication")
    assert (anomalous["value"], anomalous["status"]) == (None, "BadWaitingForInitialData")
    assert anomalous["source"] is None
    assert written["status"] == "BadUserAccessDenied"


async def test_subscription_reports_changes_with_quality(tmp_path: Path, client: Path) -> None:
    async with serving(tmp_path, [tag("node/n-1/score", 90, Quality.RESTARTED)]) as server:
        server.trust(client / "client.der")
        options = ("--value", "node.n-1.score", "--policy", "aes256", "--count", "3")
        async with peer("opcua_subscribe.mjs", server, client, *options) as program:
            lines = [await program.line(), await program.line()]
            await server.host.write(tag("node/n-1/score", 120, source_ms=T0 + 1000))
            await server.host.write(tag("node/n-1/score", 120, Quality.STALE, source_ms=T0 + 1000))
            lines += await program.rest()
    assert {"ready": True} in lines
    values = [(line["is"], line["status"]) for line in lines if "value" in line]
    assert values == [(90, "UncertainLastUsableValue"), (120, "Good"), (120, "UncertainLastUsableValue")]
    assert lines[-1]["source"] == "2026-09-21T14:13:21.123Z"


async def test_events_reach_server_area_and_asset_with_one_event_id(tmp_path: Path, client: Path) -> None:
    async with serving(tmp_path) as server:
        server.trust(client / "client.der")
        common = ("--type", "AlarmConditionType")
        async with (
            peer("opcua_subscribe.mjs", server, client, "--events", "Server", "--count", "2", *common) as at_server,
            peer("opcua_subscribe.mjs", server, client, "--events", "area.hall", "--count", "2", *common) as at_area,
            peer("opcua_subscribe.mjs", server, client, "--events", "asset.pump-1", *common) as at_asset,
        ):
            for program in (at_server, at_area, at_asset):
                assert await program.line() == {"ready": True}
            await server.host.write(change(1, FAN), change(2))
            seen = [await program.rest() for program in (at_server, at_area, at_asset)]
    assert [e["event"] for e in seen[0]] == [(GATEWAY_ID + n.to_bytes(8, "big")).hex() for n in (1, 2)]
    assert seen[1] == seen[0]
    assert seen[2] == [seen[0][1]]
    assert (seen[2][0]["source"], seen[2][0]["severity"]) == ("pump-1", 800)
    assert seen[2][0]["message"] == "pump-1 sounds unusual. Look at n-1, n-2."
    assert seen[2][0]["time"] == "2026-09-21T14:13:22.123Z"


async def test_alarm_list_acknowledge_and_again_with_an_event_nobody_knows(tmp_path: Path, client: Path) -> None:
    async with serving(tmp_path, alarms=[change(5), change(3, FAN, active=False, acknowledged=True)]) as server:
        server.trust(client / "client.der")
        options = ("--wait", "asset/pump-1/anomaly")
        async with peer(
            "opcua_alarms.mjs", server, client, *options, "--ack", "heard", "--event", "00" * 16
        ) as program:
            *_, unknown = await program.rest()
        async with peer("opcua_alarms.mjs", server, client, *options, "--ack", "heard it", "--twice") as program:
            listed, seen, first, again, acked = await program.rest()
    assert unknown == {"acknowledge": "BadEventIdUnknown"}
    assert [a["name"] for a in listed["alarms"]] == ["asset/pump-1/anomaly"]
    assert seen["alarm"] == listed["alarms"][0]
    alarm = seen["alarm"]
    assert alarm["event_id"] == (GATEWAY_ID + (5).to_bytes(8, "big")).hex()
    assert alarm["condition"] == "ns=2;s=asset.pump-1.anomaly.alarm"
    assert alarm["source_node"] == "ns=2;s=asset.pump-1"
    assert (alarm["active"], alarm["acked"], alarm["retain"]) == (True, False, True)
    assert alarm["time"] == "2026-09-21T14:13:25.123Z"
    assert alarm["receive_time"] == "2026-09-21T14:13:25.373Z"
    assert first == {"acknowledge": "Good"}
    assert again == {"acknowledge_again": "BadConditionBranchAlreadyAcked"}
    assert (acked["alarm"]["acked"], acked["alarm"]["user"], acked["alarm"]["comment"]) == (True, USER, "heard it")
    command = server.host.commands[0]
    assert (command.actor, command.origin, command.alarm) == (USER, "opcua 127.0.0.1", "asset/pump-1/anomaly")
    assert (command.event, command.comment) == (5, "heard it")


async def test_alarm_state_is_the_same_after_a_restart(tmp_path: Path, client: Path) -> None:
    alarms = [
        change(9, active=False, transition=AlarmTransition.RETURNED),
        change(8, LOST, AlarmTransition.ACKNOWLEDGED, acknowledged=True, actor=USER, comment="battery"),
        change(7, FAN, shelved_until_ms=T0 + 3_600_000),
    ]
    lists = []
    for _ in range(2):
        async with serving(tmp_path, alarms=alarms) as server:
            server.trust(client / "client.der")
            async with peer("opcua_alarms.mjs", server, client) as program:
                lists.append((await program.rest())[0]["alarms"])
    assert lists[0] == lists[1]
    by_name = {alarm["name"]: alarm for alarm in lists[0]}
    assert not by_name["asset/pump-1/anomaly"]["active"]
    assert by_name["node/n-1/node_lost"]["comment"] == "battery"
    assert by_name["asset/fan-1/anomaly"]["suppressed_or_shelved"]


async def test_who_is_not_let_in(tmp_path: Path, client: Path) -> None:
    async with serving(tmp_path) as server:
        async with peer("opcua_plant.mjs", server, client) as program:
            untrusted = await program.rest()
        rejected = list((tmp_path / "pki" / "rejected").glob("*.der"))
        server.trust(client / "client.der")
        async with peer("opcua_plant.mjs", server, client, password="wrong") as program:
            wrong = await program.rest()
        async with peer("opcua_plant.mjs", server, client, user="") as program:
            anonymous = await program.rest()
        async with peer("opcua_plant.mjs", server, client, "--policy", "none") as program:
            unencrypted = await program.rest()
        async with peer("opcua_alarms.mjs", server, client, user=VIEWER, password=PASSWORD) as program:
            viewer = await program.rest()
    for lines in (untrusted, wrong, anonymous, unencrypted):
        assert list(lines[0]) == ["error"]
    assert [path.read_bytes() for path in rejected] == [(client / "client.der").read_bytes()]
    assert "BadUserAccessDenied" in wrong[0]["error"]
    assert server.host.counts["logins_refused"] == 1
    assert viewer == [{"alarms": []}]
