"""What the program stethos-node can be told to let go wrong, and what it says of it."""

from __future__ import annotations

import pytest

from gateway.wire.messages import Birth, Flag, Health
from tests.nodes.test_core_program import Peer, finish, link_of, serve_udp


def test_a_node_that_learns_and_whose_sensor_and_battery_fail_for_a_while(start, udp, tmp_path):
    peer = Peer()
    process = start(
        link_of(udp), "--learn", "24", "--flash", str(tmp_path / "slots"), "--wake-ms", "1000", "--speed", "200",
        "--heartbeat-ms", "5000", "--steps", "120", "--listen-ms", "50", "--sensor-fault", "stuck@40:50",
        "--weak", "2200@60:80", "--radio-min-mv", "2500", "--alert", "1:1", "--log",
    )  # fmt: skip
    serve_udp(udp, peer, process)
    summary = finish(process)
    whys = [flag.why for flag in peer.received if isinstance(flag, Flag)]
    assert 4 in whys and 11 in whys
    assert summary["learned"] == 24
    assert 5 <= summary["deferred"] <= 30
    assert (summary["restarts"], summary["unacked"]) == (1, 0)
    health = [message for message in peer.received if isinstance(message, Health)]
    assert health[-1].learner.state == 2
    assert health[-1].more.battery_load_mv > 2500
    process = start(link_of(udp), "--learn", "24", "--flash", str(tmp_path / "slots"), "--steps", "1", "--speed", "100")
    peer.received.clear()
    serve_udp(udp, peer, process)
    finish(process)
    (birth,) = (message for message in peer.received if isinstance(message, Birth))
    assert birth.more.learner is not None, "what it has learned lies in its flash"


@pytest.mark.parametrize(
    "options",
    [
        ("--sensor-fault", "odd@1:2"), ("--sensor-fault", "stuck"), ("--weak", "2200"), ("--weak", "x@1:2"),
        ("--limits", "3"), ("--limits", "1:99999"), ("--alert", "1:256"), ("--learn", "3"), ("--feature-set", "4"),
    ],
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_refused(start, udp, options):
    process = start(link_of(udp), *options)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 2 and options[0] in error
