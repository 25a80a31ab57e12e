"""Prints the median time, in microseconds, of the features of one window: SET SAMPLES TIMES."""

import sys
import time
from array import array

from stethos import native  # noqa: F401 (first)

from stethos import feature_set  # isort: skip

SET, SAMPLES, TIMES = [int(argument) for argument in sys.argv[1:]]
samples = array("h", bytes(2 * SAMPLES * 3))
for i in range(SAMPLES * 3):
    samples[i] = i * 7919 % 2003 - 1001
spent = []
for _ in range(TIMES):
    start = time.ticks_us()
    for _ in range(10):
        feature_set.compute(SET, samples, SAMPLES, 3)
    spent.append(time.ticks_diff(time.ticks_us(), start) / 10)
print(sorted(spent)[TIMES // 2])
