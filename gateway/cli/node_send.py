"""`stethos node send`: an image for a node, over the air."""

from __future__ import annotations

import base64
import getpass
import time
from contextlib import closing
from pathlib import Path

import click

from gateway import configured
from gateway.cli import said
from gateway.cli.learner_node import opened
from gateway.cli.options import config_option, faults_to_shell
from gateway.config import Settings
from gateway.core.command import Outcome
from gateway.core.mailbox import Code, Parcel
from gateway.detectors.bundle import BundleBroken, load
from gateway.runtime import control, history
from gateway.store.reader import Reader
from gateway.wire.image import MANIFEST, Manifest, Store, manifest_for, reply_text
from gateway.wire.messages import Result

LEAST_MV = 2700
"""Under load. Below it flash programs no whole words (STM32F4, RM0090 table 6: 2.7 to 3.6 V), and a cell so low, of
whichever chemistry with 3 V or more, may not last for the minutes of radio that an image takes.
"""
LOOK_S = 0.5


@click.command()
@click.argument("name")
@click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A bundle: its model, with the threshold that was calibrated for this node or its asset.",
)
@click.option(
    "--learner", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="What another node has learned."
)
@click.option(
    "--firmware", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="With its manifest, signed."
)
@click.option("--board", help="The board's name; as the node says in its Birth unless given.")
@click.option(
    "--counter", type=click.IntRange(1, 2**32 - 1), help="Above that of the image before; the time unless given."
)
@click.option(
    "--least-mv", type=click.IntRange(0, 65535), default=LEAST_MV, show_default=True,
    help="Not while the node's battery is below this; 0: whatever it is.",
)  # fmt: skip
@click.option(
    "--hours", type=click.FloatRange(min=0.01), default=168.0, show_default=True, help="For how long it waits."
)
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Minutes to wait for what becomes of it.")
@config_option
def send(
    name: str, model: Path | None, learner: Path | None, firmware: Path | None, board: str | None, counter: int | None,
    least_mv: int, hours: float, wait: float, config_file: Path,
) -> None:  # fmt: skip
    """Send a node a model, what another node has learned, or a firmware.

    It waits until the node listens, goes in pieces, and goes on where it stopped.

    A node in MicroPython takes none of them over the air.
    """
    if sum(map(bool, (model, learner, firmware))) != 1:
        raise click.UsageError("one of --model, --learner, --firmware")
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        with closing(Reader.open(settings.gateway.state_dir)) as reader:
            after = reader.head_id()
            if firmware:
                manifest, payload = signed_firmware(firmware)
            else:
                payload = _model(settings, name, model) if model else _learner(learner)
                store = Store.MODEL if model else Store.LEARNER
                manifest = _manifest(reader, name, board, store, payload, counter or int(time.time()))
            expires_ms = time.time_ns() // 1_000_000 + round(hours * 3_600_000)
            file = base64.b64encode(manifest.pack() + payload).decode("ascii")
            asked = {"node": name, "file": file, "least_mv": least_mv, "expires_ms": expires_ms}
            reply = control.ask(
                settings.gateway.state_dir, {"kind": control.OFFER, "actor": getpass.getuser(), **asked}
            )
            if reply["outcome"] != Outcome.DONE:
                raise click.ClickException(reply["detail"])
            click.echo(f"{manifest.store.name.lower()}, {manifest.file_size} bytes, waits for {name}")
            if wait:
                _follow(reader, after, name, manifest, wait * 60)


def _model(settings: Settings, node: str, folder: Path | None) -> bytes:
    assert folder is not None
    from gateway.training import exporting, self_test

    asset = next((asset.name for asset in settings.asset if node in asset.nodes), "")
    try:
        bundle = load(folder, configured.trust(settings))
        self_test.check(bundle)
        return exporting.image(bundle, node, asset)
    except (BundleBroken, exporting.NoImage) as error:
        raise click.ClickException(str(error)) from error


def _learner(file: Path | None) -> bytes:
    assert file is not None
    return opened(file).save()


def signed_firmware(file: Path) -> tuple[Manifest, bytes]:
    """Manifest and payload of a file that was signed. Raises ClickException."""
    data = file.read_bytes()
    try:
        manifest = Manifest.parse(data)
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from error
    if manifest.store is not Store.FIRMWARE:
        raise click.ClickException(f"{file}: an image for the store {manifest.store.name.lower()}, not a firmware")
    if not manifest.signature:
        raise click.ClickException(f"{file}: not signed, and no node takes a firmware that is not")
    return manifest, data[MANIFEST.size :]


def _manifest(
    reader: Reader, node: str, board: str | None, store: Store, payload: bytes, counter: int
) -> Manifest:  # fmt: skip
    if store is Store.LEARNER:
        board = board or "any"  # what has been learned goes by feature set and channels
    if board is None:
        birth = said.birth(reader, node)
        if birth is None:
            raise click.ClickException(f"{node}: has not said yet which board it is; --board names it")
        board = birth.hardware
    try:
        return manifest_for(board, store, payload, counter)
    except ValueError as error:
        raise click.ClickException(f"{error}; --board") from error


def _follow(reader: Reader, after: int, node: str, manifest: Manifest, limit_s: float) -> None:
    """Until the node has said what became of it."""
    end_s = time.monotonic() + limit_s
    number, seen = 0, -1
    while time.monotonic() < end_s:
        box = history.present(reader).mail.boxes.get(node)
        parcels = [x for x in box.letters if isinstance(x, Parcel) and x.image == manifest] if box else []
        if not parcels:
            break
        number = parcels[0].id or number
        if parcels[0].wanted is not None and parcels[0].wanted != seen:
            seen = parcels[0].wanted
            click.echo(f"{seen} of {manifest.file_size} bytes", err=True)
        time.sleep(LOOK_S)
    else:
        raise click.ClickException(f"{node}: it still waits; `stethos node mail` shows how far it is")
    results = [r.message for r in said.reports(reader, after, reader.head_id(), node) if isinstance(r.message, Result)]
    last = next((r for r in reversed(results) if r.code != Code.GO_ON and number in (r.id, 0)), None)
    if last is None or last.code == Code.DONE:
        click.echo(f"{node}: taken")
    elif last.code == Code.FAILED:
        raise click.ClickException(f"{node}: not taken: {reply_text(last.detail)}")
    else:
        raise click.ClickException(f"{node}: refused: it takes no such thing over the air")
