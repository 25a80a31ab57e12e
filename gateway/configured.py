"""What stethos.toml amounts to before anything runs: settings with their paths in place, models, the plant, faults."""

from __future__ import annotations

import hashlib
import importlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from gateway import config, detectors, extensions, outputs
from gateway.config import Fault, Settings
from gateway.core import roster
from gateway.core.plant import Plant
from gateway.detectors import feature_sets
from gateway.detectors.bundle import BundleBroken
from gateway.detectors.bundle import load as load_bundle
from gateway.detectors.manifest import MANIFEST
from gateway.detectors.signature import Trust
from gateway.runtime import checks, history
from gateway.runtime.credentials import place
from gateway.runtime.learning_how import How, Lessons
from gateway.runtime.reload import Makeup
from gateway.runtime.rescoring import Model
from gateway.store import identity
from gateway.store.keys import FILE_NAME as REGISTRY_FILE
from gateway.store.keys import Registry
from gateway.store.reader import Reader
from gateway.store.schema import FILE_NAME as JOURNAL_FILE
from gateway.store.schema import JournalBroken

Table = TypeVar("Table", bound=BaseModel)
Learned = TypeVar("Learned", config.Learning, config.AssetLearning)

_WHOM_TO_TRUST = ("allow_unsigned", "trusted_keys")
"""Keys of [rescoring] that are about bundles, not about the plant."""


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
    tables = {
        "gateway": gateway,
        "rescoring": rescoring,
        "learning": _from_folder(settings.learning, folder),
        "asset": tuple(
            asset.model_copy(update={"learning": _from_folder(asset.learning, folder)}) for asset in settings.asset
        ),
    }
    return settings.model_copy(update=tables)


def _from_folder(learning: Learned, folder: Path) -> Learned:
    return learning.model_copy(update={"fleet": folder / learning.fleet}) if learning.fleet else learning


def state_dir(text: str, file: Path) -> Path:
    """The state folder that the text of a stethos.toml names, would it stand in `file`; the rest may be faulty. Raises
    ConfigurationFaulty.
    """
    try:
        table = config.Gateway.model_validate(tomllib.loads(text).get("gateway"))
    except ValueError as error:  # also what TOML and pydantic raise
        raise config.ConfigurationFaulty(file, [Fault("gateway", str(error))]) from error
    return file.resolve().parent / table.state_dir


def load_models(
    settings: Settings, loaded: Mapping[str, Model] | None = None
) -> tuple[dict[str, Model], dict[str, BundleBroken]]:
    """The bundles that assets name: those that can be loaded and run, and why the others cannot. A model of `loaded`
    whose bundle is the same to the last byte is kept.
    """
    models, broken, whom = {}, {}, trust(settings)
    for name in settings.models():
        assert settings.rescoring.bundles is not None
        try:
            bundle = load_bundle(settings.rescoring.bundles / name, whom)
            if bundle.name != name:
                raise BundleBroken(bundle.folder / MANIFEST, f"is the bundle {bundle.name!r}, not {name!r}")
            known = (loaded or {}).get(name)
            models[name] = known if known and known.bundle == bundle else Model(bundle, detectors.detector(bundle))
        except BundleBroken as error:
            broken[name] = error
    return models, broken


def learning(settings: Settings) -> Lessons:
    """How the gateway's learner learns of each node. What cannot be read is no fleet: `faults` has named it."""
    own = {
        node: _how(settings.learning_of(asset), asset.context_of(node))
        for asset in settings.asset
        for node in asset.learners
    }
    return Lessons(_how(settings.learning), own, settings.fused())


def _how(found: config.Learning, context: tuple[str, ...] = ()) -> How:
    """With a context there is no fleet, which knows of none."""
    fleet = b""
    if found.fleet is not None and not context:
        with suppress(OSError):
            fleet = found.fleet.read_bytes()
    return How(found.windows, found.false_alarms_a_week, fleet, context)


