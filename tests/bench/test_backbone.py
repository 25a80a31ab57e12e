"""The bench itself: figures come out, and its accountant notices what is missing. Nothing here asserts a time."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import AsyncMock

import aiomqtt
import cbor2
import pytest

from gateway.runtime.admission import Admission, Verdict
from gateway.wire.messages import Ack, Birth, Flag
from tests.bench import figures, house, ingest, latency, load
from tests.bench.carriers import Mqtt, Report, _end, _packet
from tests.bench.figures import Figure
from tests.bench.fleet import Fleet
from tests.bench.mix import BLOCK, Mix, births, cbor_uint
from tests.bench.plant import BenchPlant, make_models
from tests.bench.profiled import stage_of
from tests.bench.stretch import _left_behind, introduced, stretch
from tests.system.broker import mosquitto
from tests.system.plants import until

RATE = 100.0


@pytest.fixture(scope="module")
def models() -> None:
    """The bundles that the mix's Windows are tried on."""
    make_models()


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Fleet, Admission]:
    """Eight nodes, and a gateway's admission that knows them."""
    keys = BenchPlant(8).register(tmp_path)
    admission = Admission(keys, {}, {})
    admission.take_staged()
    return Fleet(keys), admission


def acknowledged(admission: Admission, node: str, numbers: list[int]) -> list[bytes]:
    """The Acks that a gateway would send, one for each number."""
    windows, marks = admission.take_staged()
    admission.committed(windows, marks)
    envelopes = [admission.seal(node, Ack(seq & 0xFFFF, 0, 0, 0, 0, False)) for seq in numbers]
    assert None not in envelopes
    return [e for e in envelopes if e is not None]


