"""The learner's vectors, and its state in a caller's hands."""

import binascii
from array import array

import check
from stethos.native import learner, slow

unhex = binascii.unhexlify
REFUSED = "refused"


def attempt(action, *arguments):
    try:
        return action(*arguments)
    except ValueError as refusal:
        return refusal.args[0]


def through_sleep(it, lasting):
    """The same state, and a learner in it, from what a file has and what sleep keeps."""
    state = bytearray(learner.BYTES)
    state[: len(lasting)] = lasting
    there = learner.Learner(state)
    there.move(it.moving())
    return state, there


cases = check.load("learner/learner")["cases"]
for case in cases:
    name = case["name"]
    state = bytearray(learner.BYTES)
    it = learner.Learner(
        state, case["feature_set"], case["channels"], case["windows"], case["average"], case["events_ppb"]
    )
    check.equal((it.save(), attempt(it.detect, case["learn"][0])), (b"", "not now"), name + ": learns yet")
    for i, (row, wanted) in enumerate(zip(case["learn"], case["replies"])):
        check.equal(it.learn(row), wanted, name + ": reply %d" % i)
        if i % 8 == 3:  # as after a deep sleep
            state = bytearray(bytes(state))
            it = learner.Learner(state)
    check.equal(it.save(), unhex(case["image"]), name + ": image")
    lasting = it.lasting()
    check.equal(len(lasting) < learner.BYTES, True, name + ": lasts")
    check.equal(attempt(it.learn, case["learn"][0]), "not now", name)
    for i, (row, wanted) in enumerate(zip(case["detect"], case["verdicts"])):
        check.equal([int(x) for x in it.detect(row)], wanted, name + ": verdict %d" % i)
        if i == 10:
            state = bytearray(bytes(state))
            it = learner.Learner(state)
        elif i % 4 == 1:  # nothing is written while it watches
            state, it = through_sleep(it, lasting)
    check.equal(it.save(), unhex(case["image_after"]), name + ": image after")
    check.refuses(name + ": fewer features", it.detect, case["detect"][0][1:])
    moving = it.moving()
    check.equal(attempt(it.move, moving[:-1]), "misfit", name + ": cut short")
    check.equal(attempt(it.move, b"\1" + moving[1:]), "misfit", name + ": of one that learns")
    check.equal(it.moving(), moving, name + ": nothing has changed")

    before = it.diagnose()
    check.equal((before.state, before.learned), (learner.WATCHING, case["windows"]), name + ": diagnosis")
    it.freeze(True)
    followed = it.diagnose().followed
    for row in case["learn"][:8]:
        it.detect(row)
    check.equal((it.diagnose().state, it.diagnose().followed), (learner.FROZEN, followed), name + ": frozen")
    it.freeze(False)
    it.merge(unhex(case["image"]))
    check.equal(it.diagnose().learned, 2 * before.learned, name + ": merged")
    it.rollback()
    check.equal((it.diagnose().learned, attempt(it.rollback)), (before.learned, "not now"), name + ": rolled back")
    it.load(unhex(case["image"]))
    check.equal(it.save(), unhex(case["image"]), name + ": loaded")
    check.equal(attempt(it.load, unhex(case["image"])[:-1]), "damaged", name + ": cut")
    check.equal(attempt(it.load, unhex(cases[cases[0] is case]["image"])), "misfit", name + ": another's")
    usual = it.rate_ppb(49)
    it.sensitivity(1000)
    check.equal(it.diagnose().events_ppb, 1000, name + ": sensitivity")
    check.equal(it.rate_ppb(49) < usual or case["events_ppb"] == 1, True, name + ": rate")
    it.relearn(24)
    check.equal((it.diagnose().state, it.diagnose().wanted), (learner.LEARNING, 24), name + ": anew")
    check.equal(attempt(it.move, moving), "misfit", name + ": it has begun anew since")
    it.rollback()
    it.acknowledge()
    check.equal(it.diagnose().state, learner.WATCHING, name + ": as it was")

limits = [(2000, 2800), (None, 5000)]
room = slow.Slow(2, limits)
window = array("h", [2400, 4000] * 32)
check.equal(room.judge(window, 32, -1, -1), (0, 0), "a room as it should be")
check.equal(room.judge(window, 32, 600, 200), (14, 200), "a learner has latched")
window[1] = 5001
check.equal(room.judge(window, 32, 600, 200)[0], 2, "limits come first")
again = slow.Slow(2, limits)
again.load(room.save())
check.equal(again.save(), room.save(), "through sleep")
for minute in range(0, 1440, 30):
    for one in (room, again):
        one.judge(window, 32, minute, -1)
check.equal(again.save(), room.save(), "and on")
check.refuses("of another sensor", slow.Slow(1).load, room.save())
check.refuses("damaged", again.load, bytes(3) + b"\x09" + room.save()[4:])
check.refuses("limits of one channel", slow.Slow, 2, limits[:1])
check.refuses("no limit", slow.Slow, 1, [(1, 2, 3)])
check.refuses("minute", room.judge, window, 32, 1440, -1)
check.refuses("too few readings", room.judge, window, 33, 0, -1)
check.done()
