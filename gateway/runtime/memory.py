"""What memory the gateway takes, and how much it may take: of its control group (systemd's MemoryMax, a container's
limit), else a share of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MACHINE_PERCENT = 50  # of the machine's memory, where no control group has a limit

_LIMIT_FILE = {True: "memory.max", False: "memory.limit_in_bytes"}  # control groups of version 2, and of version 1


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; 0 where they are not to be had."""

    resident: int
    bound: int


def look(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Memory:
    """As it is now; a limit may be changed while we run. Elsewhere than on Linux nothing is known."""
    limits = [limit for file in _limit_files(proc, groups) if (limit := _number(file))]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [limit for limit in limits if limit < machine]  # version 1 writes "none" as a very high number
    return Memory(_resident(proc), min(limits, default=machine * MACHINE_PERCENT // 100))


def _resident(proc: Path) -> int:
    try:
        return int((proc / "self" / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _limit_files(proc: Path, groups: Path) -> Iterator[Path]:
    """Of this process's groups and of all that they are in: the least of their limits holds."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        unified = number == "0" and not controllers
        if not unified and "memory" not in controllers.split(","):
            continue
        top = groups if unified else groups / "memory"
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            yield folder / _LIMIT_FILE[unified]
            if folder == top:
                break


def _number(file: Path) -> int:
    """0: "max", or there is no such file, as in the group at the top."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
