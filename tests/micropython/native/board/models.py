"""models.json: what TensorFlow Lite Micro gives for networks and model images, and what is no network."""

import binascii

import check
from stethos.native import model

unhex = binascii.unhexlify
vectors = check.load("models")
for case in vectors["networks"]:
    name, tflite = case["name"], unhex(case["tflite"])
    memory = bytearray(model.memory_size(tflite))
    network = model.Network(tflite, memory)
    check.equal(network.ends()[0][0], case["size"], name + ": size")
    out = bytearray(len(unhex(case["outputs"][0])))
    for given, wanted in zip(case["inputs"], case["outputs"]):
        check.equal(bytes(network.run(bytearray(unhex(given)), out)), unhex(wanted), name)
    check.refuses(name + ": too little memory", model.Network, tflite, bytearray(len(memory) - 8))
    check.refuses(name + ": cut", model.Network, tflite[: len(tflite) // 2], memory)
    check.refuses(name + ": too few bytes", network.run, bytes(1), out)

for case in vectors["images"]:
    name, image = case["name"], unhex(case["image"])
    scorer = model.Model(image, bytearray(model.memory_size(image)))
    check.equal(list(scorer.about()), case["about"][:5] + [unhex(case["about"][5]), case["about"][6]], name + ": about")
    for features, wanted in case["scores"]:
        check.equal(list(scorer.score(features)), wanted, name)
        check.equal(scorer.score(tuple(features)).anomalous, wanted[3], name + ": by name")
    check.refuses(name + ": fewer features", scorer.score, features[1:])
    check.refuses(name + ": no 32 bits", scorer.score, [1 << 31] + features[1:])
    check.refuses(name + ": a self-test that fails", model.Model, unhex(case["damaged"]), bytearray(4096))

for case in vectors["refused"]:
    try:
        model.memory_size(unhex(case["tflite"]))
        found = None
    except ValueError as refusal:
        found = list(refusal.args[0])[1:]
    check.equal(found, case["numbers"], case["name"])
check.done()
