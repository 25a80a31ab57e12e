"""What another node has learned comes over the air: loaded or merged as a whole, kept, and no window spoilt for it."""

from __future__ import annotations

import ctypes
import hashlib
from ctypes import byref, c_size_t, create_string_buffer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.image import Reply, Store
from gateway.wire.messages import Ack, Birth, Chunk, Health, Offer, Result, Sampled
from tests.nodes import core_types as core
from tests.nodes.core_board import LEARNER_BYTES, Board, Flash, Gateway, Node
from tests.nodes.core_machine import COLLECT, LEARNED, ROLL_BACK, WATCHING, command, louder, machine

DONE, REFUSED, FAILED, GO_ON = 0, 2, 3, 4
SAMPLES = 128
NUMBER = 9
PIECE = 24  # so that a small image comes in several


class Rollout(Gateway):
    """A gateway that offers an image, and answers each Result that asks for a piece. `loses`: which of what it says
    beside its Acks gets lost, by their order.
    """

    def __init__(self, board: Board, image: bytes, *, sha256: bytes | None = None, loses: frozenset[int] = frozenset()):
        super().__init__(board)
        self.offer = Offer(NUMBER, Store.LEARNER.value, len(image), sha256 or hashlib.sha256(image).digest(), 0)
        self.image = image
        self.loses = loses
        self.said = 0
        self.offered = False  # in this wake
        self.behind: type = object  # the message behind whose Ack the Offer goes
        self.outcome: tuple[int, int | None] | None = None

    def acknowledge(self, base: int | None, bitmap: int = 0) -> None:
        message = self.received[-1]
        about = isinstance(message, Result) and message.id == NUMBER
        if about and message.code not in (GO_ON, REFUSED):
            self.outcome = message.code, message.detail
        waits = self.outcome is None
        self.send(Ack(base, bitmap, 1790000000000 + self.board.now_ms, 1, int(waits), False))
        if waits and about and message.code == GO_ON:
            self._say(Chunk(NUMBER, message.detail, self.image[message.detail : message.detail + PIECE]))
        elif waits and not self.offered and isinstance(message, self.behind):
            self.offered = True
            self._say(self.offer)

    def _say(self, message: Offer | Chunk) -> None:
        if self.said not in self.loses:
            self.send(message)
        self.said += 1

    def until_answered(self, node: Node, wakes: int = 40) -> tuple[int, int | None]:
        for _ in range(wakes):
            self.offered = False
            node.step()
            if self.outcome is not None:
                return self.outcome
        raise AssertionError("no answer")


def node_on(library: ctypes.CDLL, board: Board, **config: object) -> Node:
    rules = core.ImageRules(board=b"test", running=-1)
    updates = ctypes.addressof(ctypes.c_char.in_dll(library, "NODE_UPDATES"))
    settings = {"samples": SAMPLES, "heartbeat_ms": 1, "learns": LEARNED} | config
    return Node(library, board, rules=ctypes.pointer(rules), updates=updates, **settings)


def new_board(library: ctypes.CDLL, window=None) -> Board:
    board = Board(Flash())
    assert library.ceiling_provision(byref(board.port))
    board.window = window or machine()
    return board


def known(library: ctypes.CDLL, learner: ctypes.Array) -> bytes:
    """What it would save; empty while it learns."""
    out = create_string_buffer(1152)
    library.learner_save.restype = c_size_t
    size = library.learner_save(learner, out, c_size_t(len(out)))
    return out.raw[:size]


def lesson(library: ctypes.CDLL, loud: float = 1, seed: int = 5, channels: int = 1) -> bytes:
    """A `learner-image`."""
    learner, setup = create_string_buffer(LEARNER_BYTES), core.LearnerSetup(1, channels, 1, LEARNED, 0)
    assert library.learner_init(learner, byref(setup)) == 0
    window = louder(loud, seed)
    for _ in range(300):
        samples = (ctypes.c_int16 * (SAMPLES * channels))(*window(SAMPLES * channels))
        features = (ctypes.c_int32 * (3 * channels))()
        library.features_statistics(samples, SAMPLES, channels, features)
        library.learner_learn(learner, features)
        if image := known(library, learner):
            return image
    raise AssertionError("it has not learned")


