"""`stethos learner pull` and `merge-nodes`: what nodes have learned themselves, from one to the other."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import click

from gateway import configured
from gateway.cli import said
from gateway.cli.mail import post
from gateway.cli.options import config_option, faults_to_shell
from gateway.core.mailbox import Order
from gateway.detectors.learner import Learner, LearnerRefused
from gateway.detectors.node_library import LibraryMissing
from gateway.store.reader import Reader
from gateway.wire.messages import LearnerState

LOOK_S = 0.5


@click.command()
@click.argument("node")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--minutes", type=click.FloatRange(min=0.01), default=60.0, show_default=True, help="To wait at most.")
@config_option
def pull(node: str, file: Path, minutes: float, config_file: Path) -> None:
    """Write into FILE what the learner of NODE, a node in C, has learned: for `stethos node send --learner`."""
    with faults_to_shell():
        state_dir = configured.load_settings(config_file).gateway.state_dir
        with closing(Reader.open(state_dir)) as reader:
            birth = said.birth(reader, node)
            if birth is not None and (birth.more is None or birth.more.learner is None):
                raise click.ClickException(f"{node}: has learned nothing yet, by what it said of itself last")
            after = reader.head_id()
            post(state_dir, node, Order.SEND_LEARNER, None, minutes / 60)
            image = _parts(reader, node, after, minutes * 60)
    if image is None:
        raise click.ClickException(f"{node}: has sent nothing in {minutes:g} minutes")
    learner = _checked(image, node)
    _write(file, image)
    click.echo(f"{file}: {len(image)} bytes, {learner.diagnose().learned} windows of {node}")


@click.command(name="merge-nodes")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("learned", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def merge_nodes(file: Path, learned: tuple[Path, ...]) -> None:
    """Merge what nodes have LEARNED into FILE: what is normal for any of them is normal then."""
    whole = opened(learned[0])
    for each in learned[1:]:
        image = opened(each).save()
        try:
            whole.merge(image)
        except LearnerRefused as error:
            raise click.ClickException(f"{each}: does not fit {learned[0]}: {error}") from error
    _write(file, whole.save())
    click.echo(f"{file}: {whole.diagnose().learned} windows of {len(learned)} nodes")


def opened(file: Path) -> Learner:
    """What a file of `pull` or `merge-nodes` says. Raises ClickException."""
    try:
        return _checked(file.read_bytes(), str(file))
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error


def _checked(image: bytes, name: str) -> Learner:
    try:
        return Learner.of(image)
    except LearnerRefused as error:
        raise click.ClickException(f"{name}: not what a learner of this release has learned: {error}") from error
    except LibraryMissing as error:
        raise click.ClickException(str(error)) from error


def _parts(reader: Reader, node: str, after: int, limit_s: float) -> bytes | None:
    """All that a node sends of it, joined; None: nothing whole came in time."""
    parts: dict[int, bytes] = {}
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        head = reader.head_id()
        for report in said.reports(reader, after, head, node):
            if isinstance(report.message, LearnerState):
                part = report.message
                parts = (parts if part.part else {}) | {part.part: part.data}
                if parts.keys() == set(range(part.parts)):
                    return b"".join(parts[i] for i in range(part.parts))
        after = head
        time.sleep(LOOK_S)
    return None


def _write(file: Path, image: bytes) -> None:
    try:
        file.write_bytes(image)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
