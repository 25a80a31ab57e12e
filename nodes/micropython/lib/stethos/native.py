"""The C core, where a file (stethos_native.mpy) or the firmware has it: nodes/micropython/native.

Import this before the rest of the package. What is there in C then takes the place of what is Python here, under the
same names. `model` and `learner` are in C only, and None where they are not. `why` says why there is no C, and is None
otherwise.
"""

import sys

NAME = "stethos_native"
_ARCHITECTURES = (
    "no", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc",
)  # fmt: skip


def abi(header):
    """Of the bytes 1 and 2 of a .mpy file as one number, which sys.implementation._mpy is of those that it takes: such
    as "version 6.3, armv7m code".
    """
    flags = header >> 8
    arch = flags >> 2 & 15
    name = _ARCHITECTURES[arch] if arch < len(_ARCHITECTURES) else "architecture %d" % arch
    return "version %d.%d, %s code" % (header & 255, flags & 3, name)


def _file():
    """Name and first bytes of the .mpy that an import finds; None without one."""
    for folder in sys.path:
        name = (folder + "/" if folder else "") + NAME + ".mpy"
        try:
            with open(name, "rb") as file:
                return name, file.read(4)
        except OSError:
            pass
    return None


def _refusal(error):
    """Why the module cannot be imported."""
    found = _file()
    if not found:
        return "there is no " + NAME + ": " + str(error)
    name, start = found
    if len(start) < 4 or start[0] != 77:  # M
        return name + " is no .mpy file"
    takes = getattr(sys.implementation, "_mpy", None)
    return "%s is for .mpy %s; this firmware takes %s: %s" % (
        name, abi(start[1] | start[2] << 8), "none" if takes is None else abi(takes), error,
    )  # fmt: skip


why = model = learner = None
try:
    import stethos_native as _native
except (ImportError, ValueError) as error:
    why = _refusal(error)
else:
    model, learner = getattr(_native, "model", None), getattr(_native, "learner", None)
    # As if imported: in C there is all that these two have.
    sys.modules["stethos.feature_set"] = _native.feature_set
    sys.modules["stethos.ccm"] = _native.ccm
    from . import envelope

    envelope.seal_up, envelope.open_down = _native.envelope.seal_up, _native.envelope.open_down
