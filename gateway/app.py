"""The composition root: settings → the parts, wired once; a reload stops, starts and re-wires only what has changed."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from gateway import __version__, configured, extensions
from gateway.config import ConfigurationFaulty, Fault, Settings
from gateway.core import roster
from gateway.core.entry import Configured, Started
from gateway.core.plant import Plant
from gateway.links import LinkFailed
from gateway.outputs import Output, OutputFailed
from gateway.runtime import intake
from gateway.runtime.admission import Admission
from gateway.runtime.clock import Clock
from gateway.runtime.control import Control
from gateway.runtime.decider import Decider
from gateway.runtime.housekeeping import Housekeeping
from gateway.runtime.inbound import Places
from gateway.runtime.metrics import Metrics
from gateway.runtime.parts import Parts
from gateway.runtime.pump import Pump
from gateway.runtime.reload import RESTART_ONLY, Difference, Makeup, Reloaded, Reloads, difference
from gateway.runtime.rescoring import Learners, Model, Rescoring
from gateway.runtime.service import Service, status
from gateway.runtime.supervision import keep_going
from gateway.store.journal import Journal
from gateway.store.keys import NodeKey, Registry
from gateway.store.schema import JournalFull

DECIDER, RELOADS = "decider", "reloads"

log = structlog.get_logger()

COLLECT_AFTER = 50_000  # objects more than there were: cycles are rare here, and looking for them is not free


class Gateway:
    """The daemon. `run` returns after SIGTERM or SIGINT, or raises PartFailed: what is ours to mend. SIGHUP reloads."""

    def __init__(self, config_file: Path, settings: Settings, metrics: Metrics) -> None:
        self._config_file = config_file
        self._settings = settings
        self._metrics = metrics
        self.parts = Parts(metrics.event)
        state_dir = settings.gateway.state_dir
        self._journal = Journal.open(state_dir)
        self._registry = Registry.open(state_dir)
        self._models, broken = configured.load_models(settings)
        for name, error in broken.items():
            log.error("a bundle cannot be used; the nodes' claims stand", bundle=name, reason=str(error))
        self._name_taken_on_trust()
        self._clock = Clock(self._journal.last_at_ms)
        self._answers = intake.Answers(metrics, self._clock)
        self._learners: Learners | None = None
        self._let_learn(settings)
        self._registry_version = -1
        self._strangers = asyncio.Event()
        self._decider = Decider(
            self._journal,
            Admission((), self._journal.windows(), self._journal.marks()),
            metrics,
            self._clock,
            group_ms=settings.journal.group_ms,
            snapshot_entries=settings.journal.snapshot_entries,
            acknowledged_learns=settings.learning.acknowledged_learns,
            heard=lambda heard: self._answers.heard(
                heard,
                self._decider.admission,
                self._knows_schedule,
                self._decider.engine.mail.boxes.get,
                self._decider.images.get,
            ),
            refresh=self._refresh,
        )
        self._reloads = Reloads(self._reload)
        self._service = Service.of(os.environ, metrics.event)
        self._pumps: dict[str, Pump] = {}
        self._makeup: Makeup | None = None  # as the parts were started
        metrics.engine(lambda: self._decider.engine.ledger.counters)

    async def run(self) -> None:
        """Run until told to stop; then everything that was accepted is decided and durable."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self.parts.end)
        loop.add_signal_handler(signal.SIGHUP, self._reloads.ask)
        try:
            await self._decider.put(Started(__version__))
            self._start_parts()
            log.info("running", site=self._settings.gateway.site, version=__version__)
            await self.parts.wait()
            log.info("stopping")
            await self._service.stopping()
            await self.parts.stop(RELOADS)  # before it starts anything more
            await self.parts.stop(*(name for name in self.parts.names if name != DECIDER))
            if self.parts.runs(DECIDER):
                if self._learners:
                    await self._decider.put(Places(self._learners.states()))
                await self._decider.finish()
                await self.parts.finished(DECIDER)
        finally:
            self._decider.close()
            self._journal.close()
            self._registry.close()
        if self.parts.failure:
            raise self.parts.failure

    def _start_parts(self) -> None:
        state_dir, start = self._settings.gateway.state_dir, self.parts.start
        start(DECIDER, self._decider.run())
        start("control", Control(state_dir, self._decider, self._reloads.ask).run())
        start(RELOADS, self._reloads.run())
        start("rescoring", Rescoring(self._decider, self._models, self._metrics, lambda: self._learners).run())
        start("housekeeping", self._housekeeping().run())
        start("strangers", self._forget_strangers())
        plant = self._plan(self._settings, self._models, self._registry.list())
        self._makeup = configured.makeup(self._settings, plant, self._models)
        for name in self._makeup.parts:
            self._start(name)
        self._mark_beginnings()
        settled = [pump.settled for pump in self._pumps.values()]
        start("settling", _settle(settled))
        start("service", self._service.attend(settled, self._decider.pulse, self._status))

    def _mark_beginnings(self) -> None:
        """An Output that has never been served follows from before this run's first message, which is kept with the
        first commit: what is accepted before the Output is up is not lost to it if the power goes then.
        """
        known = self._journal.marks()  # the decider has not begun
        for pump in self._pumps.values():
            if pump.mark_name not in known:
                self._decider.mark(pump.mark_name, self._decider.committed_event)

    def _housekeeping(self) -> Housekeeping:
        return Housekeeping(
            self._settings.gateway.state_dir, self._decider, self._pumps, lambda: self._settings.journal,
            self._metrics, self._clock,
        )  # fmt: skip

    def _status(self) -> str:
        return status(self._decider, self._pumps.values())

    def _start(self, part: str) -> None:
        """Start a link or an Output by its name in a Makeup."""
        kind, _, name = part.partition(" ")
        if kind == "link":
            count = self._metrics.link(name)
            table = configured.link_table(self._settings, name)
            link = extensions.link_modules()[table.type].Link(table, count)  # type: ignore[attr-defined]
            session = partial(intake.session, name, link, self._decider, count)
            self.parts.start(part, keep_going(kind, name, session, LinkFailed, count))
            return
        pump = self._pumps[name] = self._pump(name)
        self.parts.start(part, keep_going(kind, name, pump.session, OutputFailed, pump.count))

    def _pump(self, name: str) -> Pump:
        """The one that an Output has, or is to have."""
        journal = self._settings.gateway.state_dir
        return self._pumps.get(name) or Pump(
            name, partial(self._output, name), self._decider, journal, self._journal.gateway_id, self._metrics
        )

    def _output(self, name: str) -> Output:
        """An Output as configured now."""
        made: Output = extensions.output_modules()[name].Output(configured.output_table(self._settings, name))
        return made

    async def _reload(self) -> Reloaded:
        """Take over the configuration file as it is now, or say why not: then nothing has changed."""
        log.info("reloading", file=str(self._config_file))
        await self._service.reloading()
        try:
            outcome = await self._take_over_file()
        except ConfigurationFaulty as error:
            outcome = Reloaded(faults=tuple(map(str, error.faults)))
        for fault in outcome.faults:
            log.error("the configuration is refused, nothing has changed", file=str(self._config_file), fault=fault)
        if not outcome.faults:
            log.info("reloaded", changed=outcome.changed)
        self._metrics.event("reload_refused" if outcome.faults else "reloaded")
        refused = f"the changed configuration is refused: {'; '.join(outcome.faults)}" if outcome.faults else ""
        await self._service.reloaded(refused)
        return outcome

    async def _take_over_file(self) -> Reloaded:
        assert self._makeup
        settings = await asyncio.to_thread(configured.load_settings, self._config_file)
        models, broken = await asyncio.to_thread(configured.load_models, settings, self._models)
        plant = self._plan(settings, models, self._registry.list())
        faults = await asyncio.to_thread(configured.faults, settings, plant, broken)
        if faults:
            return Reloaded(faults=tuple(map(str, faults)))
        makeup = await asyncio.to_thread(configured.makeup, settings, plant, models)
        in_force = replace(self._makeup, plant=self._decider.engine.plant or plant)  # the registry changes it, too
        change = difference(in_force, makeup)
        if change.refused:
            return Reloaded(faults=tuple(str(Fault(key, RESTART_ONLY)) for key in change.refused))
        if change.told() and not await self._enter(settings, models, change):
            return Reloaded(faults=("the journal cannot be written, so the change cannot be entered in it",))
        self._makeup = makeup
        self._name_taken_on_trust()
        await self._rewire(change)
        return Reloaded(change.told())

    def _name_taken_on_trust(self) -> None:
        for name in configured.on_trust(self._settings, self._models):
            log.warning("a bundle is used that nobody trusted has signed", bundle=name)

    async def _enter(self, settings: Settings, models: Mapping[str, Model], change: Difference) -> bool:
        """Put settings in force and journal them. False: it cannot be, all is as before."""
        before = self._settings, dict(self._models)

        def in_force() -> Configured:
            self._adopt(settings, models)
            return self._configured(self._registry.list(), change.told())

        try:
            await self._decider.configure(in_force, await self._beginnings(change.start))
        except JournalFull:
            self._adopt(*before)
            return False
        return True

    async def _beginnings(self, parts: Sequence[str]) -> dict[str, int]:
        """The first marks of Outputs that have never been served. They are kept with the entry that adds them, so that
        nothing decided after it is lost to them, whenever they are up. Raises JournalFull.
        """
        names = [name for kind, _, name in (part.partition(" ") for part in parts) if kind == "output"]
        wanted = {self._pump(name).mark_name for name in names}
        return dict.fromkeys(wanted - (await self._decider.marks()).keys(), self._decider.committed_event)

    def _adopt(self, settings: Settings, models: Mapping[str, Model]) -> None:
        self._settings = settings
        self._let_learn(settings)
        self._models.clear()  # the same mapping: rescoring looks into it
        self._models.update(models)
        self._registry_version = -1  # ask again what the plant is

    async def _rewire(self, change: Difference) -> None:
        """All that stops comes first: what starts may take its port."""
        await self.parts.stop(*change.stop, *change.restart)
        for part in change.stop:
            kind, _, name = part.partition(" ")
            if kind == "output":
                del self._pumps[name]
                self._metrics.lag.remove(name)
        for part in (*change.restart, *change.start):
            self._start(part)
        journal, learning = self._settings.journal, self._settings.learning
        self._decider.tune(journal.group_ms, journal.snapshot_entries, acknowledged_learns=learning.acknowledged_learns)

    def _refresh(self, again: bool) -> Configured | None:
        """The registry may have been changed by another process at any time, and the file before a start: a changed
        configuration is an entry.
        """
        version = self._registry.version()
        if version == self._registry_version and not again:
            return None
        keys = self._registry.list()
        self._registry_version = version
        self._decider.admission.take_over(keys)
        self._strangers.set()
        wanted, known = self._configured(keys), self._decider.configured
        changed = wanted.plant != self._decider.engine.plant or known is None or wanted.settings != known.settings
        return wanted if changed else None

    def _configured(self, keys: tuple[NodeKey, ...], changes: tuple[str, ...] = ()) -> Configured:
        """What is in force now, as an entry."""
        plant = self._plan(self._settings, self._models, keys)
        return Configured(plant, configured.described(self._settings, self._models), changes)

    def _plan(self, settings: Settings, models: Mapping[str, Model], keys: tuple[NodeKey, ...]) -> Plant:
        """The plant of these settings, addresses and all."""
        registered = {key.name: (key.kid, key.key_generation) for key in keys}
        hashes = {name: model.bundle.model_sha256 for name, model in models.items()}
        return roster.plan(settings, registered, hashes, self._decider.engine.plant)

    def _let_learn(self, settings: Settings) -> None:
        """Most gateways have no learner of their own, and do without numpy."""
        if not settings.learns:
            return
        learning = importlib.import_module("gateway.runtime.learning")
        lessons = configured.learning(settings)
        if self._learners:
            self._learners.tune(lessons)
        else:
            self._learners = learning.Learners(
                self._journal.places(), self._learn_from, lessons, self._learn_ordered, self._form
            )

    def _learn_from(self, node: str) -> int:
        state = self._decider.engine.nodes.nodes.get(node)
        return state.learn_from if state else 0

    def _learn_ordered(self, node: str) -> bool:
        state = self._decider.engine.nodes.nodes.get(node)
        return state is not None and state.learn_ordered

    def _form(self, node: str) -> object:
        """What a node's Birth says of its windows."""
        form = importlib.import_module("gateway.detectors.place.form").Form
        state = self._decider.engine.nodes.nodes.get(node)
        return form(samples=state.samples, rate_millihz=state.rate_millihz) if state else form()

    def _knows_schedule(self, node: str) -> bool:
        state = self._decider.engine.nodes.nodes.get(node)
        return state is None or state.schedule.heartbeat_ms > 0

    async def _forget_strangers(self) -> None:
        """Windows of keys that were removed or replaced leave the journal: no key comes back (store/keys.py)."""
        while True:
            await self._strangers.wait()
            self._strangers.clear()
            await self._decider.forget_strangers()


async def _settle(settled: Sequence[asyncio.Event]) -> None:
    """What a start has made stays until the end: no collection looks at it, neither now, nor later, when an alarm would
    wait for it. What a group of messages makes goes without one; the usual threshold of 700 objects looks for cycles
    several times in each group, and was a tenth of all work.
    """
    gc.disable()
    try:
        for event in settled:
            await event.wait()
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, 10, 10)
    finally:
        gc.enable()
