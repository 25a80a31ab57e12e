"""The glue's modules, by the names that they have on the board."""

from __future__ import annotations

import sys

from tests.micropython.glue.world import NODE

sys.path.append(str(NODE))
