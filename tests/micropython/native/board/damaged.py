"""What a program on the node may get wrong is an exception, and never a crash."""

import binascii
from array import array

import check
from stethos import ccm, envelope, feature_set
from stethos.keys import Keys
from stethos.native import learner, model

unhex = binascii.unhexlify


def raises(what, kind, action, *arguments):
    try:
        found = action(*arguments)
    except kind:
        found = kind
    check.equal(found, kind, what)


samples = array("h", range(96))
for what, arguments in (
    ("no such set", (9, samples, 32, 3)),
    ("more samples than there are", (1, samples, 33, 3)),
    ("no channel", (1, samples, 32, 0)),
    ("ten channels", (1, samples, 32, 10)),
    ("too short", (2, samples, 31, 3)),
    ("too long", (2, array("h", bytes(2 * 1025)), 1025, 1)),
    ("a number of 33 bits", (1, samples, (1 << 32) + 32, 1)),
    ("a number of 65 bits", (1, samples, (1 << 64) + 32, 1)),
    ("bytes", (1, bytes(200), 32, 1)),
    ("samples of 32 bits", (1, array("i", range(96)), 32, 1)),
):
    raises(what, ValueError, feature_set.compute, *arguments)
raises("no buffer", TypeError, feature_set.compute, 1, 5, 32, 1)
raises("no number", TypeError, feature_set.compute, 1, samples, None, 1)
raises("too few", TypeError, feature_set.compute, 1, samples)

key, nonce = bytes(16), bytes(13)
for what, arguments in (
    ("short key", (key[1:], nonce, b"", b"x", 8)),
    ("short nonce", (key, nonce[7:], b"", b"x", 8)),
    ("long nonce", (key, nonce + b"\0", b"", b"x", 8)),
    ("odd tag", (key, nonce, b"", b"x", 7)),
    ("long tag", (key, nonce, b"", b"x", 18)),
):
    raises(what, ValueError, ccm.seal, *arguments)
    raises(what, ValueError, ccm.open_, *arguments)
keys = Keys(b"abcd", key)
raises("longer than an envelope", ValueError, envelope.seal_up, keys, 1, bytes(512))
raises("partial IV of 33 bits", ValueError, envelope.seal_up, keys, 1 << 32, b"")
raises("negative partial IV", ValueError, envelope.seal_up, keys, -1, b"")
raises("no keys", AttributeError, envelope.seal_up, 5, 1, b"")
keys.up = b"short"
raises("short key", ValueError, envelope.seal_up, keys, 1, b"")

raises("negative epoch", ValueError, envelope.open_down, Keys(b"abcd", key), envelope.Downlink(-1), b"")

case = check.load("learner/learner")["cases"][1]
state = bytearray(learner.BYTES)
raises("no learner", ValueError, learner.Learner, state)
raises("no channels", ValueError, learner.Learner, state, 1)
raises("small state", ValueError, learner.Learner, bytearray(100), 1, 1)
raises("state not aligned", ValueError, learner.Learner, memoryview(bytearray(learner.BYTES + 8))[1:], 1, 1)
raises("read only", TypeError, learner.Learner, bytes(learner.BYTES), 1, 1)
it = learner.Learner(state, 1, 1, case["windows"], case["average"])
raises("no learner object", TypeError, learner.Learner.learn, 5, [1, 2, 3])
raises("another's object", TypeError, learner.Learner.learn, model, [1, 2, 3])
for row in case["learn"]:
    it.learn(row)
whole = bytes(state)
survived = 0
for at in range(108):  # the head, with the numbers by which places are found
    for bits in (255, 128, 1):
        state[:] = whole
        state[at] ^= bits
        try:
            for row in case["detect"][:6]:
                it.detect(row)
            it.relearn(24)
            it.learn(case["learn"][0])
            survived += 1
        except ValueError:
            pass
state[:] = whole
raises("too many features", ValueError, it.detect, [0] * 49)
raises("no numbers", TypeError, it.detect, ["a"] * 3)
check.equal(0 < survived < 324, True, "%d states with a wrong byte were taken" % survived)
state[:] = bytes(len(state))
raises("the state has been cleared", ValueError, it.diagnose)

vectors = check.load("models")
image = unhex(vectors["images"][0]["image"])
features = vectors["images"][0]["scores"][0][0]
memory = bytearray(model.memory_size(image))
scorer = model.Model(image, memory)
memory += bytes(4096)
raises("memory has grown", ValueError, scorer.score, features)
memory = bytearray(model.memory_size(image) + 8)
raises("not aligned", ValueError, model.Model, image, memoryview(memory)[1:])
raises("no list", TypeError, model.Model(image, memory).score, 5)
tflite = bytearray(unhex(vectors["networks"][0]["tflite"]))
memory = bytearray(4 * model.memory_size(tflite))
network = model.Network(tflite, memory)
size, out_size = vectors["networks"][0]["size"], len(unhex(vectors["networks"][0]["outputs"][0]))
both = memoryview(bytearray(size + out_size))
check.equal(len(network.run(both[:size], both[size:])), out_size, "side by side")
raises("one in the other", ValueError, network.run, both[:size], both[size - 1 : size - 1 + out_size])
taken = 0
for at in range(0, len(tflite), 7):
    tflite[at] ^= 255
    try:
        model.Network(tflite, memory)
        taken += 1
    except ValueError:
        pass
    tflite[at] ^= 255
check.equal(0 < taken < len(tflite) // 7, True, "damaged files")
check.done()
