"""The C code of a node as a shared library, so that the gateway computes what a node computes.

`make node` builds it in a checkout; the Debian package has it beside this file. Without it everything but its callers
works.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

NAME = "libstethos-node.so"


class LibraryMissing(RuntimeError):  # noqa: N818 - names a state of the installation
    """There is no library of the node's code here."""


@cache
def node_library() -> ctypes.CDLL:
    """The library: of the build that STETHOS_NODE_BUILD names, or beside this file, or of this checkout's `make node`.

    Raises LibraryMissing.
    """
    named = os.environ.get("STETHOS_NODE_BUILD")
    usual = [Path(__file__).parent, Path(__file__).parents[2] / "build" / "node"]
    folders = [Path(named)] if named else usual
    for file in (folder / NAME for folder in folders):
        if file.exists():
            try:
                return ctypes.CDLL(str(file))
            except OSError as error:
                raise LibraryMissing(f"{file} cannot be loaded: {error}") from error
    places = " or ".join(str(folder) for folder in folders)
    raise LibraryMissing(f"the node's code is not built: no {NAME} in {places}; in a checkout `make node` builds it")
