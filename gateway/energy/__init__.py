"""Energy of a node: one table of currents and times, and what follows from it for a battery.

The table is TOML, one file a board, sensor, radio and battery; each figure says where it comes from and whether
somebody has measured it. The same table gives the currents that a node's ledger counts with (`header.py`,
nodes/c_tflm/core/energy.h) and this forecast, so that the two can be compared.
"""

from gateway.energy.forecast import Forecast, Part, Schedule, forecast
from gateway.energy.table import Battery, Board, EnergyUnknown, Figure, Radio, Sensor, names

__all__ = [
    "Battery",
    "Board",
    "EnergyUnknown",
    "Figure",
    "Forecast",
    "Part",
    "Radio",
    "Schedule",
    "Sensor",
    "forecast",
    "names",
]