@pytest.fixture(scope="module")
def image(library: ctypes.CDLL) -> bytes:
    return lesson(library)


def watching(library: ctypes.CDLL, board: Board) -> Node:
    Gateway(board)
    node = node_on(library, board)
    for _ in range(200):
        node.step()
        if ("learned", LEARNED) in board.events:
            node.step()
            return node
    raise AssertionError("it has not learned")


def test_a_node_that_knows_nothing_needs_to_learn_nothing(library, image):
    board = new_board(library)
    gateway = Rollout(board, image)
    node = node_on(library, board)
    assert gateway.until_answered(node) == (DONE, None)
    assert known(library, node.learner) == image
    node.step()
    assert gateway.of(Birth)[-1].more.learner == hashlib.sha256(image).digest()[:8]
    assert gateway.of(Health)[-1].learner.state == WATCHING
    assert board.ended == [], "without a restart"
    node.reboot()
    assert known(library, node.learner) == image, "it was durable"


def test_one_that_knows_something_knows_both_and_can_go_back(library, image):
    board = new_board(library)
    node = watching(library, board)
    before = known(library, node.learner)
    both, setup = create_string_buffer(LEARNER_BYTES), core.LearnerSetup(1, 1, 1, LEARNED, 0)
    library.learner_init(both, byref(setup))
    library.learner_load(both, before, c_size_t(len(before)))
    gateway = Rollout(board, image)
    gateway.partial_iv = 1000
    gateway.outcome = DONE, None
    node.step()  # what it has followed since is part of what is merged
    following = known(library, node.learner)
    library.learner_load(both, following, c_size_t(len(following)))
    gateway.outcome = None
    board.window = lambda n: -1 & 0xFF  # nothing to be had: nothing more is followed
    assert gateway.until_answered(node) == (DONE, None)
    assert library.learner_merge(both, image, c_size_t(len(image))) == 0
    assert known(library, node.learner) == known(library, both)
    plain = Gateway(board)
    plain.partial_iv = 2000
    plain.received = [Result(0, 0, NUMBER, DONE)]
    assert command(node, plain, ROLL_BACK) == DONE
    assert library.learner_rollback(both) == 0
    assert known(library, node.learner) == known(library, both)


def refusals(library: ctypes.CDLL, image: bytes) -> dict[Reply, Rollout]:
    return {
        Reply.HASH: Rollout(new_board(library), image, sha256=bytes(32)),
        Reply.SELF_TEST: Rollout(new_board(library), lesson(library, channels=2)),
        Reply.TOO_LARGE: Rollout(new_board(library), bytes(2 * SAMPLES + 1)),
    }


@pytest.mark.parametrize("reply", [Reply.HASH, Reply.SELF_TEST, Reply.TOO_LARGE])
def test_what_is_not_taken_changes_nothing(library, image, reply):
    gateway = refusals(library, image)[reply]
    node = node_on(library, gateway.board)
    assert gateway.until_answered(node) == (FAILED, reply)
    assert known(library, node.learner) == b""
    assert gateway.of(Health)[-1].learner.state == 1, "it goes on learning"


def test_every_byte_counts(library, image):
    for at in range(0, len(image), 7):
        torn = image[:at] + bytes([image[at] ^ 0x10]) + image[at + 1 :]
        gateway = Rollout(new_board(library), torn, sha256=hashlib.sha256(image).digest())
        node = node_on(library, gateway.board)
        assert gateway.until_answered(node) == (FAILED, Reply.HASH)
        assert known(library, node.learner) == b""


