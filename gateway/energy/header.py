"""The table as a C header: `python -m gateway.energy.header BOARD SENSOR RADIO`, on standard output."""

from __future__ import annotations

import sys

from gateway.energy.forecast import STATES, currents_na
from gateway.energy.table import Board, Radio, Sensor

ACTIVITIES = dict(zip(STATES, ("SLEEPING", "SENSING", "COMPUTING", "RADIATING"), strict=True))
"""State -> enum activity of nodes/c_tflm/core/port.h."""


def header(board: Board, sensor: Sensor, radio: Radio) -> str:
    """The text; one `static const` array, in nA by activity."""
    rows = [
        f"    [{ACTIVITIES[state]}] = {sum(drawn.values())}, /* "
        + ", ".join(f"{who} {na}" for who, na in drawn.items())
        + " */"
        for state, drawn in currents_na(board, sensor, radio).items()
    ]
    guard = f"STETHOS_ENERGY_{board.name}_{sensor.name}_{radio.name}_H".upper().replace("-", "_")
    return "\n".join(
        (
            f"/* Supply current in nA by activity: {board.name}, {sensor.name}, {radio.name}.",
            " * Made by gateway/energy/header.py from the TOML files beside it, which name their sources. */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            '#include "port.h"',
            "",
            "static const uint32_t ENERGY_CURRENT_NA[ACTIVITIES] = {",
            *rows,
            "};",
            "",
            "#endif",
            "",
        )
    )


if __name__ == "__main__":
    sys.stdout.write(header(Board.load(sys.argv[1]), Sensor.load(sys.argv[2]), Radio.load(sys.argv[3])))
