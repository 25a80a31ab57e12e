import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.runtime.admission import DOWN_STEP, Admission, Verdict
from gateway.store.keys import NodeKey
from gateway.wire.messages import Ack
from tests.runtime.house import KEYS, WireNode

VECTORS = json.loads((Path(__file__).parents[2] / "nodes/wire/vectors/envelope.json").read_text(encoding="ascii"))
VECTOR_KEYS = [
    NodeKey(f"v{i}", bytes.fromhex(n["kid"]), bytes.fromhex(n["secret"]), 0, 0) for i, n in enumerate(VECTORS["nodes"])
]
ACK = Ack(1, 0, 0, 0, 0, False)


class Durable:
    """What a journal would hold, and the admission that works on it."""

    def __init__(self, *keys: NodeKey) -> None:
        self.keys = keys or KEYS
        self.windows: dict[str, bytes] = {}
        self.marks: dict[str, int] = {}
        self.restart()

    def restart(self) -> None:
        self.admission = Admission(self.keys, self.windows, self.marks)

    def commit(self, **other_marks: int) -> None:
        windows, marks = self.admission.take_staged()
        marks |= other_marks
        self.windows |= windows
        self.marks |= marks
        self.admission.committed(windows, marks)

    def fail(self) -> None:
        self.admission.take_staged()
        self.admission.take_back(self.windows, self.marks)

    def judge(self, envelope: bytes) -> Verdict:
        return self.admission.judge(envelope).verdict


@pytest.mark.parametrize("sequence", VECTORS["up"], ids=lambda s: s["name"])
@pytest.mark.parametrize("between", ["nothing", "commits", "restarts"])
def test_every_frame_of_the_vectors_gets_its_verdict(sequence: Any, between: str) -> None:
    durable = Durable(*VECTOR_KEYS)
    names = {key.kid.hex(): key.name for key in VECTOR_KEYS}
    for frame in sequence["frames"]:
        admitted = durable.admission.judge(bytes.fromhex(frame["envelope"]))
        forgotten = ("replayed", "resent") if between == "restarts" and frame["verdict"] == "cloned" else ()
        assert admitted.verdict in (frame["verdict"], *forgotten), frame
        proved = admitted.verdict not in (Verdict.MALFORMED, Verdict.UNKNOWN_NODE, Verdict.BAD_TAG)
        assert admitted.node == (names[frame["kid"]] if proved else "")
        if admitted.verdict in (Verdict.ACCEPTED, Verdict.RESENT):
            assert admitted.payload.hex() == frame["payload"]
        if between != "nothing":
            durable.commit()
        if between == "restarts":
            durable.restart()


def test_what_was_taken_back_is_accepted_when_it_is_sent_again() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    first, again = node.flag(7), node.flag(7)
    assert durable.judge(first) is Verdict.ACCEPTED
    durable.fail()
    assert durable.judge(first) is Verdict.ACCEPTED
    durable.fail()
    assert durable.judge(again) is Verdict.ACCEPTED
    durable.commit()
    assert [durable.judge(again), durable.judge(node.flag(7))] == [Verdict.REPLAYED, Verdict.RESENT]


def test_the_first_answer_to_a_new_node_follows_its_first_commit_and_not_before() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    durable.judge(node.flag())
    assert durable.admission.seal("n1", ACK) is None
    durable.commit()
    answer = durable.admission.seal("n1", ACK)
    assert answer and node.hear(answer) == (0, 0, ACK)
    assert durable.admission.seal("n2", ACK) is None  # it has said nothing, nothing is reserved for it


def test_answers_go_on_for_as_long_as_the_node_speaks() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    for number in range(3 * DOWN_STEP):
        durable.judge(node.flag())
        durable.commit(**{"cursor/mqtt": number})
        answer = durable.admission.seal("n1", ACK)
        assert answer and node.hear(answer)[1] == number


def test_no_more_answers_than_were_reserved() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    durable.judge(node.flag())
    durable.commit()
    assert sum(durable.admission.seal("n1", ACK) is not None for _ in range(3 * DOWN_STEP)) == DOWN_STEP


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["hear", "commit", "fail", "restart", "answer", "answers", "cursor", "registry", "birth"]),
        max_size=60,
    )
)
def test_no_partial_iv_is_used_twice_under_one_epoch_whatever_happens(steps: list[str]) -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    used: set[tuple[int, int]] = set()
    full_seq, staged = 0, False
    for step in [*steps, "hear", "commit", "answer"]:
        match step:
            case "hear":
                durable.judge(node.flag())
                staged = True
            case "birth":
                full_seq += 1
                durable.judge(node.birth(full_seq, epoch=durable.admission.epoch + 1))
                staged = True
            case "commit":
                durable.commit()
                staged = False
            case "fail":
                durable.fail()
                staged = False
            case "cursor":
                if not staged:
                    durable.commit(**{"cursor/mqtt": 7})
            case "restart":
                durable.restart()
                staged = False
            case "registry":
                if not staged:
                    durable.admission.take_over(KEYS[1:])
                    durable.admission.take_over(KEYS)
            case _ if not staged:  # the decider answers after a commit only
                for _ in range(1 if step == "answer" else 700):
                    if answer := durable.admission.seal("n1", ACK):
                        epoch, partial_iv, _ = node.hear(answer)
                        assert (epoch, partial_iv) not in used
                        used.add((epoch, partial_iv))
    assert used


