"""What names an event for good: 16 bytes that no other event has, of this gateway or another.

    8 bytes   the gateway
    4 bytes   its life: 0, or the seconds from 2020 to the restore before the event
    4 bytes   the event's number, big-endian like the life

A gateway that is restored from a backup counts on from the backup's last event, and uses numbers again that the lost
box had given to other events. Without its life in the id, whoever drops the ids that he knows would drop the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

ID_BYTES = 16

_RESTORED = "restored/"
_YEAR_2020_S = 1_577_836_800
_NUMBER_BITS = 32


def restored_mark(now_ms: int) -> str:
    """Name of the mark that holds the number of the last event before a restore at `now_ms` (Unix ms)."""
    return f"{_RESTORED}{max(1, now_ms // 1000 - _YEAR_2020_S)}"


@dataclass(frozen=True, slots=True)
class EventIds:
    """The ids of one gateway's events. `restores`: (last event before it, life that it began)."""

    gateway_id: bytes  # 8 bytes
    restores: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of_marks(cls, gateway_id: bytes, marks: Mapping[str, int]) -> Self:
        """By the restores that a journal's marks tell of."""
        begun = {int(name.removeprefix(_RESTORED)): at for name, at in marks.items() if name.startswith(_RESTORED)}
        return cls(gateway_id, tuple((at, life) for life, at in sorted(begun.items())))

    def id_of(self, event: int) -> bytes:
        """The id of an event by its number."""
        life = max((life for last, life in self.restores if last < event), default=0)
        return self.gateway_id + (life << _NUMBER_BITS | event).to_bytes(8, "big")

    def event_of(self, identifier: bytes) -> int:
        """The number of an event by its id; 0 if this gateway never gave it, or gave it in a life that is lost."""
        event = int.from_bytes(identifier[12:], "big")
        return event if identifier == self.id_of(event) else 0
