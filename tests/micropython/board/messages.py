"""The vectors of messages, ages, scores and serial frames."""

import binascii

from stethos import age, frame, message, score

import check

unhex = binascii.unhexlify
BYTES = {"model", "learner", "sha256", "signature", "data"}
FLAT = {"more", "learner", "features", "energy_uc"}


def flat(found):
    """A vector's message as nodes/micropython has it: nothing in it has parts, bytes are bytes."""
    out = {}
    for name, value in found.items():
        if name in FLAT and isinstance(value, dict):
            out.update(flat(value))
        elif name in BYTES and value is not None:
            out[name] = unhex(value)
        elif name == "time_ms":
            out[name] = int(value)
        elif name not in ("features", "more") or value is not None:
            out[name] = value
    return out


for name in ("birth", "flag", "window", "health", "result", "sampled", "learner_state"):
    vectors = check.load("vectors/" + name)
    for case in vectors["cases"]:
        payload = unhex(case["payload"])
        if case["valid"]:
            array = message.write_up(vectors["type"], flat(case["message"]))
            check.equal(bytes((vectors["type"],)) + array, payload, name + ": " + case["name"])
        check.equal(message.read_down(payload), None, name + " does not come from above")

for name in ("ack", "command", "offer", "chunk"):
    vectors = check.load("vectors/" + name)
    for case in vectors["cases"]:
        payload = unhex(case["payload"])
        wanted = (vectors["type"], flat(case["message"])) if case["valid"] else None
        check.equal(message.read_down(payload), wanted, name + ": " + case["name"])
        for size in range(len(payload) if case["valid"] else 0):
            check.equal(message.read_down(payload[:size]), None, name + ": %d bytes of " % size + case["name"])

flag = {"seq": 1, "age": 0, "score": 200, "why": 1, "generation": 0}
birth = flat(check.load("vectors/birth")["cases"][0]["message"])
for kind, start, name, values in (
    (message.FLAG, flag, "seq", (-1, 65536)),
    (message.FLAG, flag, "generation", (-1, 24)),
    (message.BIRTH, birth, "hardware", ("", "h" * 25, "\u00b5" * 13)),
    (message.BIRTH, birth, "model", (b"", bytes(7), bytes(9))),
    (message.BIRTH, birth, "channels", (0, 10)),
):
    for value in values:
        changed = dict(start)
        changed[name] = value
        check.refuses(name + " %s" % (value,), message.write_up, kind, changed)
for values in ([], [0] * 65, [1 << 31], [-1 - (1 << 31)]):
    changed = dict(flag)
    changed.update({"feature_set": 1, "values": values})
    check.refuses("values %s" % values, message.write_up, message.FLAG, changed)

vectors = check.load("vectors/age")
for code, ms in enumerate(vectors["decode_ms"]):
    check.equal(age.decode_ms(code), ms, "age code %d" % code)
for case in vectors["encode"]:
    check.equal(age.encode(int(case["ms"])), case["code"], "age %s" % case["ms"])

for case in check.load("vectors/score")["cases"]:
    error, threshold = int(case["error"]), int(case["threshold"])
    check.equal(score.encode(error, threshold), case["code"], "score of %d over %d" % (error, threshold))

for case in check.load("vectors/serial")["cases"]:
    stream = unhex(case["stream"])
    wanted = [unhex(sent) for sent in case["frames"]], case["counted"]
    for piece in (1, 7, len(stream)):
        decoder = frame.Decoder()
        found = []
        for at in range(0, len(stream), piece):
            found += decoder.push(stream[at : at + piece])
        dropped = {name: n for name, n in decoder.dropped.items() if n}
        check.equal((found, dropped), wanted, "serial: " + case["name"])
    if case["name"].startswith("ok") or case["name"] == "longest":
        check.equal(frame.encode(wanted[0][0]), stream, "to serial: " + case["name"])

check.done()