def test_a_new_key_starts_anew_and_the_old_one_is_no_longer_heard() -> None:
    durable, old = Durable(), WireNode(KEYS[0], partial_iv=5000)
    assert durable.judge(old.flag(9)) is Verdict.ACCEPTED
    durable.commit()
    rekeyed = NodeKey("n1", KEYS[0].kid, bytes(range(16)), 1, 0)
    durable.admission.take_over([rekeyed, KEYS[1]])
    assert durable.judge(old.flag(10)) is Verdict.BAD_TAG
    new = WireNode(rekeyed)
    admitted = durable.admission.judge(new.flag(9))
    assert (admitted.verdict, admitted.key_generation) == (Verdict.ACCEPTED, 1)
    durable.commit()
    answer = durable.admission.seal("n1", ACK)
    assert answer and new.hear(answer)[1] == 0
    assert durable.windows.keys() == {"n1#0", "n1#1"} and durable.marks.keys() == {"down/n1#0", "down/n1#1"}


def test_a_removed_node_is_unknown_while_the_others_keep_their_windows() -> None:
    durable, gone, stays = Durable(), WireNode(KEYS[0]), WireNode(KEYS[1])
    heard = stays.flag()
    assert durable.judge(heard) is Verdict.ACCEPTED
    durable.admission.take_over(KEYS[1:])
    assert durable.judge(gone.flag()) is Verdict.UNKNOWN_NODE
    assert durable.judge(heard) is Verdict.REPLAYED
    assert durable.admission.seal("n1", ACK) is None


def test_a_birth_of_a_higher_epoch_raises_ours_above_it_for_every_node_and_durably() -> None:
    durable, first, second = Durable(), WireNode(KEYS[0]), WireNode(KEYS[1])
    durable.judge(second.flag())
    durable.judge(first.birth(1, epoch=4))
    durable.commit()
    assert durable.marks["epoch"] == 5
    for node, name in ((first, "n1"), (second, "n2")):
        answer = durable.admission.seal(name, ACK)
        assert answer and node.hear(answer)[0] == 5
    durable.restart()
    durable.judge(first.birth(2, epoch=5))  # it follows: no need to go higher
    durable.judge(first.birth(3, epoch=3))
    durable.commit()
    assert durable.admission.epoch == durable.marks["epoch"] == 5


def test_an_epoch_that_was_taken_back_is_forgotten() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    durable.judge(node.birth(1, epoch=4))
    durable.fail()
    assert durable.admission.epoch == 0
    durable.judge(node.birth(1, epoch=4))
    durable.commit()
    assert durable.admission.epoch == 5


def test_frames_that_are_older_than_the_window_are_told_of_ever_more_rarely() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    old = [node.flag() for _ in range(200)]
    node.skip(1000)
    durable.judge(node.flag(201))
    told = [i for i, frame in enumerate(old, 1) if durable.admission.judge(frame).notice]
    assert told == [16, 32, 64, 128]


def test_a_node_that_lost_its_bearings_stays_lost_over_a_restart() -> None:
    durable, node = Durable(), WireNode(KEYS[0])
    durable.judge(node.birth(5))
    node.skip(40_000)
    assert durable.judge(node.flag(6)) is Verdict.UNPLACEABLE
    durable.commit()
    durable.restart()
    assert durable.judge(node.flag(7)) is Verdict.UNPLACEABLE
    assert durable.judge(node.birth(40_000)) is Verdict.ACCEPTED
    assert durable.judge(node.flag(40_001)) is Verdict.ACCEPTED


def test_after_a_restore_answers_begin_where_it_says_also_for_nodes_that_the_backup_never_answered() -> None:
    durable = Durable()
    durable.marks |= {"epoch": 9, "down/n1#0": 5000, "down_from": 5000}
    durable.restart()
    for key in KEYS:
        node = WireNode(key)
        assert durable.judge(node.flag()) is Verdict.ACCEPTED
        durable.commit()
        answer = durable.admission.seal(key.name, ACK)
        assert answer and node.hear(answer)[:2] == (9, 5000)
