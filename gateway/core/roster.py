"""The roster: settings and registered nodes put together into the Plant that decisions are made on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway import config
from gateway.core.plant import AlarmKind, AlarmText, Asset, Liveness, Node, Plant, Priority, Rescoring, Rule, Scope

LEARNER_MODEL = bytes(32)
"""Stands where a bundle has the hash of its model: each place that is learned has one of its own, in its Scores."""


def plan(
    settings: config.Settings,
    registered: Mapping[str, tuple[bytes, int]],
    models: Mapping[str, bytes],
    previous: Plant | None,
) -> Plant:
    """The Plant. `registered`: node name -> its id and key generation; `models`: bundle name -> hash, broken ones
    absent. Slots of `previous` never move and are never given to another name.
    """
    slots = dict(previous.slots) if previous else {}
    _give_slots(slots, "asset", (a.name for a in settings.asset))
    _give_slots(slots, "node", (n for a in settings.asset for n in a.nodes))
    assets = {a.name: _asset(a, settings.rule, slots[f"asset/{a.name}"]) for a in settings.asset}
    nodes, read = {}, settings.read()
    for asset in settings.asset:
        for name in asset.nodes:
            kid, generation = registered.get(name, (b"", 0))
            model = asset.model_of(name) or (config.CONTEXT if name in read else "")
            nodes[name] = Node(name, kid, asset.name, slots[f"node/{name}"], generation, model)
    if settings.learns:
        models = {**models, config.LEARNER: LEARNER_MODEL, **({config.CONTEXT: LEARNER_MODEL} if read else {})}
    return Plant(
        site=settings.gateway.site,
        assets=assets,
        nodes=nodes,
        alarms={kind: _text(getattr(settings.alarm, kind)) for kind in AlarmKind},
        liveness=Liveness(**settings.liveness.model_dump()),
        rescoring=Rescoring(_ms(settings.rescoring.deadline_s), dict(sorted(models.items()))),
        correlate_ms=_ms(settings.correlation.within_s),
        slots=slots,
    )


def _give_slots(slots: dict[str, int], scope: str, names: Iterable[str]) -> None:
    taken = {slot for key, slot in slots.items() if key.startswith(f"{scope}/")}
    free = max(taken, default=-1) + 1
    for name in names:
        if f"{scope}/{name}" not in slots:
            slots[f"{scope}/{name}"] = free
            free += 1


def _asset(asset: config.Asset, rule: config.Rule, slot: int) -> Asset:
    def own(key: str) -> float:
        value = getattr(asset, key)
        return getattr(rule, key) if value is None else value  # type: ignore[no-any-return]

    differing = {kind: text for kind in AlarmKind if (text := getattr(asset.alarm, kind, None)) is not None}
    return Asset(
        name=asset.name,
        area=asset.area,
        line=asset.line,
        slot=slot,
        rule=Rule(int(own("k")), _ms(own("window_s")), _ms(own("quiet_s"))),
        feeds=asset.feeds,
        alarms={kind: _text(text) for kind, text in differing.items()},
    )


def gateway_alarms() -> Mapping[AlarmKind, AlarmText]:
    """The texts of the gateway's own alarms where the configuration has none."""
    return {kind: _text(config.Alarms.model_fields[kind].default) for kind in AlarmKind if kind.scope is Scope.GATEWAY}


def _text(alarm: config.Alarm) -> AlarmText:
    return AlarmText(
        cause=alarm.cause,
        consequence=alarm.consequence,
        action=alarm.action,
        priority=Priority(alarm.priority),
        response_s=alarm.response_s,
        on_delay_ms=_ms(alarm.on_delay_s),
        off_delay_ms=_ms(alarm.off_delay_s),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
