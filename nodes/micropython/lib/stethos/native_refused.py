"""Why the native module cannot be imported: imported itself only where that is to be said."""

import sys

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


def _file(module):
    """Name and first bytes of the .mpy that an import finds."""
    for folder in sys.path:
        name = (folder + "/" if folder else "") + module + ".mpy"
        try:
            with open(name, "rb") as file:
                return name, file.read(4)
        except OSError:
            pass
    return module, b""


def reason(module, error):
    """Why it cannot be imported, for people."""
    name, start = _file(module)
    if len(start) < 4 or start[0] != 77:  # M
        return name + " is no .mpy file"
    takes = getattr(sys.implementation, "_mpy", None)
    return "%s is for .mpy %s; this firmware takes %s: %s" % (
        name, abi(start[1] | start[2] << 8), "none" if takes is None else abi(takes), error,
    )  # fmt: skip
