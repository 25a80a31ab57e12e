"""The vectors of keys, AES-CCM and envelopes."""

import binascii

from stethos import ccm, envelope, keys, message, replay

import check

unhex = binascii.unhexlify
vectors = check.load("vectors/keys")
for case in vectors["nodes"]:
    node = keys.Keys(unhex(case["kid"]), unhex(case["secret"]))
    for name, found in (("key_up", node.up), ("iv_up", node.iv_up), ("iv_down", node.iv_down)):
        check.equal(found, unhex(case[name]), name)
    for epoch, key in case["key_down"].items():
        check.equal(node.down(int(epoch)), unhex(key), "key_down of " + epoch)
for case in vectors["rfc8613"]:
    secret, salt, sender = [unhex(case[name]) for name in ("secret", "salt", "sender")]
    context = None if case["id_context"] is None else unhex(case["id_context"])
    check.equal(keys.derive(secret, salt, sender, context, keys.KEY), unhex(case["key"]), case["name"])
    common_iv = keys.derive(secret, salt, b"", context, keys.IV)
    check.equal(common_iv, unhex(case["common_iv"]), case["name"])
    check.equal(keys.context_iv(common_iv, sender), unhex(case["context_iv"]), case["name"])

for case in check.load("vectors/ccm")["cases"]:
    key, nonce, aad, plain, sealed = [unhex(case[n]) for n in ("key", "nonce", "aad", "plaintext", "sealed")]
    tag = case["tag_bytes"]
    check.equal(ccm.seal(key, nonce, aad, plain, tag), sealed, "seal " + case["name"])
    check.equal(ccm.open_(key, nonce, aad, sealed, tag), plain, "open " + case["name"])
    for at in (0, len(sealed) - 1):
        forged = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        check.equal(ccm.open_(key, nonce, aad, forged, tag), None, "forged " + case["name"])
    check.equal(ccm.open_(key, nonce, aad, sealed[: tag - 1], tag), None, "short " + case["name"])

vectors = check.load("vectors/envelope")
secrets = {node["kid"]: unhex(node["secret"]) for node in vectors["nodes"]}
for sequence in vectors["up"]:
    for frame in sequence["frames"]:
        if "partial_iv" in frame and frame["kid"] in secrets:
            node = keys.Keys(unhex(frame["kid"]), secrets[frame["kid"]])
            found = envelope.seal_up(node, frame["partial_iv"], unhex(frame["payload"]))
            check.equal(found, unhex(frame["envelope"]), "up: " + sequence["name"])
for sequence in vectors["down"]:
    node = keys.Keys(unhex(sequence["node"]), secrets[sequence["node"]])
    downlink = envelope.Downlink(sequence["epoch"])
    for i, frame in enumerate(sequence["frames"]):
        before = downlink.epoch, downlink.replay.newest, downlink.replay.below
        verdict, plain = envelope.open_down(node, downlink, unhex(frame["envelope"]))
        if verdict == "accepted":
            check.equal((plain, downlink.epoch), (unhex(frame["payload"]), frame["epoch"]), sequence["name"])
            if message.read_down(plain) is None:
                verdict = "undecodable"
        else:
            check.equal(
                (plain, downlink.epoch, downlink.replay.newest, downlink.replay.below), (None,) + before, "kept"
            )
        check.equal(verdict, frame["verdict"], "down: %s, frame %d" % (sequence["name"], i))
    whole = unhex(sequence["frames"][0]["envelope"])
    for size in range(len(whole)):
        check.equal(envelope.open_down(node, downlink, whole[:size])[1], None, "cut")

for unused, taken in ((0, 0), (1, 1), (1000, 1000)):
    window = replay.replay_from(unused)
    check.equal([window.accept(n) for n in range(taken)], [False] * taken, "used before")
    check.equal([window.accept(taken), window.accept(taken)], [True, False], "the first unused")
check.done()
