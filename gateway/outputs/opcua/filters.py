"""Where clauses of event filters. Checked against asyncua 2.1.0 (`sessions.CHECKED_AGAINST`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.server.monitored_item_service import WhereClauseEvaluator
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from gateway.outputs.opcua.event import NULL, Event

_OPERATORS = {
    ua.FilterOperator.Equals: 2, ua.FilterOperator.IsNull: 1, ua.FilterOperator.GreaterThan: 2,
    ua.FilterOperator.LessThan: 2, ua.FilterOperator.GreaterThanOrEqual: 2, ua.FilterOperator.LessThanOrEqual: 2,
    ua.FilterOperator.Not: 1, ua.FilterOperator.InList: 2, ua.FilterOperator.And: 2, ua.FilterOperator.Or: 2,
    ua.FilterOperator.OfType: 1,
}  # fmt: skip


class Where(WhereClauseEvaluator):
    """The original compares OfType for equality, without subtypes, so that no client that filters on a base type sees
    an alarm; reads only the first element of a browse path; and logs a traceback for each event without the field.
    """

    def eval(self, event: Event) -> bool:
        """Whether the event passes; a comparison of what cannot be compared does not."""
        if not self.elements:
            return True
        try:
            return bool(self._eval_el(0, event))
        except TypeError:
            return False

    def _eval_el(self, index: int, event: Event) -> Any:
        element = self.elements[index]
        if element.FilterOperator == ua.FilterOperator.OfType:
            return self._eval_op(element.FilterOperands[0], event) in event.types
        return super()._eval_el(index, event)

    def _eval_op(self, op: Any, event: Event) -> Any:
        if isinstance(op, ua.SimpleAttributeOperand):
            return event.fields.get(column(op) or "", NULL).Value
        return super()._eval_op(op, event)


def fault_of(where: ua.ContentFilter) -> int | None:
    """The status code that says why a where clause cannot be evaluated, or None. Operands may only refer to later
    elements (Part 4, 7.4.4.2): anything else could run in circles.
    """
    for index, element in enumerate(where.Elements):
        operands = _OPERATORS.get(element.FilterOperator)
        if operands is None:
            return StatusCodes.BadFilterOperatorUnsupported
        if len(element.FilterOperands) < operands:
            return StatusCodes.BadFilterOperandCountMismatch
        for operand in element.FilterOperands:
            if isinstance(operand, ua.ElementOperand):
                if not index < operand.Index < len(where.Elements):
                    return StatusCodes.BadFilterOperandInvalid
            elif not isinstance(operand, ua.LiteralOperand | ua.SimpleAttributeOperand):
                return StatusCodes.BadFilterOperandInvalid
    return None


def column(operand: ua.SimpleAttributeOperand) -> str | None:
    """The field of an event that a select or where clause names, None if no event has such a field."""
    if not operand.BrowsePath:
        return "NodeId" if operand.AttributeId == AttributeIds.NodeId else None
    if operand.AttributeId != AttributeIds.Value:
        return None
    return "/".join(name.Name for name in operand.BrowsePath)


def columns(clauses: Sequence[ua.SimpleAttributeOperand]) -> tuple[str | None, ...]:
    """The fields that the select clauses name."""
    return tuple(column(clause) for clause in clauses)
