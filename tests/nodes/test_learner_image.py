"""What a learner knows, saved, loaded and merged: nothing is lost, nothing narrows, and no file does harm."""

import itertools

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detectors import feature_sets
from gateway.detectors.learner import IMAGE_MAX, Learner, LearnerRefused, Reply, State
from tests.nodes import learner_reference as ref
from tests.nodes.direct_engine import Fenced
from tests.nodes.library import node_library

pytestmark = pytest.mark.usefixtures("node_build")

SET, CHANNELS, FEATURES = 1, 2, 6
LOW, HIGH, WITHIN, BETWEEN, FOLLOWED = range(5)


def whole(low, high):
    return st.integers(low, high)


@st.composite
def rows(draw, most=ref.LIMIT):
    low, high = sorted(draw(st.tuples(whole(-most, most), whole(-most, most))))
    middle = (low + high) * 128
    followed = draw(whole(-256 * ref.LIMIT - middle, 256 * ref.LIMIT - middle))
    return [low, high, draw(whole(0, 12288)), draw(whole(-2048, 12288)), followed]


def images(features=FEATURES, feature_set=SET, channels=CHANNELS):
    return st.tuples(
        st.just(1), st.just(feature_set), st.just(channels), st.just(1), whole(0, 1), whole(1, 10**9),
        whole(24, 65535), whole(3, 30), whole(-131072, 131072), whole(886, 16384),
        st.lists(rows(), min_size=features, max_size=features),
    ).map(list)  # fmt: skip


def fresh(average=1, feature_set=SET, channels=CHANNELS):
    return Learner(feature_set, channels, average=average)


def loaded(fields):
    learner = fresh()
    learner.load(cbor2.dumps(fields))
    return learner


@settings(max_examples=200, deadline=None)
@given(images())
def test_what_is_loaded_is_what_is_saved(fields):
    learner = loaded(fields)
    assert learner.save() == cbor2.dumps(fields)
    assert learner.diagnose().state == (State.FROZEN if fields[4] else State.WATCHING)
    model = ref.Learner(SET, CHANNELS, [0, 1, 1] * CHANNELS)
    assert model.load(cbor2.dumps(fields)) == Reply.OK
    values = [row[0] for row in fields[10]]
    verdict = learner.detect(values)
    assert (verdict.error, verdict.similarity) == (lambda v: (v.error, v.similarity))(model.detect(values)[1])


@settings(max_examples=100, deadline=None)
@given(images(48, 2, 9))
def test_the_largest_image_has_room(fields):
    image = cbor2.dumps(fields)
    learner = fresh(feature_set=2, channels=9)
    learner.load(image)
    assert len(image) <= IMAGE_MAX and learner.save() == image
    out = Fenced(bytes(len(image) - 1))
    assert node_library().learner_save(learner._memory, out.address, len(image) - 1) == 0


@settings(max_examples=150, deadline=None)
@given(images(), images())
def test_a_merge_widens_and_never_narrows(mine, others):
    """Per feature; and in whatever order, the same."""
    learner = loaded(mine)
    learner.merge(cbor2.dumps(others))
    found = cbor2.loads(learner.save())
    for before in (mine, others):
        for row, old in zip(found[10], before[10], strict=True):
            assert row[LOW] <= old[LOW] and row[HIGH] >= old[HIGH]
            assert row[WITHIN] >= old[WITHIN] and row[BETWEEN] >= old[BETWEEN]
    back = loaded(others)
    back.merge(cbor2.dumps(mine))
    assert cbor2.loads(back.save())[6:] == found[6:]


@settings(max_examples=100, deadline=None)
@given(st.lists(images(), min_size=3, max_size=3))
def test_the_order_of_merges_hardly_matters(states):
    """Bases come out the same; the limit's two numbers, means by windows, within a unit for each merge."""
    found = []
    for order in itertools.permutations(states):
        learner = loaded(order[0])
        for other in order[1:]:
            learner.merge(cbor2.dumps(other))
        found.append(cbor2.loads(learner.save()))
    for other in found[1:]:
        assert other[10] == found[0][10] and other[7] == found[0][7]
        if sum(state[6] for state in states) <= 65535:
            assert abs(other[8] - found[0][8]) <= 2 and abs(other[9] - found[0][9]) <= 2


