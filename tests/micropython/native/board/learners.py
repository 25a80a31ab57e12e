"""The learner's vectors, and its state in a caller's hands."""

import binascii

import check
from stethos.native import learner

unhex = binascii.unhexlify
REFUSED = "refused"


def attempt(action, *arguments):
    try:
        return action(*arguments)
    except ValueError as refusal:
        return refusal.args[0]


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
    check.equal(attempt(it.learn, case["learn"][0]), "not now", name)
    for i, (row, wanted) in enumerate(zip(case["detect"], case["verdicts"])):
        check.equal([int(x) for x in it.detect(row)], wanted, name + ": verdict %d" % i)
        if i == 10:
            state = bytearray(bytes(state))
            it = learner.Learner(state)
    check.equal(it.save(), unhex(case["image_after"]), name + ": image after")
    check.refuses(name + ": fewer features", it.detect, case["detect"][0][1:])

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
    it.rollback()
    it.acknowledge()
    check.equal(it.diagnose().state, learner.WATCHING, name + ": as it was")
check.done()
