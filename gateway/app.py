"""The composition root: settings → the parts, wired once, in one TaskGroup."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from pydantic import BaseModel

from gateway import __version__, config, detectors, extensions
from gateway.config import Settings
from gateway.core import roster
from gateway.core.entry import Configured, Started
from gateway.core.plant import Plant
from gateway.detectors.bundle import BundleBroken
from gateway.detectors.bundle import load as load_bundle
from gateway.links import LinkFailed
from gateway.outputs import Output, OutputFailed
from gateway.runtime import history, intake
from gateway.runtime.admission import Admission
from gateway.runtime.clock import Clock
from gateway.runtime.control import Control
from gateway.runtime.decider import Decider
from gateway.runtime.metrics import Metrics
from gateway.runtime.pump import Pump
from gateway.runtime.rescoring import Model, Rescoring
from gateway.runtime.supervision import keep_going
from gateway.store.journal import Journal
from gateway.store.keys import FILE_NAME as REGISTRY_FILE
from gateway.store.keys import Registry
from gateway.store.reader import Reader
from gateway.store.schema import FILE_NAME as JOURNAL_FILE

PRUNE_EVERY_S = 600.0
DAY_MS = 86_400_000

log = structlog.get_logger()

Table = TypeVar("Table", bound=BaseModel)


def load_settings(file: Path) -> Settings:
    """Read stethos.toml with the tables of all links and outputs; its own relative paths begin at its folder.

    Raises ConfigurationFaulty.
    """
    settings = config.load(
        file,
        {name: module.Settings for name, module in extensions.link_modules().items()},
        {name: module.Settings for name, module in extensions.output_modules().items()},
    )
    folder = file.resolve().parent
    gateway = settings.gateway.model_copy(update={"state_dir": folder / settings.gateway.state_dir})
    rescoring = settings.rescoring
    if rescoring.bundles:
        rescoring = rescoring.model_copy(update={"bundles": folder / rescoring.bundles})
    return settings.model_copy(update={"gateway": gateway, "rescoring": rescoring})


def load_models(settings: Settings) -> dict[str, Model]:
    """The bundles that assets name. A broken one is logged and left out: the nodes' claims then stand alone."""
    models, broken = _try_models(settings)
    for name, error in broken.items():
        log.error("a bundle cannot be used; the nodes' claims stand", bundle=name, reason=str(error))
    return models


def _try_models(settings: Settings) -> tuple[dict[str, Model], dict[str, BundleBroken]]:
    """The bundles that assets name: those that can be loaded and run, and why the others cannot."""
    models, broken = {}, {}
    for name in settings.models():
        assert settings.rescoring.bundles is not None
        try:
            bundle = load_bundle(settings.rescoring.bundles / name)
            models[name] = Model(bundle, detectors.detector(bundle))
        except BundleBroken as error:
            broken[name] = error
    return models, broken


