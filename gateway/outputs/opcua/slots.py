"""Where the newest change of each Tag is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from asyncua import ua
from asyncua.server.address_space import AttributeValue
from asyncua.ua.attribute_ids import AttributeIds

from gateway.core.plant import Plant, TagId
from gateway.core.update import Quality, TagChange
from gateway.outputs.opcua.values import Form, data_value

Watch = Callable[[], None]
"""What a monitored item wants to have called when its Tag has changed."""


class Slot:
    """A Tag's newest change; its value is made when somebody reads it."""

    __slots__ = ("_attribute", "change", "form", "served", "watches")

    def __init__(self, form: Form, change: TagChange, served: datetime) -> None:
        self.form = form
        self.change = change
        self.served = served
        self.watches: dict[int, Watch] | None = None  # few Tags ever have one
        self._attribute: TagValue | None = None

    @property
    def attribute(self) -> TagValue:
        """The Value attribute, which clients read and subscribe to: made when the first one looks, and kept."""
        if self._attribute is None:
            self._attribute = TagValue(self)
        return self._attribute

    def read(self, node: ua.NodeId | None = None, attribute: AttributeIds | None = None) -> ua.DataValue:
        """The value as it is now; the arguments are asyncua's."""
        return data_value(self.form, self.change, self.served)

    def watch(self, handle: int, watch: Watch) -> None:
        """Have `watch` called after each change, until `leave`."""
        if self.watches is None:
            self.watches = {}
        self.watches[handle] = watch

    def leave(self, handle: int) -> None:
        """Have it called no more."""
        if self.watches is not None:
            self.watches.pop(handle, None)


class TagValue(AttributeValue):
    """The Value attribute of a Tag's variable."""

    def __init__(self, slot: Slot) -> None:
        super().__init__(ua.DataValue())
        self.slot = slot
        self.value_callback = slot.read


@dataclass(slots=True)
class Watched:
    """The Tag of an item, and its change that the client has been told of last."""

    slot: Slot
    told: TagChange

    def has_told(self, change: TagChange) -> bool:
        """Whether value and quality are as they were told."""
        return self.told[1:3] == change[1:3]


def slots_of(plant: Plant) -> Mapping[TagId, Slot]:
    """A slot for each Tag of a plant, without data."""
    now = datetime.now(UTC)
    forms: dict[object, Form] = {}
    return {
        tag: Slot(forms.setdefault(kind, Form.of(kind)), TagChange(tag, None, Quality.NO_DATA, 0), now)
        for tag, kind in plant.tags()
    }
