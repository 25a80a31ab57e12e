"""stethos.toml → frozen, typed settings. Every fault is reported at once, each with its key path.

Links and outputs bring their own tables: `load` is handed their Settings classes, so that a new link or output needs
no line here.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""Names of sites, areas, lines, assets and nodes: they become topics, NodeIds and file names."""

BundleName = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]
"""Folder of a Bundle; "" for none."""

LEARNER = "learner"
"""In place of a bundle's name: the gateway itself learns what is normal at the node's place."""

MOST_FUSED = 6
"""Nodes of an asset that can be judged together (gateway/detectors/fusion.py)."""

PublicKey = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""A raw Ed25519 public key in hexadecimal, as `stethos model keygen` prints it."""

Seconds = Annotated[float, Field(ge=0, le=31_536_000)]
Span = Annotated[float, Field(gt=0, le=31_536_000)]


def split_endpoint(text: str) -> tuple[str, int]:
    """`host:port` or `[IPv6 address]:port` -> host, port; ValueError if it is not of that form."""
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError('write it as "host:port"')
    return host.removeprefix("[").removesuffix("]"), int(port)


def _endpoint_or_nothing(text: str) -> str:
    if text:
        split_endpoint(text)
    return text


def _sentence(text: str) -> str:
    for name in re.findall(r"\{(.*?)\}", text):
        if name not in ("asset", "node"):
            raise ValueError(f"{{{name}}} stands for nothing; {{asset}} and {{node}} do")
    return text


def _words(text: str) -> str:
    if "{" in text:
        raise ValueError("an alarm of the gateway has no {asset} and no {node}")
    return text


Sentence = Annotated[str, Field(min_length=1), AfterValidator(_sentence)]
"""What a person is told; `{asset}` and `{node}` stand for the names."""

Words = Annotated[str, Field(min_length=1), AfterValidator(_words)]
"""What a person is told about the gateway itself."""


class _Table(BaseModel):
    """A table of stethos.toml. Types are strict: "60" is no number; lists and paths, which TOML lacks, are not."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Gateway(_Table):
    """[gateway]"""

    site: Name
    state_dir: Path = Field(Path("/var/lib/stethos"), strict=False)
    log: Literal["debug", "info", "warning", "error"] = "info"
    metrics: Annotated[str, AfterValidator(_endpoint_or_nothing)] = Field(
        "127.0.0.1:9464", description="host:port of the Prometheus endpoint; empty for none"
    )


class Rule(_Table):
    """[rule], and the same keys in an [[asset]]: k of n nodes within a sliding window of event time."""

    k: int = Field(2, ge=1, le=255)
    window_s: Span = 60
    quiet_s: Span = 120


class Alarm(_Table):
    """[alarm.<kind>], and [asset.alarm.<kind>] where an asset differs. An alarm says what to do, or is refused."""

    cause: Sentence
    consequence: Sentence
    action: Sentence
    priority: Literal["low", "medium", "high", "critical"]
    response_s: int = Field(ge=1, description="within which a person must act")
    on_delay_s: Seconds = 0
    off_delay_s: Seconds = 0


class GatewayAlarm(Alarm):
    """[alarm.<kind>] of an alarm of the gateway itself: there is nothing in it to be named."""

    cause: Words
    consequence: Words
    action: Words


JOURNAL_SPACE = GatewayAlarm(
    cause="The gateway's disk, or the room that its journal may take, is nearly full.",
    consequence="When it is full the gateway accepts nothing more: nodes keep what they have, and the oldest is lost.",
    action="Free disk space on the gateway, or give the journal more with journal.keep_mb.",
    priority="high",
    response_s=3600,
)
OUTPUT_BEHIND = GatewayAlarm(
    cause="An output cannot deliver: nearly as many events wait for it as the gateway keeps.",
    consequence="The oldest events that it has not delivered are given up. MQTT peers are told which, a PLC is not.",
    action="See to the broker, PLC or network of the output that is named, or raise journal.keep_events or keep_mb.",
    priority="medium",
    response_s=3600,
)


class Alarms(_Table):
    """[alarm]: one table for each kind of alarm; the gateway's own have a text already."""

    anomaly: Alarm
    node_lost: Alarm
    sensor_fault: Alarm
    journal_space: GatewayAlarm = JOURNAL_SPACE
    output_behind: GatewayAlarm = OUTPUT_BEHIND


class AssetAlarms(_Table):
    """[asset.alarm]: kinds that this asset words or times differently."""

    anomaly: Alarm | None = None
    node_lost: Alarm | None = None
    sensor_fault: Alarm | None = None


class Asset(_Table):
    """[[asset]]: a machine or a room."""

    name: Name
    area: Name
    line: Name
    nodes: tuple[Name, ...] = Field(min_length=1, strict=False)
    feeds: tuple[Name, ...] = Field((), strict=False)
    model: BundleName | dict[Name, BundleName] = Field(
        "", description="bundle that re-scores its nodes, or one for each node; learner: the gateway's own learner"
    )
    fused: bool = Field(
        False, description="nodes with the gateway's own learner are judged by what the others say, too"
    )
    k: int | None = Field(None, ge=1, le=255)
    window_s: Span | None = None
    quiet_s: Span | None = None
    alarm: AssetAlarms = AssetAlarms()

    def model_of(self, node: str) -> str:
        """Name of the bundle that re-scores one of its nodes; "" for none."""
        return self.model if isinstance(self.model, str) else self.model.get(node, "")

    @property
    def learners(self) -> list[str]:
        """Its nodes at whose places the gateway learns."""
        return [node for node in self.nodes if self.model_of(node) == LEARNER]


