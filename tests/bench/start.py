"""How long a gateway takes to be there: after a stop, and after kill -9 with a long journal."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median

from asyncua import Client, ua

from gateway.store.schema import FILE_NAME
from tests.bench.figures import Figure
from tests.bench.house import House, endpoint, running, settle
from tests.bench.plant import BenchPlant
from tests.bench.progress import say
from tests.bench.stretch import introduced, stretch
from tests.bench.watch_opcua import NAMESPACE, PATIENCE_S

WARM_S = 5.0
RATE = 500.0
STARTS = 3
AT_ONCE = 50
FILL_NODES = 1000
FILL_RATE = 5000.0
"""Reports a second that the journal is filled with."""
FILL_STEP_S = 10.0


async def after_stop(nodes: int) -> Mapping[str, Figure]:
    """exec to READY, every Tag being there to be browsed. RuntimeError if one is not."""
    async with running(BenchPlant(nodes), clients=False) as house:
        async with introduced(house, "udp") as site:
            await stretch(house, site, RATE, WARM_S)
        took_s = []
        for _ in range(STARTS):
            await house.restart(signal.SIGTERM)
            took_s.append(house.gateway.start_s)
            await require_every_tag(house)
        age = snapshot_age(house.folder / "state")
    say(f"{nodes} nodes: READY after {', '.join(f'{s:.2f}' for s in took_s)} s")
    how = (
        f"median of {STARTS} starts, from exec to READY=1 on the NOTIFY_SOCKET, with {nodes} nodes and all "
        f"outputs, the snapshot {age} entries old (a clean stop); right after READY every Tag was browsed over OPC UA"
    )
    return {f"start_s_{nodes}_nodes": Figure(round(median(took_s), 2), "s", how)}


async def after_kill(*, entries: int) -> Mapping[str, Figure]:
    """exec to READY after kill -9, with so many entries in the journal. The gateway is killed when it has decided all
    of the load and has come to rest; how old its newest snapshot is then is wherever the filling has ended.
    """
    async with running(BenchPlant(FILL_NODES), clients=False) as house:
        async with introduced(house, "udp") as site:
            while (there := entries_there(house.folder / "state")) < entries:
                say(f"{there} of {entries} entries")
                await stretch(house, site, FILL_RATE, FILL_STEP_S, sealed=False)
                await settle(house, site.carrier)
            await house.restart(signal.SIGKILL)
        took_s, state = house.gateway.start_s, house.folder / "state"
        await require_every_tag(house)
        age, size_mb = snapshot_age(state), (state / FILE_NAME).stat().st_size / 2**20
    say(f"READY {took_s:.2f} s after exec, snapshot {age} entries old")
    how = (
        f"from exec to READY=1 after kill -9, {there} entries in the journal ({size_mb:.0f} MiB), the snapshot {age} "
        f"entries old, {FILL_NODES} nodes, all outputs; right after READY every Tag was browsed over OPC UA"
    )
    return {"recovery_s": Figure(round(took_s, 2), "s", how)}


async def require_every_tag(house: House) -> None:
    """Browse the plant; RuntimeError if a Tag is missing."""
    wanted = set(house.plant.tags())
    async with Client(endpoint(house.ports), timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S) as client:
        space = await client.get_namespace_index(NAMESPACE)
        level, found = [client.nodes.objects.nodeid], set[str]()
        while level:
            below = [r for r in await _browsed(client, level) if r.NodeId.NamespaceIndex == space]
            new = {str(r.NodeId.Identifier): r for r in below if str(r.NodeId.Identifier) not in found}
            found |= new.keys()
            level = [r.NodeId for r in new.values() if r.NodeClass == ua.NodeClass.Object]
    if missing := wanted - found:
        raise RuntimeError(f"{len(missing)} Tags cannot be browsed after READY, such as {min(missing)}")


async def _browsed(client: Client, nodes: list[ua.NodeId]) -> list[ua.ReferenceDescription]:
    """What lies below some nodes, hierarchically: a few hundred nodes a request."""
    found: list[ua.ReferenceDescription] = []
    for start in range(0, len(nodes), AT_ONCE):
        request = ua.BrowseParameters()
        request.NodesToBrowse = [
            ua.BrowseDescription(
                node,
                ua.BrowseDirection.Forward,
                ua.NodeId(ua.ObjectIds.HierarchicalReferences),
                IncludeSubtypes=True,
                NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
                ResultMask=ua.BrowseResultMask.NodeClass,
            )
            for node in nodes[start : start + AT_ONCE]
        ]
        for result in await client.uaclient.browse(request):
            found += result.References
    return found


def entries_there(state: Path) -> int:
    """How many entries a journal holds; what retention has let go is not among them."""
    return _number(state, "SELECT max(id) - min(id) + 1 FROM entries")


def snapshot_age(state: Path) -> int:
    """By how many entries the snapshot that the last start began with was older than the journal's end then."""
    started = _number(state, "SELECT max(id) FROM entries WHERE kind = 'started'")
    return started - 1 - _number(state, f"SELECT max(entry) FROM snapshots WHERE entry < {started}")


def _number(state: Path, question: str) -> int:
    with closing(sqlite3.connect(f"{(state / FILE_NAME).as_uri()}?mode=ro", uri=True)) as journal:
        return int(journal.execute(question).fetchone()[0] or 0)
