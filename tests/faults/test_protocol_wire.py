"""What the air may do to frames: nothing that was acknowledged is lost, nothing is acted on twice, all has a name."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from gateway.wire.messages import Birth
from tests.faults.protocol import Mote, dead, gateway_alone, judged, reports, verdicts
from tests.nodes.conftest import library, node_build  # noqa: F401 - fixtures

MESSAGES = 120
STARTED_AT = 100_000
HALF, BLOCK = 1 << 15, 1024


class HostileAir:
    """Loses, doubles, holds back, cuts and bends frames, and plays old ones again; counts what it did and sent."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._held: list[bytes] = []
        self._heard: list[bytes] = []
        self.did: Counter[str] = Counter()
        self.datagrams = 0

    def up(self, frame: bytes) -> list[bytes]:
        """What reaches the gateway when a node sends a frame."""
        self._heard.append(frame)
        what = self._random.choice(("clear", "lose", "double", "hold", "cut", "bend", "replay"))
        self.did[what] += 1
        out = self._bend(what, frame)
        if len(self._held) > 5:
            self._random.shuffle(self._held)
            out += self._held
            self._held.clear()
        self.datagrams += len(out)
        return out

    def down(self, frame: bytes) -> list[bytes]:
        """What reaches the node of an answer."""
        what = self._random.choice(("clear", "clear", "lose", "double", "cut", "bend"))
        return self._bend(what, frame)

    def _bend(self, what: str, frame: bytes) -> list[bytes]:
        at = self._random.randrange(len(frame))
        match what:
            case "lose":
                return []
            case "double":
                return [frame, frame]
            case "hold":
                self._held.append(frame)
                return []
            case "cut":
                return [frame[:at]]
            case "bend":
                return [frame[:at] + bytes([frame[at] ^ 1 << self._random.randrange(8)]) + frame[at + 1 :]]
            case "replay":
                return [self._random.choice(self._heard), frame]
        return [frame]


@pytest.mark.parametrize("seed", [1, 2])
async def test_hostile_air_loses_and_doubles_nothing(tmp_path: Path, library, seed: int) -> None:  # noqa: F811
    async with gateway_alone(tmp_path, nodes=2) as gateway:
        motes = [Mote(library, key, gateway.ports.udp) for key in gateway.keys]
        airs = [HostileAir(seed + 10 * i) for i in range(2)]
        for mote, air in zip(motes, airs, strict=True):
            mote.station.up, mote.station.down = air.up, air.down
        while sum(map(len, (mote.numbers() for mote in motes))) < MESSAGES:
            for mote in motes:
                mote.wake()
        for mote in motes:
            mote.deliver()
            mote.station.close()
        names = await judged(gateway, sum(air.datagrams for air in airs))
        acted_on = Counter((report.node, report.seq) for report in reports(gateway))
        wanted = {(mote.key.name, number) for mote in motes for number in mote.numbers()}
        assert set(acted_on) == wanted
        assert set(acted_on.values()) == {1}
        assert all(mote.given_up == 0 for mote in motes)
        assert {name for _, name in names} >= {"accepted", "malformed", "bad_tag", "replayed", "resent"}
        assert not {name for _, name in names} & {"cloned", "unplaceable", "undecodable"}
        assert all(air.did[what] for air in airs for what in ("lose", "double", "hold", "cut", "bend", "replay"))


async def test_half_of_all_numbers_unheard_and_the_birth_lost_loses_nothing(tmp_path: Path, library) -> None:  # noqa: F811
    """The low 16 bits of the new numbers are those of known ones, or of ones that never were."""
    async with gateway_alone(tmp_path) as gateway:
        mote = Mote(library, gateway.keys[0], gateway.ports.udp, started_at=STARTED_AT)
        station = mote.station
        mote.wake(3)
        station.up = dead
        for _ in range(HALF // BLOCK + 1):  # its battery is nearly empty: each start fails, and skips a block
            station.said.clear()
            mote.node.reboot()
            mote.wake(3)
        unheard = mote.numbers()
        station.up = lambda frame: [frame] if station.acks or not isinstance(station.said[-1], Birth) else []
        station.acks.clear()
        station.said.clear()
        mote.wake()
        assert isinstance(station.said[0], Birth), "which nobody heard"
        assert station.acks[0][1].base is None and station.acks[0][1].birth_wanted
        mote.deliver()
        held = Counter(report.seq for report in reports(gateway))
        assert min(unheard) > STARTED_AT + HALF
        assert unheard | mote.numbers() <= set(held)
        assert set(held.values()) == {1}
        assert verdicts(gateway)["n-0", "unplaceable"] > 0
        assert await gateway.metric("stethos_node_skipped_total", "n-0") > 0
        station.close()
