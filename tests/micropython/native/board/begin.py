"""Runs another script with the functions in C in the place of Python's: begin.py SCRIPT. Without them it fails."""

import sys

from stethos import native

if native.why:
    print(native.why)
    sys.exit(1)
__import__(sys.argv.pop(1))
