"""What a wake computes, in little memory: features of one window, one report sealed, one answer opened.

The features and the length of the window (three axes) are the arguments.
"""

import gc
import sys
from array import array

import check

if hasattr(gc, "threshold"):  # of MicroPython: collects early, or what stays lies scattered over the heap
    gc.threshold(4096)
from stethos import feature_set

SET, SAMPLES, CHANNELS = int(sys.argv[1]), int(sys.argv[2]), 3
__import__("stethos.features_" + ("", "statistics", "invariant", "slow", "", "principal")[SET])
from stethos import ceiling, clock, envelope, keys, message, ring  # noqa: E402  the largest of all is in by now


class Flash:
    def __init__(self):
        self.slots = [b"", b""]

    def read(self, slot):
        return self.slots[slot]

    def write(self, slot, record):
        self.slots[slot] = record
        return True


flash = Flash()
ceiling.provision(flash)
numbers = ceiling.Ceiling(flash)
waiting = ring.Ring(1000)
time = clock.Clock()
node = keys.Keys(b"\x7f\x3a\x01\xc2", bytes(range(16)))
downlink = envelope.Downlink()

samples = array("h", bytes(2 * SAMPLES * CHANNELS))
for i in range(SAMPLES * CHANNELS):
    samples[i] = i * 7919 % 2003 - 1001
check.equal(feature_set.sensor_fault(1, samples, SAMPLES, CHANNELS), 0, "sensor fault")
values = feature_set.compute(SET, samples, SAMPLES, CHANNELS)
check.equal(len(values), feature_set.size(SET, CHANNELS), "features")

seq = numbers.take_seq()
report = {"seq": seq & 0xFFFF, "age": 0, "score": 140, "why": 64, "generation": 1, "feature_set": SET, "values": values}
waiting.add(message.FLAG, seq, 1000, message.write_up(message.FLAG, report))
for at in waiting:
    frame = envelope.seal_up(node, numbers.take_partial_iv(), waiting.message(at, 1500))
    waiting.sent(at)
check.equal(len(frame) > len(values) + 30, True, "a frame")
check.equal(envelope.open_down(node, downlink, bytes(40)), ("malformed", None), "an answer")
time.compare(1500, 1790000000000)
check.equal(waiting.acknowledge(0, 0), 1, "acknowledged")
check.done()
