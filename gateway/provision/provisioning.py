"""From a board at a port to one node with one key, whatever has been cut short before.

The order, and why it is this one:

1. What is wanted is checked, and the board is asked what it is and which key it has. Nothing has changed.
2. The name is noted as begun (`Begun`), then the key registered. So whatever key a board has, the registry has had it
   first; and a board without a key is only taken for the rest of an earlier run where there was one.
3. The board ceases to be a node; if it gets another key, the old one goes. From here on a board that is reset waits.
4. All is written, the key last of what is written, and read back.
5. It is noted that the name is no longer just begun: the key is on a board.
6. The board tests itself, and becomes a node by its last write.

A key that the registry has and this board has not may be on another board, and a number under it may have been used
there: it is never written, but replaced by the next (`Step.REKEY`), which makes the old one worthless wherever it is.
So a name has one key, a key one board, and numbers begin at zero with a key and never again.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
from pydantic import ValidationError

from gateway.detectors.bundle import IMAGE_LOOKING
from gateway.provision import micropython_board, node_json, stm32_board
from gateway.provision.boards import Board, BoardFailed, BoardUnfit, Held, Item, Software, Wanted, mark
from gateway.store.keys import NodeKey, Registry

MODEL_NAME = "model.cbor"
"""Of a model on a board, unless node.json has another."""
FOLDER = "provisioning"
_LOOK = 12
"""Of a model-image (nodes/wire/wire.cddl): what its spectrogram is made of."""


class ProvisionRefused(Exception):  # noqa: N818 - a decision, not a failure
    """What the board or the registry has is not to be overwritten without being told."""


class SelfTestFailed(Exception):  # noqa: N818 - it is the board that has failed
    """The board is no node: it waits for another provisioning."""


class Step(enum.Enum):
    """What becomes of the key."""

    KEEP = "the board has its key already"
    ADD = "a new node"
    REKEY = "a new key for a known node"


@dataclass(frozen=True, slots=True)
class Order:
    """What the technician has asked for."""

    name: str
    settings: Any  # what `read` gave
    model: bytes | None
    software: Software | None
    replace: bool  # another node's board, or another board's node, is given up for this


class Begun:
    """Durable note that a name has been given out and is on no board yet: an empty file of that name."""

    def __init__(self, state_dir: Path, name: str) -> None:
        self._folder = state_dir / FOLDER
        self._file = self._folder / name

    def __bool__(self) -> bool:
        return self._file.exists()

    def note(self) -> None:
        """Durable when it returns."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._file.touch(mode=0o600)
        self._sync()

    def clear(self) -> None:
        """If it was there."""
        if self:
            self._file.unlink()
            self._sync()

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def kind_of(file: Path) -> ModuleType:
    """The module (boards.py) for the kind of board that a node.json is for."""
    try:
        board = json.loads(file.read_bytes()).get("board", "")
    except (OSError, ValueError, AttributeError):
        board = ""  # the kind's `read` says what is wrong
    if str(board).startswith("stm32"):
        return stm32_board
    return micropython_board