def test_a_node_without_a_learner_or_without_flash_for_it_says_so(library, image):
    gateway = Rollout(new_board(library), image)
    assert gateway.until_answered(node_on(library, gateway.board, learns=0)) == (FAILED, Reply.NO_STORE)
    gateway = Rollout(new_board(library), image)
    gateway.board.store.port.size[Store.LEARNER] = 0
    assert gateway.until_answered(node_on(library, gateway.board)) == (FAILED, Reply.NO_STORE)


@pytest.mark.parametrize("cut", [0, 1])
def test_flash_that_fails_is_told_and_the_node_is_as_before(library, image, cut):
    board = new_board(library)
    node = watching(library, board)
    gateway = Rollout(board, image)
    gateway.partial_iv = 1000
    board.store.cut = cut
    assert gateway.until_answered(node) == (FAILED, Reply.FLASH)
    board.store.cut = None
    before = known(library, node.learner)
    node.reboot()
    kept = known(library, node.learner)
    assert before and kept and hashlib.sha256(kept).digest() != hashlib.sha256(image).digest()
    assert kept[:8] == before[:8], "set, channels, average, sensitivity: its own"


@given(loses=st.frozensets(st.integers(0, 30), max_size=12), resets=st.frozensets(st.integers(0, 12), max_size=4))
@settings(max_examples=60, deadline=None)
def test_lost_pieces_and_resets_only_cost_time(library, image, loses, resets):
    board = new_board(library)
    gateway = Rollout(board, image, loses=loses)
    node = node_on(library, board)
    for wake in range(60):
        gateway.offered = False
        node.step()
        assert known(library, node.learner) in (b"", image)
        if gateway.outcome:
            break
        if wake in resets:
            node.reboot()
    assert gateway.outcome == (DONE, None)
    node.reboot()
    assert known(library, node.learner) == image


def test_windows_that_are_collected_meanwhile_arrive_as_they_were(library, image):
    """The ring is full of earlier ones, so that the Offer comes before a window of which nothing has been said yet."""
    board = new_board(library)
    plain = Gateway(board)
    node = node_on(library, board)
    node.step()
    assert command(node, plain, COLLECT, 40) == DONE
    steady, taken = machine(3), []

    def window(n: int) -> list[int]:
        taken.append(steady(n))
        return taken[-1]

    board.window = window
    plain.answers = False
    for _ in range(12):
        node.step()
    gateway = Rollout(board, image)
    gateway.partial_iv, gateway.behind = 1000, Sampled
    for _ in range(30):
        gateway.offered = False
        node.step()
    gateway.behind = object
    assert gateway.until_answered(node) == (DONE, None)
    parts = [part for part in gateway.of(Sampled) if part.window_number > 12]
    assert len(parts) > 10 and {part.parts for part in parts} == {1}
    for part in parts:
        data = part.data
        values = [int.from_bytes(data[i : i + 2], "little", signed=True) for i in range(0, len(data), 2)]
        assert values == taken[part.window_number - 1]
    assert known(library, node.learner)


def test_a_piece_that_comes_after_the_next_look_is_refused(library, image):
    board = new_board(library)
    gateway = Gateway(board)
    node = node_on(library, board)
    for message in (
        Offer(NUMBER, Store.LEARNER.value, len(image), hashlib.sha256(image).digest(), 0),
        Chunk(NUMBER, 0, image),
    ):
        gateway.send(message)
        node.step()
    assert [(result.code, result.detail) for result in gateway.of(Result)] == [(GO_ON, 0), (REFUSED, None)]
    assert known(library, node.learner) == b""


@pytest.mark.parametrize("cut", [0, 1])
def test_a_node_that_learns_goes_on_with_that_if_flash_fails(library, image, cut):
    board = new_board(library)
    gateway = Rollout(board, image)
    node = node_on(library, board)
    board.store.cut = cut
    assert gateway.until_answered(node) == (FAILED, Reply.FLASH)
    board.store.cut = None
    node.step()
    assert known(library, node.learner) == b"" and gateway.of(Health)[-1].learner.state == 1
