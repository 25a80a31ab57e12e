"""Runs the test functions of modules, under MicroPython: MODULE…; one line each, status 1 if one has failed."""

import sys

failed = 0
for name in sys.argv[1:]:
    module = __import__(name)
    for key in sorted(dir(module)):
        if key.startswith("test_"):
            try:
                getattr(module, key)()
                print("passed", name, key)
            except Exception as error:  # noqa: BLE001 (whatever it is, the test has failed)
                failed += 1
                print("FAILED", name, key)
                sys.print_exception(error)
sys.exit(1 if failed else 0)
