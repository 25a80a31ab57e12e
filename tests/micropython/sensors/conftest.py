"""Where the drivers lie, and the fakes, by the names that they have in MicroPython as well."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
PATH = [ROOT / "nodes" / "micropython", HERE.parent, HERE]  # the drivers first: their package has this folder's name

sys.path.extend(str(folder) for folder in PATH)