def unheard(settings: Settings) -> dict[str, list[str]]:
    """Asset -> its nodes that the gateway's learner waits for, or for whose context, and has had no Window of yet."""
    wanted, known = settings.read(), set[str]()
    if (settings.gateway.state_dir / JOURNAL_FILE).exists() and settings.learns:
        learned = importlib.import_module("gateway.runtime.learning")
        with closing(Reader.open(settings.gateway.state_dir)) as reader:
            known = learned.heard_of(reader.places())
    waits = {
        asset.name: [n for n in asset.nodes if (n in asset.learners or n in wanted) and n not in known]
        for asset in settings.asset
    }
    return {asset: nodes for asset, nodes in waits.items() if nodes}


def trust(settings: Settings) -> Trust:
    """Whose bundles this gateway takes: those of its own key, as soon as it has one, and of rescoring.trusted_keys."""
    keys = {bytes.fromhex(key) for key in settings.rescoring.trusted_keys}
    if (settings.gateway.state_dir / identity.KEY_FILE_NAME).exists():
        with suppress(JournalBroken):  # whoever needs the key for more than this will say so
            keys.add(identity.load(settings.gateway.state_dir).public_key)
    return Trust(frozenset(keys), settings.rescoring.allow_unsigned)


def on_trust(settings: Settings, models: Mapping[str, Model]) -> list[str]:
    """Models that are taken only because rescoring.allow_unsigned says so."""
    keys = trust(settings).keys
    return [name for name, model in models.items() if model.bundle.signed_by not in keys]


def link_table(settings: Settings, name: str) -> BaseModel:
    """The settings of one link with its paths in place. KeyError if there is none of that name."""
    table: BaseModel = {link.name: link for link in settings.link}[name]
    return _in_state_dir(table, settings.gateway.state_dir)


def output_table(settings: Settings, name: str) -> BaseModel | None:
    """The settings of one Output with its paths in place; None if it is not configured."""
    table = getattr(settings.output, name, None)
    return None if table is None else _in_state_dir(table, settings.gateway.state_dir)


def _in_state_dir(table: Table, state_dir: Path) -> Table:
    """Relative paths of links and outputs lie in the state folder, or are credentials."""
    paths = {name: place(value, state_dir) for name, value in table if isinstance(value, Path)}
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


def faults(settings: Settings, plant: Plant, broken: Mapping[str, BundleBroken]) -> list[Fault]:
    """What is wrong beyond the file itself, for `stethos check` and for a reload alike. `broken` is from
    `load_models`.
    """
    return [
        *(Fault(f"asset.model {name!r}", str(error)) for name, error in broken.items()),
        *_fleet_faults(settings),
        *_context_faults(settings),
        *checks.unreachable(settings),
        *checks.missing_files(settings),
        *checks.unaddressable(settings, extensions.output_modules(), plant),
    ]


def _fleet_faults(settings: Settings) -> Iterator[Fault]:
    files = {"learning.fleet": settings.learning.fleet if settings.learns else None}
    files |= {f"asset[{i}].learning.fleet": asset.learning.fleet for i, asset in enumerate(settings.asset)}
    for path, file in files.items():
        if file is None:
            continue
        state, prior = (importlib.import_module(f"gateway.detectors.place.{name}") for name in ("state", "prior"))
        try:
            prior.Prior.load(file.read_bytes())
        except OSError as error:
            yield Fault(path, f"{file}: {error.strerror}")
        except state.StateRefused as error:
            yield Fault(path, f"{file}: {error}")


def _context_faults(settings: Settings) -> Iterator[Fault]:
    """Nodes that are told the time of day, and have sent windows that are of no slow readings."""
    told = {
        node: f"asset[{i}].context"
        for i, asset in enumerate(settings.asset)
        for node in asset.learners
        if config.TIME_OF_DAY in asset.context_of(node)
    }
    if not told or not (settings.gateway.state_dir / JOURNAL_FILE).exists():
        return
    learned = importlib.import_module("gateway.runtime.learning_place")
    with closing(Reader.open(settings.gateway.state_dir)) as reader:
        sets = learned.sets_of(reader.places())
    for node, path in told.items():
        if node in sets and sets[node] != feature_sets.SLOW:
            name = feature_sets.NAMES.get(sets[node], sets[node])
            yield Fault(path, f"the time of day is for slow readings, and the windows of {node} are of features {name}")


