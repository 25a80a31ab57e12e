"""What pydantic finds wrong with a file, by the paths and in the words of the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

SHOWN = 60
"""Characters of a faulty value that are shown."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the configuration."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigurationFaulty(Exception):  # noqa: N818 - it is the operator's fault
    """All faults of a configuration file."""

    def __init__(self, file: Path, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(f"{file}: {fault}" for fault in faults))
        self.file = file
        self.faults = faults


def faults_of(error: ValidationError, data: object, model: type[BaseModel]) -> list[Fault]:
    """What pydantic has found in `data`, a file's tables read as `model`: by the paths and in the words of the file."""
    return _one_a_place(_fault(e, data, model) for e in error.errors() if not _is_echo(e))


def _is_echo(error: Any) -> bool:
    """Pydantic also finds a list too short when it is its items that are faulty."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _one_a_place(faults: Iterable[Fault]) -> list[Fault]:
    """Where a value may be of several kinds, it is reported once, with all of them."""
    messages: dict[str, list[str]] = {}
    for fault in faults:
        messages.setdefault(fault.path, []).append(fault.message)
    return [Fault(path, "; or ".join(said)) for path, said in messages.items()]


def _fault(error: Any, data: object, model: type[BaseModel]) -> Fault:
    loc: list[str | int] = list(error["loc"])
    kind = error["type"]
    path, here = [], data
    for index, part in enumerate(loc):  # the tag of a union is part of pydantic's path, but not of the file's
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int)):
            here = here[part]  # type: ignore[index]
            path.append(part)
        elif kind == "missing" and index == len(loc) - 1:
            path.append(part)
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    match kind:
        case "extra_forbidden":
            return Fault(text, "unknown key" + nearest(str(loc[-1]), _keys(model.model_json_schema(), loc[:-1])))
        case "missing":
            return Fault(text, "is missing")
        case "union_tag_not_found":
            return Fault(f"{text}.{_discriminator(error)}", "is missing")
        case "union_tag_invalid":
            known = re.findall(r"'([^']*)'", error["ctx"]["expected_tags"])
            said = f"there is no {error['ctx']['tag']!r}" + nearest(error["ctx"]["tag"], known)
            return Fault(f"{text}.{_discriminator(error)}", said)
    said, given = error["msg"].removeprefix("Value error, "), repr(error["input"])
    if given in said or (kind == "value_error" and isinstance(error["input"], dict)):  # it has been named
        return Fault(text, said)
    return Fault(text, f"{said}, not {given if len(given) <= SHOWN else given[:SHOWN] + '...'}")


def _discriminator(error: Any) -> str:
    """The key that tells the members of a union apart."""
    return str(error["ctx"]["discriminator"]).strip("'")


def _keys(schema: Mapping[str, Any], loc: Sequence[str | int]) -> list[str]:
    """Valid keys of the table at a place, found in the JSON schema."""
    nodes: list[Mapping[str, Any]] = [schema]
    for part in [*loc, None]:
        open_nodes, nodes = nodes, []
        while open_nodes:  # resolve references and alternatives
            node = open_nodes.pop()
            if ref := node.get("$ref"):
                open_nodes.append(schema["$defs"][ref.rsplit("/", 1)[1]])
            elif alternatives := node.get("anyOf") or node.get("oneOf"):
                open_nodes.extend(alternatives)
            else:
                nodes.append(node)
        if part is None:
            break
        if isinstance(part, int):
            nodes = [n["items"] for n in nodes if "items" in n]
        elif any(part in n.get("properties", {}) for n in nodes):
            nodes = [n["properties"][part] for n in nodes if part in n.get("properties", {})]
        else:  # the tag of a union
            nodes = [n for n in nodes if any(part in _constants(p) for p in n.get("properties", {}).values())]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _constants(schema: Mapping[str, Any]) -> tuple[object, ...]:
    return (schema["const"],) if "const" in schema else tuple(schema.get("enum", ()))


def nearest(word: str, known: Sequence[str]) -> str:
    """What to add to a fault about an unknown word: the one that was probably meant, or all that are known."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"