class TestTheMix:
    def test_its_shares_are_as_the_issue_states_them(self, models: None, fleet: tuple[Fleet, Admission]) -> None:
        nodes, admission = fleet
        mix = Mix(BenchPlant(8))
        kinds: Counter[str] = Counter()
        for _, envelope, raises in nodes.seal(islice(mix, 20 * BLOCK)):
            admitted = admission.judge(envelope)
            assert admitted.verdict is Verdict.ACCEPTED
            message = admitted.message
            bare = isinstance(message, Flag) and message.features is None
            assert raises == bare
            kinds["bare" if bare else type(message).__name__] += 1
        assert kinds == {"Health": 18 * BLOCK, "Flag": 8 * BLOCK // 5, "bare": 2 * BLOCK // 5}
        assert mix.flags == kinds["bare"]

    def test_a_message_is_what_the_gateway_reads(self, fleet: tuple[Fleet, Admission]) -> None:
        nodes, admission = fleet
        (_, envelope, _) = next(iter(nodes.seal([(3, births())])))
        message = admission.judge(envelope).message
        assert isinstance(message, Birth)
        assert message.heartbeat_ms > 0

    @pytest.mark.parametrize("number", [0, 23, 24, 255, 256, 65535])
    def test_its_numbers_are_in_preferred_serialisation(self, number: int) -> None:
        assert cbor_uint(number) == cbor2.dumps(number)


class TestTheAccountant:
    def test_what_was_not_answered_is_named(self, models: None, fleet: tuple[Fleet, Admission]) -> None:
        nodes, admission = fleet
        for _, envelope, _ in nodes.seal([(5, births())] * 300):
            admission.judge(envelope)
        nodes.answer(acknowledged(admission, "n00005", [n for n in range(300) if n not in (7, 299)]))
        assert nodes.unanswered() == [(5, 7), (5, 299)]
        nodes.answer(acknowledged(admission, "n00005", [299, 7]))
        assert nodes.unanswered() == []

    def test_an_answer_to_nothing_is_counted(self, fleet: tuple[Fleet, Admission]) -> None:
        nodes, admission = fleet
        for _, envelope, _ in nodes.seal([(0, births())]):
            admission.judge(envelope)
        nodes.answer(acknowledged(admission, "n00000", [0, 40_000]))
        assert nodes.strange == 1

    def test_its_bitmap_reaches_over_the_16_bits(self, fleet: tuple[Fleet, Admission]) -> None:
        nodes, admission = fleet
        *_, (_, newest, _) = nodes.seal([(0, births())] * 65_540)
        admission.judge(newest)
        windows, marks = admission.take_staged()
        admission.committed(windows, marks)
        answer = admission.seal("n00000", Ack(65_535, 0b1011, 0, 0, 0, False))
        assert answer
        nodes.answer([answer])
        missing = {seq for _, seq in nodes.unanswered()}
        assert not missing & {65_535, 65_536, 65_537, 65_539}
        assert 65_538 in missing


class TestTheLoad:
    def test_every_report_is_sent_once_and_in_order(self) -> None:
        carrier = Loop()
        sent = load.send(carrier, ((n, b"", False) for n in count()), 2000, 0.2, linger_s=0.05)
        assert carrier.sent == list(range(400)) == list(range(sent.reports))
        assert len(sent.answers) == 400

    def test_no_burst_is_longer_than_5_ms(self) -> None:
        carrier = Loop()
        load.send(carrier, ((n, b"", False) for n in count()), 2000, 0.2, linger_s=0)
        assert max(carrier.bursts) <= 10


class Loop:
    """A carrier that answers each report with itself."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.bursts: list[int] = []
        self._waiting: list[bytes] = []

    def send(self, reports: Sequence[Report]) -> None:
        self.bursts.append(len(reports))
        self.sent += [node for node, _, _ in reports]
        self._waiting += [envelope for _, envelope, _ in reports]

    def answers(self) -> list[bytes]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def close(self) -> None:
        pass


def test_figures_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "build" / "figures.json"
    figures.merge({"b": Figure(1, "s", "so"), "a": Figure(2, "s", "so")}, file)
    figures.merge({"b": Figure(3, "ms", "otherwise")}, file)
    assert figures.read(file) == {"a": Figure(2, "s", "so"), "b": Figure(3, "ms", "otherwise")}


def test_a_latency_is_from_a_report_to_the_next_event_of_its_asset() -> None:
    sent = {"a": [0, 10_000_000, 20_000_000], "b": [0]}
    events = [
        {"source": "a", "ns": 1_000_000},
        {"source": "a", "ns": 2_000_000},
        {"source": "b", "ns": 30_000_000},
        {"source": "a", "ns": 27_000_000},
    ]
    assert sorted(latency.latencies_ms(sent, events)) == [1.0, 7.0, 30.0, math.inf]


def test_an_alarm_that_is_never_seen_is_infinitely_late() -> None:
    seen = [float(ms) for ms in range(99)]
    assert latency.quantile([*seen, math.inf], 0.99) == 98.0
    assert latency.quantile([*seen, math.inf, math.inf], 0.99) == math.inf
    assert latency.quantile([3.0, 1.0, 2.0], 0.50) == 2.0
    assert latency.quantile([], 0.99) == math.inf


def in_file(file: str, call: Callable[[], str], function: str = "f") -> Callable[[], str]:
    """A function that calls another, as if it stood in a file of the gateway."""
    names: dict[str, Callable[[], str]] = {"call": call}
    exec(compile(f"def {function}(): return call()", f"/somewhere/{file}", "exec"), names)
    return names[function]


def test_a_stack_belongs_to_its_innermost_stage() -> None:
    def here() -> str:
        return stage_of(sys._getframe())

    assert stage_of(None) == here() == "loop"
    engine = in_file("gateway/core/engine.py", here)
    assert in_file("gateway/runtime/decider.py", engine)() == "engine"
    codec = in_file("gateway/wire/messages.py", here)
    assert in_file("gateway/runtime/admission.py", codec, "judge")() == "open"
    assert in_file("gateway/runtime/intake.py", in_file("gateway/runtime/admission.py", codec, "seal"))() == "answer"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_a_packet_is_found_whole_or_not_at_all(size: int) -> None:
    packet = _packet(0x32, bytes(size))
    assert all(_end(packet[:cut], 0) is None for cut in range(len(packet)))
    found = _end(packet + b"\x40\x02", 0)
    assert found
    assert found[1] == len(packet)
    assert found[1] - found[0] == size


async def test_nodes_behind_a_broker_are_heard_and_hear(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, aiomqtt.Client(broker.host, broker.port) as gateway:
        await gateway.subscribe("stethos/nodes/+/up", qos=1)
        carrier = await asyncio.to_thread(Mqtt, broker.port, [b"abcd", b"efgh"], 2)
        try:
            carrier.send([(0, b"one", False), (1, bytes(300), True)])
            heard = {m.topic.value: m.payload for m in [await anext(gateway.messages) for _ in range(2)]}
            assert heard == {"stethos/nodes/61626364/up": b"one", "stethos/nodes/65666768/up": bytes(300)}
            for kid, answer in (("61626364", b"yes"), ("65666768", b"no")):
                await gateway.publish(f"stethos/nodes/{kid}/down", answer, qos=1)
            answers: list[bytes] = []

            def both() -> bool:
                answers.extend(carrier.answers())
                return sorted(answers) == [b"no", b"yes"]

            await until(both, "answers")
        finally:
            carrier.close()


async def test_a_stretch_is_accounted_for(models: None) -> None:
    """A plant of eight nodes, all outputs, for a few seconds over udp."""
    async with house.running(BenchPlant(8), keep_messages=True) as small, introduced(small, "udp") as site:
        outcome = await stretch(small, site, RATE, 2.0)
        assert outcome.reports == 2 * RATE
        assert set(outcome.cpu_us) == {"gateway", "mosquitto", "mosquitto_sub", "opcua client", "generator"}
        assert small.fleet.unanswered() == []
        assert any("alarms raised" in note for note in outcome.notes)
        with sqlite3.connect(f"file:{small.folder}/state/journal.sqlite3?mode=ro", uri=True) as journal:
            assert journal.execute("SELECT count(*) FROM entries WHERE kind = 'report'").fetchone()[0] == 8 + 2 * RATE


async def test_a_group_gives_figures(models: None, tmp_path: Path) -> None:
    found = await ingest.stages(RATE, 1.5, nodes=8)
    figures.merge(found, tmp_path / "figures.json")
    kept = figures.read(tmp_path / "figures.json")
    assert {f"ingest_cpu_us_per_report_{stage}" for stage in ("open", "engine", "journal_thread")} <= kept.keys()
    assert sum(figure.value for figure in kept.values()) > 0
    assert all("mix M" in figure.how for figure in kept.values())


@pytest.mark.parametrize(
    ("values_s", "round_s", "found"),
    [(0.5, 1.5, []), (1.5, 1.5, ["OPC UA"]), (0.5, 2.5, ["Modbus"]), (9.0, 9.0, ["OPC UA", "Modbus"])],
)
async def test_a_client_that_is_left_behind_makes_a_backlog(values_s: float, round_s: float, found: list[str]) -> None:
    """So long before now are the newest value of the one, and the last whole round of the other."""
    now_s = time.monotonic()
    seen = {"newest_s": time.time() - values_s}
    poller = SimpleNamespace(read_s=now_s - round_s)
    clients = SimpleNamespace(scores=True, seen=AsyncMock(return_value=seen), poller=poller)
    behind = await _left_behind(cast("house.House", clients), load.Sent(ended_s=now_s), 1.0)
    assert [name for name in ("OPC UA", "Modbus") if any(name in reason for reason in behind)] == found
    assert len(behind) == len(found)
