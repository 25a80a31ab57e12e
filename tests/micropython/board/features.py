"""The vectors of feature sets and of the whole numbers below them."""

import binascii
import struct
from array import array

from stethos import feature_set, fft, fixed

import check

vectors = check.load("features/fixed")
for x, wanted in vectors["log2"]:
    check.equal(fixed.log2(x), wanted, "log2 %d" % x)
for case in vectors["fft"]:
    before, after = case["before"], case["after"]
    re, im, place = [0] * len(before), [0] * len(before), 0
    for x, y in before:
        re[place], im[place] = x, y
        place = fft.place_after(place, len(before))
    fft.fft(re, im)
    check.equal([list(pair) for pair in zip(re, im)], after, "fft of %d" % len(before))
for exponent in range(65):
    for x in ((1 << exponent) - 1, 1 << exponent):
        least = fixed.root(x)
        check.equal(least * least <= x < (least + 1) * (least + 1), True, "root of %d" % x)
        check.equal(fixed.bits(x), len(bin(x)) - 2 if x else 0, "bits of %d" % x)

for name in ("statistics", "invariant", "slow", "principal"):
    vectors = check.load("features/" + name)
    set_ = vectors["feature_set"]
    for case in vectors["cases"]:
        n, channels = case["n"], case["channels"]
        samples = array("h", struct.unpack("<%dh" % (n * channels), binascii.unhexlify(case["samples"])))
        what = name + ": " + case["name"]
        check.equal(feature_set.compute(set_, samples, n, channels), case["features"], what)
        check.equal(feature_set.size(set_, channels), len(case["features"]), what)
        if "sensor_fault" in case:
            check.equal(feature_set.sensor_fault(set_, samples, n, channels), case["sensor_fault"], what)
check.refuses("no such set", feature_set.compute, 4, array("h"), 32, 1)
check.done()
