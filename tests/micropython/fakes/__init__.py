"""What lies behind MicroPython's `machine`: clock, pins, buses, converters, and the chips at them.

They know the chips' data sheets and nothing of our drivers. Everything here runs in CPython and in MicroPython.
"""
