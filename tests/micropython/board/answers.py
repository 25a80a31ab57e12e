"""Plays what the node in C was asked, and compares every answer with what it said: a JSON file names both."""

import json
import sys
from array import array
from binascii import hexlify, unhexlify

from stethos import ceiling, clock, feature_set, frame, limits, replay, ring

import check


class Flash:
    """Slots. `tear`: what the next write leaves in its slot."""

    def __init__(self):
        self.slots = [bytes(40), bytes(40)]
        self.tear = None

    def read(self, slot):
        return self.slots[slot]

    def write(self, slot, record):
        whole = self.tear is None
        old = self.slots[slot]
        self.slots[slot] = record if whole else torn(self.tear, old, record)
        return whole


def torn(how, old, new):
    if how == "the first half":
        return new[:20] + old[20:]
    if how == "all but a byte":
        return new[:-1] + old[-1:]
    return {"nothing of it": old, "garbage": b"\xa5" * 40, "erased": b"\xff" * 40}.get(how, new)


class Numbers:
    def __init__(self):
        self.flash = Flash()
        self.numbers = None
        ceiling.provision(self.flash)

    def boot(self):
        self.flash.tear = None
        try:
            self.numbers = ceiling.Ceiling(self.flash)
        except ceiling.NoRecordError:
            return None
        return [self.numbers.next_partial_iv, self.numbers.next_seq, self.numbers.skipped]

    def take(self, n):
        for _ in range(n):
            taken = [self.numbers.take_partial_iv(), self.numbers.take_seq()]
        return [taken, self.numbers.exhausted()]

    def keep(self, command):
        return self.numbers.keep(last_command=command, epoch=command & 0xFFFF, last_result=command & 0xFF)

    def settle(self):
        return self.numbers.settle()

    def near_the_end(self):
        self.numbers.next_partial_iv = self.numbers.next_seq = 0xFFFFFFFD

    def cut(self, how):
        self.flash.tear = how

    def rot(self, slot):
        old = self.flash.slots[slot]
        self.flash.slots[slot] = old[:7] + bytes((old[7] ^ 0x10,)) + old[8:]

    def slots(self):
        return [hexlify(slot).decode() for slot in self.flash.slots]


class Ring:
    def __init__(self, size):
        self.ring = ring.Ring(size)

    def add(self, kind, seq, at_ms, message):
        return self.ring.add(kind, seq, at_ms, unhexlify(message))

    def entries(self, now_ms):
        self.ring = ring.Ring(self.ring.size, bytes(self.ring.data), self.ring.dropped)  # as after a sleep
        found = []
        for at in self.ring:
            message = hexlify(self.ring.message(at, now_ms)).decode()
            found.append([self.ring.kind(at), self.ring.seq(at), self.ring.sends(at), message])
        return found

    def sent(self):
        for at in self.ring:
            self.ring.sent(at)

    def acknowledge(self, base, bitmap):
        return self.ring.acknowledge(base, bitmap)

    def dropped(self):
        return self.ring.dropped


class Clock:
    def __init__(self):
        self.clock = clock.Clock()

    def compare(self, local_ms, gateway_ms):
        self.clock.compare(local_ms, gateway_ms)
        return self.clock.fast_ppm

    def local(self, ms):
        return self.clock.local(ms)

    def gateway(self, local_ms):
        return self.clock.gateway(local_ms)


class Replay:
    def __init__(self, unused):
        self.window = replay.replay_from(unused)

    def accept(self, number):
        return self.window.accept(number)


class Line:
    def __init__(self):
        self.decoder = frame.Decoder()

    def push(self, data):
        return [hexlify(found).decode() for found in self.decoder.push(unhexlify(data))] + [self.decoder.dropped]

    def encode(self, envelope):
        return hexlify(frame.encode(unhexlify(envelope))).decode()


class Features:
    def compute(self, set_, n, channels, samples):
        samples = array("h", samples)
        return [feature_set.sensor_fault(set_, samples, n, channels), feature_set.compute(set_, samples, n, channels)]


class Limits:
    def judge(self, bounds, samples, n, channels):
        return list(limits.judge(bounds, array("h", samples), n, channels))


KINDS = {
    "limits": Limits,
    "numbers": Numbers,
    "ring": Ring,
    "clock": Clock,
    "replay": Replay,
    "line": Line,
    "features": Features,
}

with open(sys.argv[1]) as file:
    for case in file:
        trace = json.loads(case)
        player = KINDS[trace["kind"]](*trace["start"])
        for i, (name, arguments, wanted) in enumerate(trace["steps"]):
            found = getattr(player, name)(*arguments)
            check.equal(found, wanted, "%s: step %d, %s" % (trace["kind"], i, name))
check.done()
