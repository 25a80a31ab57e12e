"""What a node is made of, in plain Python: for MicroPython without the native module, and for CPython's tests.

One file for each file of the node in C (nodes/c_tflm/core), with its names; both run the vectors of nodes/wire.
"""
