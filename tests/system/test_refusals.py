"""What the gateway does not accept falls under exactly one name, and Prometheus shows each apart."""

from __future__ import annotations

from pathlib import Path

from gateway.store.keys import NodeKey
from gateway.wire.messages import Flag
from tests.system import plants
from tests.system.wired import Datagrams, PlayedNode, birth, gateway_alone

STRANGER = NodeKey("stranger", b"\xde\xad\xbe\xef", bytes(16), 0, 0)


def verdicts(port: int) -> dict[tuple[str, str], float]:
    """(node, verdict) -> envelopes."""
    return {
        (labels[1], labels[2]): n for labels, n in plants.metrics(port).items() if labels[0] == "stethos_frames_total"
    }


async def test_each_refusal_is_counted_under_its_own_name(tmp_path: Path, models: Path, node_program: Path) -> None:
    async with gateway_alone(tmp_path, models, node_program) as (house, ports):
        node, wire = PlayedNode(house.keys["bench-udp"]), Datagrams(ports.udp)
        first = node.message(birth(1))
        wire.send(first)
        await wire.answer(node, 1)
        flag = Flag(seq=2, age=0, score=140, why=1, generation=0)
        wire.send(node.message(flag))
        await wire.answer(node, 2)

        wire.send(b"GET / HTTP/1.1\r\n\r\n")
        wire.send(first[:-9])
        wire.send(PlayedNode(STRANGER).message(birth(1)))
        for bad in (first[:-1] + bytes([first[-1] ^ 1]), first[:14] + b"\x7f" + first[15:]):
            wire.send(bad)
        wire.send(first)
        wire.send(node.seal(b"\x63nothing"))
        wire.send(node.message(flag))
        await wire.answer(node, 2)  # known already: acknowledged again, acted on once
        wire.close()
        assert verdicts(ports.metrics) == {
            ("bench-udp", "accepted"): 2,
            ("", "malformed"): 2,
            ("", "unknown_node"): 1,
            ("", "bad_tag"): 2,
            ("bench-udp", "replayed"): 1,
            ("bench-udp", "undecodable"): 1,
            ("bench-udp", "resent"): 1,
        }
        assert plants.metrics(ports.metrics)["stethos_link_total", "wifi", "received"] == 10
