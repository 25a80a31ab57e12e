"""stethos.toml → frozen, typed settings. Every fault is reported at once, each with its key path.

Links and outputs bring their own tables: `load` is handed their Settings classes, so that a new link or output needs
no line here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""Names of sites, areas, lines, assets and nodes: they become topics, NodeIds and file names."""

Seconds = Annotated[float, Field(ge=0, le=31_536_000)]


class _Table(BaseModel):
    """A table of stethos.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gateway(_Table):
    """[gateway]"""

    site: Name
    state_dir: Path = Path("/var/lib/stethos")
    log: Literal["debug", "info", "warning", "error"] = "info"
    metrics: str = Field("127.0.0.1:9464", description="host:port of the Prometheus endpoint; empty for none")


class Rule(_Table):
    """[rule], and the same keys in an [[asset]]: k of n nodes within a sliding window of event time."""

    k: int = Field(2, ge=1, le=255)
    window_s: Seconds = 60
    quiet_s: Seconds = 120


class Alarm(_Table):
    """[alarm.<kind>], and [asset.alarm.<kind>] where an asset differs. An alarm says what to do, or is refused."""

    cause: str = Field(min_length=1)
    consequence: str = Field(min_length=1)
    action: str = Field(min_length=1)
    priority: Literal["low", "medium", "high", "critical"]
    response_s: int = Field(ge=1, description="within which a person must act")
    on_delay_s: Seconds = 0
    off_delay_s: Seconds = 0


class Alarms(_Table):
    """[alarm]: one table for each kind of alarm."""

    anomaly: Alarm
    node_lost: Alarm
    sensor_fault: Alarm


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
    nodes: tuple[Name, ...] = Field(min_length=1)
    feeds: tuple[Name, ...] = ()
    model: str | dict[Name, str] = Field("", description="bundle that re-scores its nodes, or one for each node")
    k: int | None = Field(None, ge=1, le=255)
    window_s: Seconds | None = None
    quiet_s: Seconds | None = None
    alarm: AssetAlarms = AssetAlarms()

    def model_of(self, node: str) -> str:
        """Name of the bundle that re-scores one of its nodes; "" for none."""
        return self.model if isinstance(self.model, str) else self.model.get(node, "")


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

    bundles: Path | None = Field(None, description="folder that holds one Bundle folder per model")
    deadline_s: Seconds = 5


class Journal(_Table):
    """[journal]"""

    group_ms: int = Field(4, ge=0, le=1000, description="how long a commit waits for company")
    keep_days: float = Field(90, gt=0)
    keep_mb: int = Field(2048, ge=16)
    snapshot_entries: int = Field(20_000, ge=100)


class Settings(_Table):
    """The whole of stethos.toml."""

    gateway: Gateway
    rule: Rule = Rule()
    alarm: Alarms
    asset: tuple[Asset, ...] = Field(min_length=1)
    correlation: Correlation = Correlation()
    liveness: Liveness = Liveness()
    rescoring: Rescoring = Rescoring()
    journal: Journal = Journal()
    link: tuple[Any, ...] = Field(min_length=1)
    output: Any

    def models(self) -> list[str]:
        """Names of all bundles that some node is re-scored by."""
        return sorted({asset.model_of(node) for asset in self.asset for node in asset.nodes} - {""})


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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationFaulty(file, [Fault("", str(error))]) from error
    try:
        settings = model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationFaulty(file, [_fault(e, data, model) for e in error.errors()]) from error
    if faults := list(_contradictions(settings)):
        raise ConfigurationFaulty(file, faults)
    return settings


def _model(links: Mapping[str, type[BaseModel]], outputs: Mapping[str, type[BaseModel]]) -> type[Settings]:
    """Settings with the tables of the links and outputs that are there."""
    kinds = tuple(links[name] for name in sorted(links))
    one_link: Any = Annotated[Union[kinds], Field(discriminator="type")] if len(kinds) > 1 else kinds[0]  # noqa: UP007
    fields: dict[str, Any] = {name: (outputs[name] | None, None) for name in sorted(outputs)}
    all_outputs = create_model("Outputs", __base__=_Table, **fields)
    fields = {"link": (tuple[one_link, ...], Field(min_length=1)), "output": (all_outputs, all_outputs())}
    return create_model("Settings", __base__=Settings, **fields)


def _fault(error: Any, data: object, model: type[BaseModel]) -> Fault:
    loc: list[str | int] = list(error["loc"])
    path, here = [], data
    for part in loc:  # the tag of a union is part of pydantic's path, but not of the file's
        inside = (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int))
        if inside:
            here = here[part]  # type: ignore[index]
        elif part is not loc[-1]:
            continue
        path.append(part)
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    if error["type"] == "extra_forbidden":
        return Fault(text, "unknown key" + _nearest(str(loc[-1]), _keys(model.model_json_schema(), loc[:-1])))
    if error["type"] == "missing":
        return Fault(text, "is missing")
    if error["type"] == "union_tag_invalid":
        expected = error["ctx"]["expected_tags"]
        return Fault(f"{text}.type", f"{error['ctx']['tag']!r} is none of {expected}")
    return Fault(text, f"{error['msg']}, not {error['input']!r}")


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
            nodes = [n for n in nodes if n.get("properties", {}).get("type", {}).get("const") == part]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _contradictions(settings: Settings) -> Iterator[Fault]:
    """What each table alone cannot see."""
    names = [asset.name for asset in settings.asset]
    owner: dict[str, str] = {}
    for index, asset in enumerate(settings.asset):
        path = f"asset[{index}]"
        if names.index(asset.name) != index:
            yield Fault(f"{path}.name", f"asset {asset.name!r} is already there")
        for node in asset.nodes:
            if node in owner:
                yield Fault(f"{path}.nodes", f"node {node!r} belongs to asset {owner[node]!r} already")
            owner[node] = asset.name
        for fed in asset.feeds:
            if fed not in names:
                yield Fault(f"{path}.feeds", f"no asset {fed!r}" + _nearest(fed, names))
        k = asset.k if asset.k is not None else settings.rule.k
        if k > len(asset.nodes):
            yield Fault(f"{path}.k", f"{k} of {len(asset.nodes)} nodes can never be reached")
        if asset.model and settings.rescoring.bundles is None:
            yield Fault(f"{path}.model", "names a bundle, but rescoring.bundles names no folder")
        for node in asset.model if isinstance(asset.model, dict) else ():
            if node not in asset.nodes:
                yield Fault(f"{path}.model.{node}", f"no node of this asset{_nearest(node, asset.nodes)}")
    link_names = [link.name for link in settings.link]
    for index, name in enumerate(link_names):
        if link_names.index(name) != index:
            yield Fault(f"link[{index}].name", f"link {name!r} is already there")
    live = settings.liveness
    if not live.late_after <= live.stale_after < live.lost_after:
        yield Fault("liveness", "late_after, stale_after and lost_after must rise")