class Correlation(_Table):
    """[correlation]"""

    within_s: Seconds = 120


class Liveness(_Table):
    """[liveness]: how many of its own heartbeats a node may miss."""

    tolerance_pct: int = Field(10, ge=0, le=100)
    late_after: int = Field(1, ge=1)
    stale_after: int = Field(2, ge=1)
    lost_after: int = Field(4, ge=2)


class Rescoring(_Table):
    """[rescoring]"""

    bundles: Path | None = Field(None, strict=False, description="folder that holds one Bundle folder per model")
    trusted_keys: tuple[PublicKey, ...] = Field((), strict=False, description="whose bundles are taken beside its own")
    allow_unsigned: bool = Field(False, description="take bundles that nobody trusted has signed")
    deadline_s: Seconds = 5


class Learning(_Table):
    """[learning]: of nodes whose model is "learner"."""

    windows: int = Field(240, ge=24, le=10_000, description="from so many it learns what is normal")
    false_alarms_a_week: float = Field(1, gt=0, le=10_000, description="wanted of a node whose machine is well")
    fleet: Path | None = Field(None, strict=False, description="what is known of like machines: stethos learner merge")


class Journal(_Table):
    """[journal]"""

    group_ms: int = Field(4, ge=0, le=1000, description="how long a commit waits for company")
    keep_days: float = Field(90, gt=0)
    keep_mb: int = Field(2048, ge=16, description="the journal's file and its write-ahead log, on the disk")
    keep_events: int = Field(200_000, ge=1000, description="alarm and incident events, which outlive their entries")
    reserve_mb: int = Field(256, ge=0, description="free disk space below which the alarm journal_space is raised")
    snapshot_entries: int = Field(20_000, ge=100)


class Settings(_Table):
    """The whole of stethos.toml."""

    gateway: Gateway
    rule: Rule = Rule()
    alarm: Alarms
    asset: tuple[Asset, ...] = Field(min_length=1, strict=False)
    correlation: Correlation = Correlation()
    liveness: Liveness = Liveness()
    rescoring: Rescoring = Rescoring()
    learning: Learning = Learning()
    journal: Journal = Journal()
    link: tuple[Any, ...] = Field(min_length=1)
    output: Any

    def models(self) -> list[str]:
        """Names of all bundles that some node is re-scored by."""
        return sorted({asset.model_of(node) for asset in self.asset for node in asset.nodes} - {"", LEARNER})

    @property
    def learns(self) -> bool:
        """Whether the gateway learns at some node's place."""
        return any(asset.learners for asset in self.asset)

    def fused(self) -> dict[str, list[str]]:
        """Asset -> its nodes that are judged together, of assets that have such."""
        return {asset.name: asset.learners for asset in self.asset if asset.fused}


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
    faults += _contradictions(data)
    if settings is None or faults:
        raise ConfigurationFaulty(file, list(dict.fromkeys(faults)))
    return settings


def _model(links: Mapping[str, type[BaseModel]], outputs: Mapping[str, type[BaseModel]]) -> type[Settings]:
    """Settings with the tables of the links and outputs that are there."""
    kinds = tuple(links[name] for name in sorted(links))
    one_link: Any = Annotated[Union[kinds], Field(discriminator="type")] if len(kinds) > 1 else kinds[0]  # noqa: UP007
    fields: dict[str, Any] = {name: (outputs[name] | None, None) for name in sorted(outputs)}
    all_outputs = create_model("Outputs", __base__=_Table, **fields)
    fields = {"link": (tuple[one_link, ...], Field(min_length=1, strict=False)), "output": (all_outputs, all_outputs())}
    return create_model("Settings", __base__=Settings, **fields)


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
            return Fault(text, "unknown key" + _nearest(str(loc[-1]), _keys(model.model_json_schema(), loc[:-1])))
        case "missing":
            return Fault(text, "is missing")
        case "union_tag_not_found":
            return Fault(f"{text}.{_discriminator(error)}", "is missing")
        case "union_tag_invalid":
            known = re.findall(r"'([^']*)'", error["ctx"]["expected_tags"])
            said = f"there is no {error['ctx']['tag']!r}" + _nearest(error["ctx"]["tag"], known)
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


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


_T = TypeVar("_T", bound=_Table)


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


def _contradictions(data: Mapping[str, Any]) -> Iterator[Fault]:
    """What each table alone cannot see, as far as the tables that it is about are sound."""
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
                yield Fault(f"{path}.feeds", f"no asset {fed!r}" + _nearest(fed, names))
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
                yield Fault(f"{path}.model.{node}", f"no node of this asset{_nearest(node, asset.nodes)}")
    live = _sound(Liveness, _table(data, "liveness"))
    if live and not live.late_after <= live.stale_after < live.lost_after:
        yield Fault("liveness", "late_after, stale_after and lost_after must rise")


def _name_clashes(data: Mapping[str, Any]) -> Iterator[Fault]:
    for kind in ("asset", "link"):
        names = _names(_tables(data, kind))
        for index, name in enumerate(names):
            if name is not None and names.index(name) != index:
                yield Fault(f"{kind}[{index}].name", f"{kind} {name!r} is already there")