class Gateway:
    """The daemon. `run` returns after SIGTERM or SIGINT, or raises what is ours to mend."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        state_dir = settings.gateway.state_dir
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # before the journal, which would let others read it
        self._journal = Journal.open(state_dir)
        self._registry = Registry.open(state_dir)
        self._models = load_models(settings)
        self._clock = Clock(self._journal.last_at_ms)
        self._answers = intake.Answers(metrics, self._clock)
        self._registry_version = -1
        self._decider = Decider(
            self._journal,
            Admission((), self._journal.windows(), self._journal.marks()),
            metrics,
            self._clock,
            group_ms=settings.journal.group_ms,
            snapshot_entries=settings.journal.snapshot_entries,
            heard=lambda heard: self._answers.heard(heard, self._decider.admission, self._knows_schedule),
            refresh=self._refresh,
        )
        self._pumps = [
            Pump(name, make, self._decider, state_dir, self._journal.gateway_id, metrics)
            for name, make in _outputs(settings).items()
        ]
        metrics.engine(lambda: self._decider.engine.ledger.counters)

    async def run(self) -> None:
        """Run until told to stop; then everything that was accepted is decided and durable."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        try:
            await self._decider.put(Started(__version__))
            async with asyncio.TaskGroup() as tasks:
                decider = tasks.create_task(self._decider.run(), name="decider")
                parts = [tasks.create_task(work, name=name) for name, work in self._parts()]
                log.info("running", site=self._settings.gateway.site, version=__version__)
                await stop.wait()
                log.info("stopping")
                for part in parts:
                    part.cancel()
                await asyncio.gather(*parts, return_exceptions=True)
                await self._decider.finish()
                await decider
        finally:
            self._decider.close()
            self._journal.close()
            self._registry.close()

    def _parts(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        metrics, settings = self._metrics, self._settings
        parts: list[tuple[str, Coroutine[None, None, None]]] = [
            ("control", Control(settings.gateway.state_dir, self._decider).run()),
            ("rescoring", Rescoring(self._decider, self._models, metrics).run()),
            ("housekeeping", self._keep_house()),
        ]
        for link_settings in settings.link:
            name, count = link_settings.name, metrics.link(link_settings.name)
            table = _in_state_dir(link_settings, settings.gateway.state_dir)
            link = extensions.link_modules()[link_settings.type].Link(table, count)
            session = partial(intake.session, name, link, self._decider, count)
            parts.append((f"link {name}", keep_going("link", name, session, LinkFailed, count)))
        for pump in self._pumps:
            parts.append(
                (f"output {pump.name}", keep_going("output", pump.name, pump.session, OutputFailed, pump.count))
            )
        return parts

    def _refresh(self, again: bool) -> Configured | None:
        """The registry may have been changed by another process at any time; a changed plant is an entry."""
        version = self._registry.version()
        if version == self._registry_version and not again:
            return None
        keys = self._registry.list()
        self._registry_version = version
        self._decider.admission.take_over(keys)
        plant = self.plan(self._settings, {key.name: (key.kid, key.key_generation) for key in keys})
        return Configured(plant) if plant != self._decider.engine.plant else None

    def plan(self, settings: Settings, registered: Mapping[str, tuple[bytes, int]]) -> Plant:
        """The plant of these settings, addresses and all."""
        hashes = {name: model.bundle.model_sha256 for name, model in self._models.items()}
        return roster.plan(settings, registered, hashes, self._decider.engine.plant)

    def _knows_schedule(self, node: str) -> bool:
        state = self._decider.engine.nodes.nodes.get(node)
        return state is None or state.schedule.heartbeat_ms > 0

    async def _keep_house(self) -> None:
        keep = self._settings.journal
        while True:
            never_past = min((pump.cursor for pump in self._pumps), default=self._decider.committed_id)
            deleted = await self._decider.prune(never_past, int(keep.keep_days * DAY_MS), keep.keep_mb << 20)
            if deleted:
                log.info("old entries were let go", entries=deleted)
            await asyncio.sleep(PRUNE_EVERY_S)


def _outputs(settings: Settings) -> dict[str, Callable[[], Output]]:
    """Name -> maker of each Output that is configured."""
    makers: dict[str, Callable[[], Output]] = {}
    for name, module in extensions.output_modules().items():
        table = output_table(settings, name)
        if table is not None:
            makers[name] = partial(module.Output, table)
    return makers


def output_table(settings: Settings, name: str) -> BaseModel | None:
    """The settings of one Output with its paths in place; None if it is not configured."""
    table = getattr(settings.output, name, None)
    return None if table is None else _in_state_dir(table, settings.gateway.state_dir)


def _in_state_dir(table: Table, state_dir: Path) -> Table:
    """Relative paths of links and outputs lie in the state folder."""
    paths = {name: state_dir / value for name, value in table if isinstance(value, Path)}
    return table.model_copy(update=paths)


def configured_plant(settings: Settings) -> Plant:
    """The plant as a gateway started now would have it, without starting one: slots of the journal, if there is one."""
    state_dir = settings.gateway.state_dir
    previous, registered = None, {}
    if (state_dir / JOURNAL_FILE).exists():
        reader = Reader.open(state_dir)
        previous = history.present(reader).plant
        reader.close()
    if (state_dir / REGISTRY_FILE).exists():
        registry = Registry.open(state_dir)
        registered = {key.name: (key.kid, key.key_generation) for key in registry.list()}
        registry.close()
    return roster.plan(settings, registered, {}, previous)


def tag_table(settings: Settings) -> list[dict[str, str]]:
    """Every Tag with its type, unit, description, and its address in each configured Output."""
    plant = configured_plant(settings)
    columns = {}
    for name, module in extensions.output_modules().items():
        table = output_table(settings, name)
        if table is not None:
            columns[name] = module.addresses(plant, table)
    return [
        {
            "tag": str(tag),
            "type": str(kind.kind),
            "unit": kind.unit,
            **{name: addresses[tag] for name, addresses in columns.items()},
            "description": kind.description + (f" ({', '.join(kind.states)})" if kind.states else ""),
        }
        for tag, kind in plant.tags()
    ]


def check(settings: Settings) -> list[str]:
    """What is wrong beyond the file itself: bundles that cannot be loaded or run."""
    _, broken = _try_models(settings)
    return [f"asset.model {name!r}: {error}" for name, error in broken.items()]
