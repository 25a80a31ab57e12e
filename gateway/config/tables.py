"""The tables of stethos.toml: frozen, typed, strict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""Names of sites, areas, lines, assets and nodes: they become topics, NodeIds and file names."""

BundleName = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]
"""Folder of a Bundle; "" for none."""

LEARNER = "learner"
"""In place of a bundle's name: the gateway itself learns what is normal at the node's place."""

TIME_OF_DAY = "time of day"
"""As context of a node of slow readings."""

CONTEXT = "learner: context"
"""In place of a bundle's name, in the plant only: a node without a model that others have as context."""

MOST_CONTEXT = 3
"""Things that a node's learner is told of its machine."""

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


def _context(text: str) -> str:
    if text != TIME_OF_DAY and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}/[1-9]", text):
        raise ValueError(f'write it as "{TIME_OF_DAY}", or as "node/1", the number being that of its channel')
    return text


Sentence = Annotated[str, Field(min_length=1), AfterValidator(_sentence)]
"""What a person is told; `{asset}` and `{node}` stand for the names."""

Words = Annotated[str, Field(min_length=1), AfterValidator(_words)]
"""What a person is told about the gateway itself."""


class Table(BaseModel):
    """A table of stethos.toml. Types are strict: "60" is no number; lists and paths, which TOML lacks, are not."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Gateway(Table):
    """[gateway]"""

    site: Name
    state_dir: Path = Field(Path("/var/lib/stethos"), strict=False)
    log: Literal["debug", "info", "warning", "error"] = "info"
    metrics: Annotated[str, AfterValidator(_endpoint_or_nothing)] = Field(
        "127.0.0.1:9464", description="host:port of the Prometheus endpoint; empty for none"
    )


class Rule(Table):
    """[rule], and the same keys in an [[asset]]: k of n nodes within a sliding window of event time."""

    k: int = Field(2, ge=1, le=255)
    window_s: Span = 60
    quiet_s: Span = 120


class Alarm(Table):
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


class Alarms(Table):
    """[alarm]: one table for each kind of alarm; the gateway's own have a text already."""

    anomaly: Alarm
    node_lost: Alarm
    sensor_fault: Alarm
    journal_space: GatewayAlarm = JOURNAL_SPACE
    output_behind: GatewayAlarm = OUTPUT_BEHIND


class AssetAlarms(Table):
    """[asset.alarm]: kinds that this asset words or times differently."""

    anomaly: Alarm | None = None
    node_lost: Alarm | None = None
    sensor_fault: Alarm | None = None


Context = Annotated[tuple[Annotated[str, AfterValidator(_context)], ...], Field(max_length=MOST_CONTEXT, strict=False)]
"""What a learner is told of the machine beside a Window: the time of day, or the level of a node's channel."""


class AssetLearning(Table):
    """[asset.learning]: where an asset differs from [learning]."""

    windows: int | None = Field(None, ge=24, le=10_000)
    false_alarms_a_week: float | None = Field(None, gt=0, le=10_000)
    fleet: Path | None = Field(None, strict=False)


class Asset(Table):
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
    context: Context | dict[Name, Context] = Field(
        (), description="what the gateway's own learner is told of the machine, for all its nodes or one for each"
    )
    k: int | None = Field(None, ge=1, le=255)
    window_s: Span | None = None
    quiet_s: Span | None = None
    alarm: AssetAlarms = AssetAlarms()
    learning: AssetLearning = AssetLearning()

    def model_of(self, node: str) -> str:
        """Name of the bundle that re-scores one of its nodes; "" for none."""
        return self.model if isinstance(self.model, str) else self.model.get(node, "")

    def context_of(self, node: str) -> tuple[str, ...]:
        """What its learner is told; of what is said for all nodes without what the node says itself."""
        if isinstance(self.context, dict):
            return self.context.get(node, ())
        return tuple(name for name in self.context if name.split("/")[0] != node)

    @property
    def learners(self) -> list[str]:
        """Its nodes at whose places the gateway learns."""
        return [node for node in self.nodes if self.model_of(node) == LEARNER]


class Correlation(Table):
    """[correlation]"""

    within_s: Seconds = 120


class Liveness(Table):
    """[liveness]: how many of its own heartbeats a node may miss."""

    tolerance_pct: int = Field(10, ge=0, le=100)
    late_after: int = Field(1, ge=1)
    stale_after: int = Field(2, ge=1)
    lost_after: int = Field(4, ge=2)


class Rescoring(Table):
    """[rescoring]"""

    bundles: Path | None = Field(None, strict=False, description="folder that holds one Bundle folder per model")
    trusted_keys: tuple[PublicKey, ...] = Field((), strict=False, description="whose bundles are taken beside its own")
    allow_unsigned: bool = Field(False, description="take bundles that nobody trusted has signed")
    deadline_s: Seconds = 5


class Learning(Table):
    """[learning]: of nodes whose model is "learner"; `acknowledged` also of nodes that learn themselves."""

    windows: int = Field(240, ge=24, le=10_000, description="from so many it learns what is normal")
    false_alarms_a_week: float = Field(1, gt=0, le=10_000, description="wanted of a node whose machine is well")
    fleet: Path | None = Field(None, strict=False, description="what is known of like machines: stethos learner merge")
    acknowledged: Literal["keep", "learn"] = Field(
        "keep",
        description="what an acknowledged anomaly does to what was learned. keep: nothing; it says that somebody has"
        " seen it, and a real fault must not become normal unless one says so (stethos alarm ack --learn). learn: what"
        " is acknowledged is normal from now on, from whichever side, also OPC UA and Modbus, which cannot say so",
    )

    @property
    def acknowledged_learns(self) -> bool:
        """Whether each acknowledgement of an anomaly lets learn."""
        return self.acknowledged == "learn"


class Journal(Table):
    """[journal]"""

    group_ms: int = Field(4, ge=0, le=1000, description="how long a commit waits for company")
    keep_days: float = Field(90, gt=0)
    keep_mb: int = Field(2048, ge=16, description="the journal's file and its write-ahead log, on the disk")
    keep_events: int = Field(200_000, ge=1000, description="alarm and incident events, which outlive their entries")
    reserve_mb: int = Field(256, ge=0, description="free disk space below which the alarm journal_space is raised")
    snapshot_entries: int = Field(20_000, ge=100)


class Settings(Table):
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

    def read(self) -> set[str]:
        """Nodes that some learner has as context."""
        names = {name for asset in self.asset for node in asset.learners for name in asset.context_of(node)}
        return {name.split("/")[0] for name in names - {TIME_OF_DAY}}

    def learning_of(self, asset: Asset) -> Learning:
        """How its nodes are learned."""
        own = {key: value for key, value in asset.learning if value is not None}
        return self.learning.model_copy(update=own)

    def fused(self) -> dict[str, list[str]]:
        """Asset -> its nodes that are judged together, of assets that have such."""
        return {asset.name: asset.learners for asset in self.asset if asset.fused}
