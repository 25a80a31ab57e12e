"""Tags' values in OPC UA's terms: data types, units, status codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from gateway.core.plant import Kind, TagType
from gateway.core.update import Quality, TagChange, Value
from gateway.outputs.opcua.event import NULL
from gateway.outputs.opcua.ids import status

STATUS: Mapping[Quality, ua.StatusCode] = {
    Quality.GOOD: status(StatusCodes.Good),
    Quality.STALE: status(StatusCodes.UncertainLastUsableValue),
    Quality.RESTARTED: status(StatusCodes.UncertainLastUsableValue),
    Quality.UNSCORED: status(StatusCodes.UncertainSubNormal),  # fewer good sources than required
    Quality.NO_DATA: status(StatusCodes.BadWaitingForInitialData),
    Quality.LOST: status(StatusCodes.BadNoCommunication),
    Quality.SENSOR: status(StatusCodes.BadSensorFailure),
    Quality.CONFIGURATION: status(StatusCodes.BadConfigurationError),
    Quality.OUT_OF_SERVICE: status(StatusCodes.BadOutOfService),
}
_UNECE = {"%": ("P1", "%", "percent"), "V": ("VLT", "V", "volt"), "degC": ("CEL", "°C", "degree Celsius"),
          "dBm": ("DBM", "dBm", "decibel-milliwatt")}  # fmt: skip
_UNECE_URI = "http://www.opcfoundation.org/UA/units/un/cefact"
_RANGES = {
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Double: (-math.inf, math.inf),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of Tag is shown: its data type, its variable type (Part 8) and the decimals of its value."""

    variant: ua.VariantType
    variable_type: int
    decimals: int = 0
    low: float = math.inf  # of the integers that it takes; none unless it is a number
    high: float = -math.inf

    @classmethod
    def of(cls, tag: TagType) -> Form:
        """A value with a unit is an AnalogItem, an enumeration a MultiStateDiscrete (unsigned, by Part 8)."""
        match tag.kind:
            case Kind.BOOL:
                return cls(ua.VariantType.Boolean, ObjectIds.BaseDataVariableType)
            case Kind.TEXT:
                return cls(ua.VariantType.String, ObjectIds.BaseDataVariableType)
        if tag.states:
            return cls(ua.VariantType.UInt32, ObjectIds.MultiStateDiscreteType, 0, *_RANGES[ua.VariantType.UInt32])
        number = ua.VariantType.Double if tag.decimals else ua.VariantType.Int32
        analog = ObjectIds.AnalogItemType if tag.unit else ObjectIds.BaseDataVariableType
        return cls(number, analog, tag.decimals, *_RANGES[number])

    def fits(self, value: Value) -> bool:
        """Whether a Tag of this form can have this value."""
        if type(value) is int:  # nearly always
            return self.low <= value <= self.high
        if isinstance(value, bool):
            return self.variant is ua.VariantType.Boolean
        return value is None or self.variant is ua.VariantType.String

    def variant_of(self, value: Value) -> ua.Variant:
        """The value as a Variant; null for None. The value must fit."""
        if value is None:
            return NULL
        if self.variant is ua.VariantType.Double and isinstance(value, int):
            return ua.Variant(value / 10**self.decimals, self.variant)
        return ua.Variant(value, self.variant)


def data_value(form: Form, change: TagChange, served: datetime) -> ua.DataValue:
    """A Tag's change as it is read: a value that is Uncertain or Bad keeps its value and its source time."""
    return ua.DataValue(
        form.variant_of(change.value),
        STATUS[change.quality],
        SourceTimestamp=utc(change.source_ms) if change.source_ms else None,  # type: ignore[arg-type]
        ServerTimestamp=served,  # type: ignore[arg-type]  # a subclass that asyncua never makes
    )


def utc(unix_ms: int) -> datetime:
    """Unix milliseconds as a datetime."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def unit(tag: TagType) -> ua.EUInformation:
    """EngineeringUnits with the UNECE Recommendation 20 code as Part 8, 5.6.3.3 packs it; KeyError for a unit that is
    not in the table above.
    """
    code, symbol, name = _UNECE[tag.unit]
    return ua.EUInformation(_UNECE_URI, int.from_bytes(code.encode(), "big"), ua.LocalizedText(symbol),
                            ua.LocalizedText(name, "en"))  # fmt: skip


def span(tag: TagType) -> ua.Range:
    """EURange, in the Tag's unit."""
    scale = 10**tag.decimals
    return ua.Range(tag.low / scale, tag.high / scale)
