"""Mutated envelopes against a running gateway, over UDP and a serial line: it stays up, answers a good frame
afterwards, does not grow, and has a name for every frame.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.links.serial import Deframer, frame
from gateway.wire.messages import EnergyUc, Features, Flag, Health, Result, Window, encode
from tests.system import plants
from tests.system.wired import Datagrams, Line, PlayedNode, birth, gateway_alone, line_of

SEED = 1
FUZZ_S = 10.0
LEAST = 2000  # datagrams, and as many frames on the line
BATCH = 100  # frames between two looks at whether the gateway has kept up: fewer than a Link's queue holds
GROWTH_KB = 5_000
LAST = 2**31 + 0xABCD  # number of the good message at the end


def payloads(seq: int) -> list[bytes]:
    """One of each message."""
    features = Features(1, (1, -1, 2**31 - 1, -(2**31), 0, 24, 255, 256, 65536) * 2)
    head = {"seq": seq & 0xFFFF, "age": seq & 0xFF}
    return [
        encode(birth(seq)._replace(model=b"\x01" * 8)),
        encode(Flag(**head, score=200, why=65, generation=1, features=features)),
        encode(Flag(**head, score=0, why=4, generation=0)),
        encode(Window(**head, score=10, generation=1, features=features)),
        encode(
            Health(
                **head, score=1, why=0, battery_mv=3000, temperature_cdeg=-1, link_dbm=-70, uptime_s=1, wakes=2,
                flags=3, resends=4, ring_drops=5, refused=6, energy_uc=EnergyUc(1, 2, 3, 4),
            )
        ),
        encode(Result(**head, id=7, code=0, detail=2**32 - 1)),
    ]  # fmt: skip


def mutated(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to four changes: bits, bytes, cuts, repetitions, pieces of others."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                at = rng.randrange(len(data))
                data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at + rng.randint(0, 8) :]
            case 2:
                data = data[:at]
            case 3:
                data = data[:at] + data[: rng.randint(0, 600)] + data[at:]
            case 4:
                other = rng.choice(others)
                data = data[:at] + other[rng.randrange(len(other)) :]
            case _:
                data = (
                    data[:at]
                    + bytes([rng.choice((0, 1, 0x18, 0x3B, 0x5F, 0x80, 0x9F, 0xBF, 0xFB, 0xFF))])
                    + data[at + 1 :]
                )
    return data[:1400]


def envelopes(rng: random.Random, node: PlayedNode) -> Iterator[bytes]:
    """Good ones, changed ones, repeated ones, and good envelopes around changed messages."""
    known = [node.message(birth(1))]
    for seq in range(2, 10**9):
        options = payloads(seq)
        good = node.seal(rng.choice(options))
        known = [*known[-20:], good]
        yield rng.choice((good, known[0]))
        yield mutated(rng, rng.choice(known), known)
        inner = mutated(rng, rng.choice(options), options)
        yield node.seal(inner[:480])


def rss_kb(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def count(port: int, metric: str, link: str = "") -> dict[str, float]:
    """Name -> sum, of one link or of all."""
    sums: dict[str, float] = {}
    for labels, n in plants.metrics(port).items():
        if labels[0] == metric and link in ("", labels[1]):
            sums[labels[2]] = sums.get(labels[2], 0) + n
    return sums


def judged(port: int) -> bool:
    """Whether everything that was received has its verdict."""
    return count(port, "stethos_link_total").get("received") == sum(count(port, "stethos_frames_total").values())


def arrived(port: int) -> float:
    """How many datagrams have come, those that were dropped by name among them."""
    udp = count(port, "stethos_link_total", "wifi")
    return sum(udp.get(name, 0) for name in ("received", "oversize", "overflow", "kernel_overflow"))


async def test_mutated_frames_find_nothing(tmp_path: Path, models: Path, node_program: Path) -> None:
    line = line_of(tmp_path)
    async with gateway_alone(tmp_path, models, node_program, links=2) as (house, ports):
        rng = random.Random(SEED)
        radio, wired = PlayedNode(house.keys["bench-udp"]), PlayedNode(house.keys["bench-serial"])
        over_udp, over_serial = envelopes(rng, radio), envelopes(rng, wired)
        wire = Datagrams(ports.udp)
        assert house.gateway
        sent, memory = 0, []
        end = time.monotonic() + FUZZ_S
        while time.monotonic() < end or sent < LEAST:
            for _ in range(BATCH):
                wire.send(next(over_udp))
                framed = frame(next(over_serial))
                await line.write(mutated(rng, framed, [framed]) if rng.random() < 0.5 else framed)
            sent += BATCH
            line.read()
            await plants.until(lambda: judged(ports.metrics), "verdict on every frame")
            memory.append(rss_kb(house.gateway.pid))
            assert house.gateway.returncode is None
        await plants.until(lambda: arrived(ports.metrics) == sent, "every datagram")
        names = count(ports.metrics, "stethos_frames_total")
        always = {"accepted", "malformed", "unknown_node", "bad_tag", "replayed", "undecodable", "unplaceable"}
        assert always <= set(names) <= always | {"cloned", "resent"}
        serial = count(ports.metrics, "stethos_link_total", "tty-bench-serial")
        assert {"received", "crc", "cobs"} <= set(serial)
        assert max(memory[len(memory) // 2 :]) - memory[len(memory) // 4] < GROWTH_KB

        wire.drain()
        wire.send(radio.message(birth(LAST)))
        await wire.answer(radio, LAST)
        await answer(line, wired)
        wire.close()
    line.close()


async def answer(line: Line, node: PlayedNode) -> None:
    """A good frame on the serial line is acknowledged, whatever was left of a frame there."""
    line.read()
    await line.write(b"\0" + frame(node.message(birth(LAST))))
    deframer = Deframer(lambda name: None)
    async with asyncio.timeout(10):
        while True:
            answers = (node.answer(data) for data in deframer.feed(line.read()))
            if any(a and a.base == LAST & 0xFFFF for a in answers):
                return
            await asyncio.sleep(0.01)
