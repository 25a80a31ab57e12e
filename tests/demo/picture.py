"""Make docs/live-view.svg from a real run of the demo: `python -m tests.demo.picture`, from the checkout's root.

It starts everything that `stethos demo` starts, on free ports, waits for an alarm on which all nodes agree, and keeps
what the live view draws at that moment.
"""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from gateway.cli.demo import FOLDER, MODELS, NODE_PROGRAM
from gateway.demo.plant import Ports, built_in
from gateway.demo.processes import running
from gateway.demo.view import View
from tests.system.plants import free_ports

CONFIG = FOLDER / "stethos.toml"
OUT = Path("docs/live-view.svg")
COLUMNS = 132
WAIT_S = 90.0
THRESHOLD = 100


async def scene(folder: Path) -> View:
    """The view of a running demo in which all nodes of the failing motor agree and an alarm is active."""
    plant, ports = built_in(MODELS), free_ports()
    view = View(plant, ports, "stethos", CONFIG)
    failing = [node.name for node in plant.nodes if node.asset == plant.assets[0].name]

    def is_there() -> bool:
        scores = [view.seen.tags.get((name, "host_score"), {}).get("value") or 0 for name in failing]
        return view.seen.first_alarm is not None and min(scores) > THRESHOLD

    async with running(plant, ports, folder, NODE_PROGRAM):
        follow = asyncio.create_task(view.follow(None))
        async with asyncio.timeout(WAIT_S):
            while not is_there():
                await asyncio.sleep(0.1)
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
    shown = View(plant, Ports(), "stethos", CONFIG)  # with the addresses that a reader will find
    shown.seen = view.seen
    return shown


def picture(view: View) -> str:
    """The drawn view as SVG. It fetches no font: what opens it may be without a network."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(view.draw())
    svg = console.export_svg(title="stethos demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        svg = picture(asyncio.run(scene(Path(folder))))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
