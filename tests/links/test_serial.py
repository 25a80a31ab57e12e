import asyncio
import itertools
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.links import MAX_FRAME_BYTES, LinkFailed
from gateway.links.serial import UNSENT_BYTES, Deframer, Link, Settings, frame

VECTORS = Path(__file__).parents[2] / "nodes" / "wire" / "vectors" / "serial.json"
CASES = json.loads(VECTORS.read_text())["cases"]

envelopes = st.binary(min_size=1, max_size=MAX_FRAME_BYTES)


def deframed(chunks: list[bytes]) -> tuple[list[bytes], Counter[str]]:
    counts: Counter[str] = Counter()
    deframer = Deframer(lambda name: counts.update([name]))
    return [envelope for chunk in chunks for envelope in deframer.feed(chunk)], counts


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("size", [1, 3, 1 << 20], ids=["byte by byte", "by threes", "at once"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vector(case: dict, size: int) -> None:
    stream = bytes.fromhex(case["stream"])
    found, counts = deframed([stream[i : i + size] for i in range(0, len(stream), size)])
    assert [envelope.hex() for envelope in found] == case["frames"]
    assert counts == case["counted"]


@pytest.mark.parametrize("case", [c for c in CASES if c["name"].startswith("ok")], ids=lambda case: case["name"])
def test_what_we_write_is_what_the_vector_says(case: dict) -> None:
    assert b"".join(frame(bytes.fromhex(envelope)) for envelope in case["frames"]).hex() == case["stream"]


def test_check_value_of_the_crc_catalogue() -> None:
    # CRC-16/IBM-3740 of "123456789" is 0x29B1 in every catalogue of CRCs.
    assert frame(b"123456789")[-3:] == b"\x29\xb1\0"


@given(st.lists(envelopes, max_size=6), st.lists(st.integers(min_value=0), max_size=12))
def test_any_chunking_gives_the_same_frames(sent: list[bytes], places: list[int]) -> None:
    stream = b"".join(frame(envelope) for envelope in sent)
    assert deframed(cut(stream, places)) == (sent, Counter())


@given(st.binary(max_size=3000), envelopes, st.lists(st.integers(min_value=0), max_size=6))
def test_after_any_noise_the_next_frame_is_found(noise: bytes, envelope: bytes, places: list[int]) -> None:
    stream = noise + b"\0" + frame(envelope)
    found, counts = deframed(cut(stream, places))
    assert found[-1] == envelope
    # Every run of noise between zeros is a frame or is counted, once.
    assert len(found) - 1 + counts.total() == sum(1 for run in noise.split(b"\0") if run)


@given(envelopes, st.data())
def test_one_wrong_bit_is_never_delivered(envelope: bytes, data: st.DataObject) -> None:
    stream = bytearray(frame(envelope))
    bit = data.draw(st.integers(0, 8 * (len(stream) - 1) - 1))
    stream[bit // 8] ^= 1 << bit % 8
    found, counts = deframed([bytes(stream), b"\0"])
    assert envelope not in found
    assert len(found) <= 1
    assert len(found) + counts.total() >= 1


def test_an_endless_frame_takes_no_memory_and_counts_once() -> None:
    found, counts = deframed([b"\x55" * 1000] * 1000 + [b"\0" + frame(b"next")])
    assert (found, counts) == ([b"next"], {"oversize": 1})


async def test_a_device_is_for_one_link_at_a_time() -> None:
    master, slave = os.openpty()
    settings = Settings(type="serial", name="line", device=os.ttyname(slave))
    first, second = (Link(settings, lambda name: None) for _ in range(2))
    try:
        await first.open()
        with pytest.raises(LinkFailed, match=settings.device):
            await second.open()
        await first.close()
        await second.open()
    finally:
        await first.close()
        await second.close()
        os.close(master)
        os.close(slave)


async def test_a_file_that_is_no_tty_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(LinkFailed, match=str(file)):
        await Link(Settings(type="serial", name="line", device=str(file)), lambda name: None).open()


async def test_answers_for_which_the_line_is_too_slow_are_bounded_counted_and_never_cut() -> None:
    master, slave = os.openpty()
    counts: Counter[str] = Counter()
    link = Link(Settings(type="serial", name="line", device=os.ttyname(slave)), lambda name: counts.update([name]))
    try:
        await link.open()
        sent = 0
        while not counts["unsendable"]:  # nobody reads: the kernel's buffer fills up, then ours
            await link.send(None, sent.to_bytes(4, "big") * 100)
            sent += 1
            assert sent < 1000
        assert sent * 400 > UNSENT_BYTES

        deframer = Deframer(lambda name: counts.update([name]))
        heard: list[bytes] = []
        os.set_blocking(master, False)
        async with asyncio.timeout(10):
            while len(heard) < sent - 1:
                try:
                    heard += deframer.feed(os.read(master, 4096))
                except BlockingIOError:
                    await asyncio.sleep(0)
        assert heard == [n.to_bytes(4, "big") * 100 for n in range(sent - 1)]
        assert counts == {"sent": sent - 1, "unsendable": 1}

        await link.send(None, b"once more")
        async with asyncio.timeout(10):
            while not heard[sent - 1 :]:
                try:
                    heard += deframer.feed(os.read(master, 4096))
                except BlockingIOError:
                    await asyncio.sleep(0)
        assert heard[-1] == b"once more"
    finally:
        await link.close()
        os.close(master)
        os.close(slave)