def makeup(settings: Settings, plant: Plant, models: Mapping[str, Model]) -> Makeup:
    """What a gateway of these settings is made of, the contents of the files that links and outputs name included."""
    parts: dict[str, object] = {}
    shown: dict[str, object] = {}
    for link in settings.link:
        table = link_table(settings, link.name)
        parts[f"link {link.name}"] = (table, _contents(table))
    for name, module in extensions.output_modules().items():
        if (table := output_table(settings, name)) is not None:  # type: ignore[assignment]
            parts[f"output {name}"] = (table, _contents(table))
            shown[f"output {name}"] = getattr(module, "shown", outputs.shown)(plant)
    return Makeup(
        fixed={f"gateway.{key}": value for key, value in settings.gateway},
        live={f"{table}.{key}": value for table, key, value in _taken_over(settings)},
        models={name: model.bundle for name, model in models.items()},
        parts=parts,
        shown=shown,
        plant=plant,
    )


def _taken_over(settings: Settings) -> Iterator[tuple[str, str, object]]:
    """Table, key and value of what is taken over in place and is part of nothing else."""
    for key, value in settings.journal:
        yield "journal", key, value
    for key, value in settings.learning:
        yield "learning", key, value
    yield from (("asset", key, value) for key, value in _of_assets(settings).items())
    for key in _WHOM_TO_TRUST:
        yield "rescoring", key, getattr(settings.rescoring, key)


def described(settings: Settings, models: Mapping[str, Model]) -> str:
    """What is configured beside the Plant, as the journal keeps it: lines "key = JSON", sorted; a model has the SHA-256
    of its manifest, and with it of its files. There are no secrets in it: stethos.toml names the files that hold them.
    """
    lines = [f"{key} = {json.dumps(value, sort_keys=True)}" for key, value in _beside_plant(settings)]
    for name, model in models.items():
        digest = hashlib.sha256(model.bundle.manifest.model_dump_json().encode()).hexdigest()
        lines.append(f'model.{name} = "{digest}"')
    return "\n".join(sorted(lines))


def _beside_plant(settings: Settings) -> Iterator[tuple[str, object]]:
    """Key path -> value, in types that JSON has."""
    tables: dict[str, BaseModel] = {
        "gateway": settings.gateway, "journal": settings.journal, "learning": settings.learning
    }  # fmt: skip
    tables |= {f"link.{table.name}": table for table in settings.link}
    tables |= {f"output.{name}": table for name, table in settings.output if table is not None}
    for path, table in tables.items():
        for key, value in table.model_dump(mode="json").items():
            yield f"{path}.{key}", value
    whom = settings.rescoring.model_dump(mode="json", include=set(_WHOM_TO_TRUST))
    yield from ((f"rescoring.{key}", value) for key, value in whom.items())
    yield from ((f"asset.{key}", value) for key, value in _of_assets(settings).items())


def _of_assets(settings: Settings) -> dict[str, object]:
    """Keys of assets that are not in the plant."""
    own = {asset.name: asset.learning.model_dump(mode="json", exclude_none=True) for asset in settings.asset}
    told = {node: asset.context_of(node) for asset in settings.asset for node in asset.learners}
    return {
        "fused": settings.fused(),
        "learning": {name: keys for name, keys in own.items() if keys},
        "context": {node: list(names) for node, names in told.items() if names},
    }


def _contents(table: BaseModel) -> dict[str, bytes]:
    """Key -> SHA-256 of the file that it names, if that can be read: who uses it will say so if not."""
    found = {}
    for key, value in table:
        if key.endswith(checks.FILE_KEY) and isinstance(value, Path):
            with suppress(OSError):
                found[key] = hashlib.sha256(value.read_bytes()).digest()
    return found


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
