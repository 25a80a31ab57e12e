"""What each table of stethos.toml alone cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from gateway.config.faults import Fault, nearest
from gateway.config.tables import LEARNER, MOST_FUSED, TIME_OF_DAY, Asset, Liveness, Rescoring, Rule, Table

_T = TypeVar("_T", bound=Table)


def _sound(table: type[_T], data: object) -> _T | None:
    """A table read by itself; None if it is faulty, which has been said by then."""
    try:
        return table.model_validate(data)
    except ValidationError:
        return None


def _table(data: Mapping[str, Any], name: str) -> object:
    return data.get(name, {})


def _tables(data: Mapping[str, Any], name: str) -> list[object]:
    tables = data.get(name)
    return tables if isinstance(tables, list) else []


def _names(tables: Sequence[object]) -> list[object]:
    return [table.get("name") if isinstance(table, dict) else None for table in tables]


def contradictions(data: Mapping[str, Any]) -> Iterator[Fault]:
    """All that there are, as far as the tables that they are about are sound."""
    yield from _name_clashes(data)
    rule, rescoring = _sound(Rule, _table(data, "rule")), _sound(Rescoring, _table(data, "rescoring"))
    names = [str(name) for name in _names(_tables(data, "asset"))]
    owner: dict[str, str] = {}
    for index, table in enumerate(_tables(data, "asset")):
        if (asset := _sound(Asset, table)) is None:
            continue
        path = f"asset[{index}]"
        for node in asset.nodes:
            if node in owner:
                yield Fault(f"{path}.nodes", f"node {node!r} belongs to asset {owner[node]!r} already")
            owner[node] = asset.name
        for fed in asset.feeds:
            if fed == asset.name:
                yield Fault(f"{path}.feeds", "an asset does not feed itself")
            elif fed not in names:
                yield Fault(f"{path}.feeds", f"no asset {fed!r}" + nearest(fed, names))
        k = asset.k if asset.k is not None or rule is None else rule.k
        if k is not None and k > len(asset.nodes):
            yield Fault(f"{path}.k", f"{k} of {len(asset.nodes)} nodes can never be reached")
        models = {asset.model} if isinstance(asset.model, str) else set(asset.model.values())
        if models - {"", LEARNER} and rescoring and rescoring.bundles is None:
            yield Fault(f"{path}.model", "names a bundle, but rescoring.bundles names no folder")
        if asset.fused and not 2 <= len(asset.learners) <= MOST_FUSED:
            said = f'2 to {MOST_FUSED} nodes with model "learner" can be judged together, not {len(asset.learners)}'
            yield Fault(f"{path}.fused", said)
        for node in asset.model if isinstance(asset.model, dict) else ():
            if node not in asset.nodes:
                yield Fault(f"{path}.model.{node}", f"no node of this asset{nearest(node, asset.nodes)}")
    yield from _contexts(data)
    live = _sound(Liveness, _table(data, "liveness"))
    if live and not live.late_after <= live.stale_after < live.lost_after:
        yield Fault("liveness", "late_after, stale_after and lost_after must rise")


def _name_clashes(data: Mapping[str, Any]) -> Iterator[Fault]:
    for kind in ("asset", "link"):
        names = _names(_tables(data, kind))
        for index, name in enumerate(names):
            if name is not None and names.index(name) != index:
                yield Fault(f"{kind}[{index}].name", f"{kind} {name!r} is already there")


def _contexts(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Of what learners are told that nobody can tell them, or that goes with nothing else that is wanted of them."""
    assets = [_sound(Asset, table) for table in _tables(data, "asset")]
    models = {node: asset.model_of(node) for asset in assets if asset for node in asset.nodes}
    for index, asset in enumerate(assets):
        if asset is None or not asset.context:
            continue
        path = f"asset[{index}].context"
        if asset.fused:
            yield Fault(path, "nodes that are judged by what the others say (fused) have no context beside")
        if asset.learning.fleet:
            yield Fault(f"asset[{index}].learning.fleet", "a fleet knows nothing of an asset's context")
        if not asset.learners:
            yield Fault(path, f'is for nodes with model "{LEARNER}"')
        for node in asset.context if isinstance(asset.context, dict) else ():
            if node not in asset.learners:
                said = f'has no model "{LEARNER}"' if node in asset.nodes else "no node of this asset"
                yield Fault(f"{path}.{node}", said + ("" if node in asset.nodes else nearest(node, asset.nodes)))
        yield from _sources(path, asset, models)


def _sources(path: str, asset: Asset, models: Mapping[str, str]) -> Iterator[Fault]:
    given = asset.context if isinstance(asset.context, dict) else {"": asset.context}
    for node, names in given.items():
        here = f"{path}.{node}" if node else path
        for name in dict.fromkeys(names):
            source = name.split("/")[0]
            if names.count(name) > 1:
                yield Fault(here, f"{name!r} is there twice")
            if source == TIME_OF_DAY:
                continue
            if source not in models:
                yield Fault(here, f"no node {source!r}" + nearest(source, list(models)))
            elif source == node:
                yield Fault(here, "a node is no context of itself")
            elif models[source] not in ("", LEARNER):
                yield Fault(here, f"the windows of {source} go to the bundle {models[source]!r}")