def with_model(settings: Any, model: bytes | None) -> Any:
    """The settings, checked against the model, and as it wants them where they say nothing. Raises BoardUnfit, with
    every reason.
    """
    if model is None:
        if getattr(settings, "model", None):
            raise BoardUnfit(f"node.json wants a model ({settings.model}), and none is given: --model BUNDLE")
        return settings
    image = cbor2.loads(model)
    version, feature_set, channels, samples = image[:4]
    faults, unsaid = [], {}
    for what, its in (("feature_set", feature_set), ("samples", samples), ("channels", channels)):
        if what in type(settings).model_fields and what not in settings.model_fields_set:
            unsaid[what] = its
        elif its != (ours := getattr(settings, what)):
            faults.append(f"{what}: the model is made for {its}, and node.json says {ours}")
    if version == IMAGE_LOOKING:
        frame, _, _, rows, _ = image[_LOOK]
        if (heard := frame // 2 * (rows + 1)) > samples:
            faults.append(f"the model hears {heard} samples in one go, and a board holds the {samples} of a window")
    if faults:
        raise BoardUnfit("\n".join(faults))
    if unsaid:
        settings = _again(settings, unsaid)
    if isinstance(settings, node_json.NodeJson) and settings.model is None:
        return settings.model_copy(update={"model": MODEL_NAME})
    return settings


def _again(settings: Any, changes: dict[str, Any]) -> Any:
    """Checked as a whole once more: what one key says may not go with another's. Raises BoardUnfit."""
    said = settings.model_dump(exclude_unset=True, mode="json") | changes
    try:
        return type(settings).model_validate_json(json.dumps(said))
    except ValidationError as error:
        reasons = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise BoardUnfit(f"node.json does not go with the model: {reasons}") from error


def decide(
    name: str, held: Held | None, known: NodeKey | None, *, owner: str | None, begun: bool, replace: bool
) -> Step:
    """What becomes of the key of the node `name`. Raises ProvisionRefused.

    `held`: the key on the board, which in the registry is that of the node `owner`, if of any. `known`: the registry's
    for this name. `begun`: this name was given out and has been on no board since.
    """
    if known and held and held.mark == mark(known.kid, known.secret):
        return Step.KEEP if held.counts else Step.REKEY
    ours = known is not None and held is not None and held.kid == known.kid
    if held and not ours and not replace:
        whose = f"{owner}'s" if owner else f"one of another gateway, or of a node that was removed ({held.kid.hex()})"
        raise ProvisionRefused(f"the key on this board is {whose}; --replace makes the board {name} all the same")
    if held is None and known and not begun and not replace:
        raise ProvisionRefused(
            f"{name} is registered, and this board has no key: is it to take the place of the board that has? Then"
            f" --replace gives {name} a new key, and the old one is worth nothing any more"
        )
    return Step.REKEY if known else Step.ADD


def provision(
    board: Board, registry: Registry, state_dir: Path, order: Order, *, now_ms: int, say: Callable[[str], None]
) -> NodeKey:
    """Makes the board the node `order.name`; its key. `say`: told of every step.

    Raises BoardFailed, BoardUnfit, ProvisionRefused, SelfTestFailed, and what Registry raises.
    """
    held, known, begun = board.held(), registry.get(order.name), Begun(state_dir, order.name)
    owner = next((key.name for key in registry.list() if held and key.kid == held.kid), None)
    step = decide(order.name, held, known, owner=owner, begun=bool(begun), replace=order.replace)
    settings, told = board.settled(with_model(order.settings, order.model), order.model, order.software)
    sketch = Wanted(settings, known or NodeKey(order.name, bytes(4), bytes(16), 0, 0), step is not Step.KEEP,
                    order.model, order.software)  # fmt: skip
    board.items(sketch)  # BoardUnfit before anything has changed
    say(f"{order.name}: {step.value}")
    for line in told:
        say(f"{order.name}: {line}")
    if step is not Step.KEEP:
        begun.note()
    key = _key(registry, order.name, step, known, now_ms)
    wanted = replace(sketch, key=key)
    items = board.items(wanted)
    board.stop(forget=wanted.new_key)
    board.tidy(items)
    _write(board, items, say)
    begun.clear()
    _test(board, wanted, say)
    board.start()
    return key


def _key(registry: Registry, name: str, step: Step, known: NodeKey | None, now_ms: int) -> NodeKey:
    if step is Step.KEEP:
        assert known is not None
        return known
    return registry.rekey(name) if step is Step.REKEY else registry.add(name, now_ms=now_ms)


def _write(board: Board, items: tuple[Item, ...], say: Callable[[str], None]) -> None:
    """What is there already is left alone, once it has been read back."""
    written = 0
    for number, item in enumerate(items, 1):
        if board.digest(item.name) != item.digest:
            say(f"{number}/{len(items)} {item.name}, {len(item.data)} bytes")
            board.write(item)
            written += 1
            if board.digest(item.name) != item.digest:
                raise BoardFailed(f"{item.name}: what is read back is not what was written")
    say(f"{len(items)} read back, {written} of them written")


def _test(board: Board, wanted: Wanted, say: Callable[[str], None]) -> None:
    failed = []
    for finding in board.self_test(wanted):
        result = {True: "passed", False: "FAILED", None: "not tried"}[finding.passed]
        say(f"self-test: {finding.what}: {result}" + (f" ({finding.text})" if finding.text else ""))
        if finding.passed is False:
            failed.append(f"{finding.what}: {finding.text}")
    if failed:
        raise SelfTestFailed("\n".join(failed))
