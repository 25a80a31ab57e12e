"""stethos.toml → frozen, typed settings. Every fault is reported at once, each with its key path.

Links and outputs bring their own tables: `load` is handed their Settings classes, so that a new link or output needs
no line here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Union

from pydantic import BaseModel, Field, ValidationError, create_model

from gateway.config.contradictions import contradictions
from gateway.config.faults import ConfigurationFaulty, Fault, faults_of
from gateway.config.tables import (
    CONTEXT,
    LEARNER,
    MOST_CONTEXT,
    MOST_FUSED,
    TIME_OF_DAY,
    Alarm,
    Alarms,
    Asset,
    AssetLearning,
    Gateway,
    Journal,
    Learning,
    Rule,
    Settings,
    Table,
    split_endpoint,
)

__all__ = [
    "CONTEXT", "LEARNER", "MOST_CONTEXT", "MOST_FUSED", "TIME_OF_DAY", "Alarm", "Alarms", "Asset", "AssetLearning",
    "ConfigurationFaulty", "Fault", "Gateway", "Journal", "Learning", "Rule", "Settings", "faults_of", "load",
    "split_endpoint",
]  # fmt: skip


def load(file: Path, links: Mapping[str, type[BaseModel]], outputs: Mapping[str, type[BaseModel]]) -> Settings:
    """Read a configuration. `links` and `outputs`: type name -> its Settings. Raises ConfigurationFaulty."""
    model = _model(links, outputs)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationFaulty(file, [Fault("", str(error))]) from error
    faults: list[Fault] = []
    settings = None
    try:
        settings = model.model_validate(data)
    except ValidationError as error:
        faults += faults_of(error, data, model)
    faults += contradictions(data)
    if settings is None or faults:
        raise ConfigurationFaulty(file, list(dict.fromkeys(faults)))
    return settings


def _model(links: Mapping[str, type[BaseModel]], outputs: Mapping[str, type[BaseModel]]) -> type[Settings]:
    """Settings with the tables of the links and outputs that are there."""
    kinds = tuple(links[name] for name in sorted(links))
    one_link: Any = Annotated[Union[kinds], Field(discriminator="type")] if len(kinds) > 1 else kinds[0]  # noqa: UP007
    fields: dict[str, Any] = {name: (outputs[name] | None, None) for name in sorted(outputs)}
    all_outputs = create_model("Outputs", __base__=Table, **fields)
    fields = {"link": (tuple[one_link, ...], Field(min_length=1, strict=False)), "output": (all_outputs, all_outputs())}
    return create_model("Settings", __base__=Settings, **fields)
