"""The gateway's own memory and the bound that holds for it, read from files as Linux writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.runtime.memory import Memory, look

PAGE = os.sysconf("SC_PAGE_SIZE")
HALF = os.sysconf("SC_PHYS_PAGES") * PAGE // 2


def box(folder: Path, cgroup: str, **limits: str) -> Memory:
    """What is seen where a process of 1000 resident pages is in `cgroup`; `limits`: folder of a group -> its limit."""
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "statm").write_text("5000 1000 10 1 0 1 0\n")
    (folder / "proc" / "self" / "cgroup").write_text(cgroup)
    for path, limit in limits.items():
        group = folder / "groups" / path.replace("__", "/")
        group.mkdir(parents=True, exist_ok=True)
        (group / ("memory.limit_in_bytes" if path.startswith("memory") else "memory.max")).write_text(f"{limit}\n")
    return look(folder / "proc", folder / "groups")


UNIFIED = "0::/system/stethos\n"
BOTH = "4:cpu,memory:/docker\n1:cpu:/\n0::/\n"


@pytest.mark.parametrize(
    ("cgroup", "limits", "bound"),
    [
        (UNIFIED, {"system__stethos": "1000000"}, 1_000_000),
        (UNIFIED, {"system__stethos": "max", "system": "2000000"}, 2_000_000),
        (UNIFIED, {"system__stethos": "3000000", "system": "2000000"}, 2_000_000),
        (UNIFIED, {"system__stethos": "max", "system": "max"}, HALF),
        (UNIFIED, {"elsewhere": "1000000"}, HALF),
        (BOTH, {"memory__docker": "4000000"}, 4_000_000),
        (BOTH, {"memory__docker": "9223372036854771712"}, HALF),
        (BOTH, {"memory__docker": "9223372036854771712", "memory": "5000000"}, 5_000_000),
        ("", {}, HALF),
    ],
)
def test_the_least_limit_of_the_groups_holds_else_half_the_machine(
    tmp_path: Path, cgroup: str, limits: dict[str, str], bound: int
) -> None:
    assert box(tmp_path, cgroup, **limits) == Memory(1000 * PAGE, bound)


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    assert look(tmp_path, tmp_path) == Memory(0, HALF)


def test_here_more_is_seen_after_more_is_taken() -> None:
    before = look()
    taken = bytearray(b"x") * (64 << 20)
    after = look()
    assert after.resident - before.resident > 32 << 20
    assert before.resident < after.bound == before.bound
    del taken
