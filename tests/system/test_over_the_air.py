"""What nodes run and know is given to them over the air: a model, and what other nodes have learned."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from contextlib import closing
from pathlib import Path

from gateway.cli import said
from gateway.demo import signing
from gateway.demo.plant import DemoNode
from gateway.demo.processes import House, running
from gateway.detectors.bundle import ANY, Bundle, load
from gateway.detectors.learner import Learner, State
from gateway.store.reader import Reader
from gateway.wire.messages import Birth, Health, UpMessage
from tests.system import plants
from tests.system.clients import run
from tests.system.plants import stethos
from tests.training.spectrogram_bundles import make

LEARNED = 24  # windows: as few as there can be


def messages(house: House, node: str) -> list[UpMessage]:
    """What a node has said so far."""
    with closing(Reader.open(house.state_dir)) as reader:
        return [report.message for report in said.reports(reader, 0, reader.head_id(), node)]


def births(house: House, node: str) -> list[Birth]:
    return [message for message in messages(house, node) if isinstance(message, Birth)]


def watches(house: House, node: str) -> bool:
    healths = [message for message in messages(house, node) if isinstance(message, Health)]
    return bool(healths) and healths[-1].learner is not None and healths[-1].learner.state == State.WATCHING


def node(name: str, folder: Path, seed: int, *options: str) -> DemoNode:
    common = ("--source", "sim:motor", "--seed", str(seed), "--flash", str(folder / f"{name}.slots"))
    return DemoNode(name, "motor", "udp", (*common, "--heartbeat-ms", "500", *options))


def with_looking(folder: Path, models: Path) -> tuple[Path, Bundle]:
    """The first models, and one that looks at a spectrogram."""
    ours = Path(shutil.copytree(models, folder / "models"))
    looking = Path(shutil.copytree(make(folder / "made").bundle.folder, ours / "looking"))
    signing.sign(ours, [manifest.parent.name for manifest in ours.glob("*/bundle.json")])
    return ours, load(looking, ANY)


async def test_a_model_and_what_others_have_learned_arrive_and_are_used(
    tmp_path: Path, models: Path, node_program: Path
) -> None:
    models, looking = with_looking(tmp_path, models)
    fast = ("--learn", str(LEARNED), "--wake-ms", "300", "--speed", "10")
    nodes = (
        node("plain", tmp_path, 7100, "--wake-ms", "300"),
        node("first", tmp_path, 7200, *fast),
        node("second", tmp_path, 7300, *fast),
        node("pupil", tmp_path, 7400, "--learn", "240", "--wake-ms", "300"),
    )
    plant = plants.plant((plants.asset("motor", tuple(n.name for n in nodes), k=1),), nodes, models)
    async with running(plant, plants.free_ports(), tmp_path / "house", node_program) as house:
        await plants.until(lambda: births(house, "plain"), "Birth")
        assert births(house, "plain")[0].model is None
        said_so = await stethos(house.config, "node", "send", "plain", "--model", str(models / "motor-node"),
                                "--wait", "1")  # fmt: skip
        assert "plain: taken" in said_so
        image = (models / "motor-node" / "image.cbor").read_bytes()
        generation = json.loads((models / "motor-node" / "bundle.json").read_text())["node"]["generation"]
        await plants.until(lambda: len(births(house, "plain")) > 1, "Birth after the restart")
        last = births(house, "plain")[-1]
        assert (last.model, last.generation) == (hashlib.sha256(image).digest()[:8], generation)

        said_so = await stethos(house.config, "node", "send", "plain", "--model", str(looking.folder), "--wait", "1")
        assert "plain: taken" in said_so
        assert looking.image is not None
        taken = hashlib.sha256(looking.image).digest()[:8]
        await plants.until(lambda: births(house, "plain")[-1].model == taken, "Birth after the restart")
        assert births(house, "plain")[-1].more.samples == looking.manifest.samples

        learned = []
        for name in ("first", "second"):
            await plants.until(lambda name=name: watches(house, name), "learner that watches")
            learned.append(str(tmp_path / name))
            assert f"{LEARNED} windows of {name}" in await stethos(house.config, "learner", "pull", name, learned[-1])
        both = tmp_path / "both"
        await run(sys.executable, "-m", "gateway", "learner", "merge-nodes", str(both), *learned)
        assert Learner.of(both.read_bytes()).diagnose().learned == 2 * LEARNED
        assert not watches(house, "pupil"), "it has hardly begun"
        assert "pupil: taken" in await stethos(house.config, "node", "send", "pupil", "--learner", str(both),
                                               "--wait", "1")  # fmt: skip
        await plants.until(lambda: watches(house, "pupil"), "learner that watches")
        await plants.until(lambda: births(house, "pupil")[-1].more.learner, "Birth that says so")
        assert births(house, "pupil")[-1].more.learner == hashlib.sha256(both.read_bytes()).digest()[:8]
        assert births(house, "pupil")[-1].reset_cause == 0, "without a restart"
        assert "pupil" not in await stethos(house.config, "node", "mail")
