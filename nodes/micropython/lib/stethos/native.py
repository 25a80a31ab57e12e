"""The C core, where a file (stethos_native.mpy) or the firmware has it: nodes/micropython/native.

Import this before the rest of the package. What is there in C then takes the place of what is Python here, under the
same names. `model`, `learner` and `slow` are in C only, and None where they are not. `why` says why there is no C, and
is None otherwise.
"""

import sys

NAME = "stethos_native"
why = model = learner = slow = envelope = None
try:
    import stethos_native as _native
except ImportError as error:
    why = "there is no %s: %s" % (NAME, error)
except ValueError as error:
    from .native_refused import reason

    why = reason(NAME, error)
else:
    model, learner, slow = [getattr(_native, name, None) for name in ("model", "learner", "slow")]
    envelope = _native.envelope
    # As if imported: in C there is all that these two have.
    sys.modules["stethos.feature_set"] = _native.feature_set
    sys.modules["stethos.ccm"] = _native.ccm