def test_a_spread_never_narrows_by_a_merge():
    """Also where the spread is not stated but follows: a window beside both bases is less odd than before."""
    row = [4000, 4000, 3600, 3400, 0]
    near = [1, SET, CHANNELS, 1, 0, 10**6, 120, 15, 40000, 2000, [row] * FEATURES]
    far = [*near[:10], [[4100, 4100, 3500, 3450, 0]] * FEATURES]
    learner = loaded(near)
    learner.freeze(True)
    values = [2 ** (4300 / 4096)] * FEATURES
    before = learner.detect([int(v) for v in values]).error
    learner.merge(cbor2.dumps(far))
    assert learner.detect([int(v) for v in values]).error < before


# --- what is refused


def refusal(learner, image):
    before = learner.save()
    fenced = Fenced(image)
    replies = {
        Reply(getattr(node_library(), name)(learner._memory, fenced.address, len(image)))
        for name in ("learner_load", "learner_merge")
    }
    assert learner.save() == before or replies == {Reply.OK}
    (reply,) = replies
    return reply


GOOD = [1, SET, CHANNELS, 1, 0, 10**6, 120, 15, 40000, 2000, [[-300, 70000, 3600, -1, -70000]] * FEATURES]


def test_every_truncation_is_refused():
    learner, image = loaded(GOOD), cbor2.dumps(GOOD)
    for n in range(len(image)):
        assert refusal(learner, image[:n]) == Reply.DAMAGED
    assert refusal(learner, image + b"\0") == Reply.DAMAGED
    assert refusal(learner, image) == Reply.OK


def changed(position, value, row=None):
    fields = [*GOOD[:10], [list(r) for r in GOOD[10]]]
    target = fields if row is None else fields[10][row]
    target[position] = value
    return cbor2.dumps(fields)


@pytest.mark.parametrize(("position", "value", "row"), [
    (0, 2, None), (1, 256, None), (2, 0, None), (2, 10, None), (3, 0, None), (3, 6, None), (4, 2, None),
    (4, False, None), (5, 0, None), (5, 10**9 + 1, None), (6, 23, None), (6, 65536, None), (7, 2, None), (7, 31, None),
    (8, -131073, None), (8, 131073, None), (9, 885, None), (9, 16385, None), (9, "", None), (10, [], None),
    (0, -(2**22), 3), (1, 2**22, 3), (0, 70001, 3), (2, -1, 3), (2, 12289, 3), (3, -2049, 5), (3, 12289, 5),
    (4, 2**30 + 1, 0), (4, -(2**31), 0), (4, None, 0), (4, 2**30, 0), (4, 1.0, 0),
])  # fmt: skip
def test_a_number_out_of_range_is_refused(position, value, row):
    assert ref.read_state(changed(position, value, row)) is None
    assert refusal(loaded(GOOD), changed(position, value, row)) == Reply.DAMAGED


def test_longer_forms_are_refused():
    good = cbor2.dumps(GOOD)
    assert refusal(loaded(GOOD), good.replace(b"\x19\x0e\x10", b"\x1a\x00\x00\x0e\x10", 1)) == Reply.DAMAGED
    assert refusal(loaded(GOOD), b"\x9f" + good[1:] + b"\xff") == Reply.DAMAGED


@pytest.mark.parametrize("fields", [
    [*GOOD[:1], 2, *GOOD[2:]], [*GOOD[:2], 3, *GOOD[3:]], [*GOOD[:3], 2, *GOOD[4:]], [*GOOD[:10], GOOD[10][:5]],
])  # fmt: skip
def test_another_kind_of_learner_does_not_fit(fields):
    assert refusal(loaded(GOOD), cbor2.dumps(fields)) == Reply.MISFIT


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.tuples(whole(0, 90), st.binary(min_size=1, max_size=4)).map(
    lambda change: cbor2.dumps(GOOD)[: change[0]] + change[1] + cbor2.dumps(GOOD)[change[0] + len(change[1]) :]
))  # fmt: skip
def test_any_bytes_are_refused_where_the_reference_refuses_them(image):
    fields = ref.read_state(image)
    expected = Reply.DAMAGED if fields is None else ref.Learner(SET, CHANNELS, [0, 1, 1] * CHANNELS).load(image)
    assert refusal(loaded(GOOD), image) == expected


def test_a_learner_that_learns_takes_a_load_and_no_merge():
    learner, image = fresh(), cbor2.dumps(GOOD)
    with pytest.raises(LearnerRefused, match="not_now"):
        learner.merge(image)
    with pytest.raises(LearnerRefused, match="damaged"):
        learner.load(image[:-1])
    assert learner.learn([0] * FEATURES) == Reply.MORE
    learner.load(image)
    assert learner.save() == image
    assert len(feature_sets.kinds(SET, CHANNELS)) == FEATURES
