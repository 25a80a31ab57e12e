"""An STM32 board at its console, for provisioning (boards.py).

Configuration and model each have two slots on the board. What is written goes into the slot that is not in use, and
waits there; by `start` all of it comes into use at once, by one mark in flash. So `stop` needs to do nothing: until
`start` the board is the node that it was, whole, also after a reset, and what an interrupted provisioning has left
waits for the next one. Of a key that waits no number has been used.

Numbers go on, whatever the key: a new one begins where the one before it ended, so that none is used twice even by a
key that comes back. Records that are not valid begin at zero with a new key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.provision import stm32_json
from gateway.provision.boards import About, BoardFailed, BoardUnfit, Finding, Held, Item, Settled, Software, Wanted
from gateway.provision.stm32_config import CHIPS, STORE_CONFIG, STORE_MODEL, Chip, Head
from gateway.provision.stm32_console import Console, Refused
from gateway.wire.image import manifest_for

CONFIG, MODEL = "configuration", "model"
_STORES = {CONFIG: STORE_CONFIG, MODEL: STORE_MODEL}
_SLOTS = (0, 1)
_NO_DRIVER, _FLASH_REFUSED = 254, 14
_SAMPLES = {6: "samples were overrun", 7: "it does not answer, or failed its own self-test", 255: "no samples"}


def read(file: Path) -> stm32_json.Stm32Json:
    """The checked settings. Raises NodeJsonInvalid."""
    return stm32_json.read(file)


def open_board(device: str, baud: int, wait_s: float) -> Stm32Board | None:
    """The board, once it has been reset by hand or has no configuration; None: no answer within `wait_s`."""
    console = Console.open(device, baud, wait_s)
    return None if console is None else Stm32Board(console)


class Stm32Board:
    """A boards.Board."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._items: tuple[Item, ...] = ()

    def about(self) -> About:
        """Firmware of ours on which chip's board."""
        hello = self._console.hello
        return About(hello.board, f"Stethos {hello.firmware}")

    def held(self) -> Held | None:
        """The key that waits for `start`, else the one in use."""
        slot, waits = self._to_be(STORE_CONFIG)
        found = None if slot is None else self._console.mark(slot)
        if found is None:
            return None
        used = self._console.mark(active) if (active := self._used(STORE_CONFIG)) is not None else None
        begins = waits and (used is None or used != found)
        return Held(*found, counts=begins or self._console.hello.numbers)

    def settled(self, settings: stm32_json.Stm32Json, model: bytes | None, software: Software | None) -> Settled:
        """Every board has the learner."""
        return stm32_json.settled(settings, model=model is not None)

    def items(self, wanted: Wanted) -> tuple[Item, ...]:
        """Model, if there is one, and configuration, which has the key."""
        settings: stm32_json.Stm32Json = wanted.settings
        chip = CHIPS[settings.board]
        faults = []
        if self._console.hello.board != chip.board:
            faults.append(f"node.json is for {chip.board}, and this board is {self._console.hello.board}")
        if wanted.model is not None and len(wanted.model) > _room(chip):
            faults.append(f"the model has {len(wanted.model)} bytes, and the board has room for {_room(chip)}")
        if faults:
            raise BoardUnfit("\n".join(faults))
        page = settings.page(wanted.key, model=wanted.model is not None).pack()
        model = (Item(MODEL, wanted.model),) if wanted.model is not None else ()
        self._items = (*model, Item(CONFIG, page))
        return self._items

    def stop(self, *, forget: bool) -> None:
        """Nothing that is in use is touched before `start`, and the old key goes with it."""

    def tidy(self, items: tuple[Item, ...]) -> None:
        """What is not among these goes with `start`."""
        self._items = items

    def digest(self, name: str) -> bytes | None:
        """Of what will be in use, as the board has read it back just now."""
        store = _STORES[name]
        slot, _ = self._to_be(store)
        if slot is None or not self._console.whole(store, slot):
            return None
        return self._console.head(store, slot).digest

    def write(self, item: Item) -> None:
        """Beside what is in use."""
        store = _STORES[item.name]
        heads = [self._console.head(store, slot) for slot in _SLOTS]
        counter = max(max(head.counter, head.floor) for head in heads) + 1
        self._console.send(store, manifest_for(self._console.hello.board, store, item.data, counter).pack() + item.data)

    def self_test(self, wanted: Wanted) -> Iterator[Finding]:
        """With the configuration that will be in use."""
        slot, _ = self._to_be(STORE_CONFIG)
        if slot is None:
            raise BoardFailed(f"{self._console.device}: there is no configuration to test")
        number = self._console.head(STORE_CONFIG, slot).counter
        yield Finding(CONFIG, True, f"number {number}; over the air the next one is {number + 1}")
        found = self._console.test(slot)
        sensor = wanted.settings.sensor
        if found.sample == 0:
            celsius = "" if found.temperature_cdeg is None else f", {found.temperature_cdeg / 100:.1f} degC"
            yield Finding("sensor", True, f"{sensor}, {found.battery_mv} mV{celsius}")
        elif found.sample == _NO_DRIVER:
            yield Finding("sensor", False, f"no driver for {sensor} with {wanted.settings.channels} channels")
        else:
            yield Finding("sensor", False, f"{sensor}: {_SAMPLES.get(found.sample, f'reply {found.sample}')}")
        if wanted.model is None:
            yield Finding(MODEL, None, "there is none")
        else:
            yield Finding(MODEL, self.digest(MODEL) is not None, "its own test, computed on the board")
        yield Finding("numbers", found.records, "" if found.records else "the flash does not take their records")

    def start(self) -> None:
        """All that waits comes into use, and the board restarts."""
        if self._changes():
            try:
                self._commit()
            except Refused as error:
                if error.reply != _FLASH_REFUSED:
                    raise
                self.write(self._item(CONFIG))  # a word was torn, in which the board notes what follows
                self._commit()
        self._console.restart()

    def close(self) -> None:
        """Gives the port back."""
        self._console.close()

    def _changes(self) -> bool:
        """Something waits, or is to go: then a configuration waits as well, which carries all of it."""
        _, config = self._to_be(STORE_CONFIG)
        _, model = self._to_be(STORE_MODEL)
        drops = not self._has_model() and any(head.counter for head in self._heads(STORE_MODEL))
        if (model or drops) and not config:
            self.write(self._item(CONFIG))
        return config or model or drops

    def _commit(self) -> None:
        slot, _ = self._to_be(STORE_CONFIG)
        used = self._used(STORE_CONFIG)
        assert slot is not None
        new_node = used is None or self._console.mark(used) != self._console.mark(slot)
        model, waits = self._to_be(STORE_MODEL) if self._has_model() else (None, False)
        erase = sum(
            1 << other
            for other, head in enumerate(self._heads(STORE_MODEL))
            if head.counter and other != model and (new_node or model is None)
        )
        self._console.use(slot, new_node=new_node, take_model=model if waits else None, erase_models=erase)

    def _item(self, name: str) -> Item:
        return next(item for item in self._items if item.name == name)

    def _has_model(self) -> bool:
        return any(item.name == MODEL for item in self._items)

    def _heads(self, store: int) -> list[Head]:
        return [self._console.head(store, slot) for slot in _SLOTS]

    def _used(self, store: int) -> int | None:
        """The slot in use: core/slots.h, slots_active."""
        counters = {slot: head.counter for slot, head in enumerate(self._heads(store)) if head.active}
        return max(counters, key=lambda slot: (counters[slot], -slot), default=None)

    def _to_be(self, store: int) -> tuple[int | None, bool]:
        """The slot that `start` would take, and whether it waits for that."""
        heads, used = self._heads(store), self._used(store)
        newest = 0 if used is None else heads[used].counter
        for slot, head in enumerate(heads):
            if head.complete and head.counter > newest:
                return slot, True
        return used, False


def _room(chip: Chip) -> int:
    return chip.size - chip.head
