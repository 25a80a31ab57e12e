"""Which of Python's own modules are loaded where those in C have taken their place."""

import sys
from array import array

import check
from stethos import ccm, envelope, feature_set

check.equal(len(feature_set.compute(2, array("h", range(192)), 64, 3)), 16, "computed")
check.equal(ccm.open_(bytes(16), bytes(13), b"", ccm.seal(bytes(16), bytes(13), b"", b"text", 8), 8), b"text", "sealed")
check.equal(envelope.MAX, 512, "envelope")
for name in ("features_invariant", "features_directions", "fft", "fixed"):
    check.equal("stethos." + name in sys.modules, False, name)
check.equal("stethos.replay" in sys.modules, True, "replay is Python")
check.done()
