"""`stethos node provision`: a board at a port becomes a node."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import click

from gateway import configured
from gateway.cli.options import config_option, faults_to_shell
from gateway.config import Settings
from gateway.detectors import bundle
from gateway.provision import micropython_board, node_files, provisioning
from gateway.provision.boards import BoardFailed, BoardUnfit, Software
from gateway.provision.label import Label
from gateway.provision.node_json import NodeJsonInvalid
from gateway.provision.provisioning import Order, ProvisionRefused, SelfTestFailed
from gateway.store.keys import Registry

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("name")
@click.option("--port", required=True, help="Serial port of the board, such as /dev/ttyUSB0.")
@click.option("--settings", "file", type=_FILE, default="node.json", show_default=True, help="The node's node.json.")
@click.option("--model", type=_FOLDER, help="A Bundle of role node.")
@click.option("--native", type=_FILE, help="stethos_native.mpy for the board's processor.")
@click.option("--mpy-cross", type=_FILE, help="MicroPython's cross compiler: smaller files, quicker starts.")
@click.option("--files", type=_FOLDER, help="The node's program [default: the one that came with this gateway].")
@click.option("--replace", is_flag=True, help="Take a board that is another node, or the place of another board.")
@click.option("--label", type=click.Path(path_type=Path, dir_okay=False), help="Draw the label into this .svg file.")
@click.option("--baud", type=click.IntRange(1200), default=115_200, show_default=True)
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=30, show_default=True,
              help="Seconds until the board must have answered: a sleeping node does when it wakes.")  # fmt: skip
@config_option
def provision(
    name: str, port: str, file: Path, model: Path | None, native: Path | None, mpy_cross: Path | None,
    files: Path | None, replace: bool, label: Path | None, baud: int, wait_s: float, config_file: Path,
) -> None:  # fmt: skip
    """Make the board at a port the node NAME: program, settings, model and key, read back and tested.

    Interrupted at any point it can be run again. The label goes to stdout, all else to stderr.
    """
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        try:
            kind = provisioning.kind_of(file)
            software = _software(files, native, mpy_cross) if kind is micropython_board else None
            order = Order(name, kind.read(file), _image(model, settings), software, replace)
            _say(f"{port}: looking for the board; if its node sleeps, it is found when it wakes, or is reset")
            board = kind.open_board(port, baud, wait_s)
            if board is None:
                raise BoardFailed(f"{port}: no board answers that {file} could be for")
            state_dir = settings.gateway.state_dir
            with closing(board), closing(Registry.open(state_dir)) as registry:
                about = board.about()
                _say(f"{port}: {about.board}, {about.firmware}")
                now_ms = time.time_ns() // 1_000_000
                key = provisioning.provision(board, registry, state_dir, order, now_ms=now_ms, say=_say)
        except (NodeJsonInvalid, BoardFailed, BoardUnfit, ProvisionRefused, bundle.BundleBroken) as error:
            raise click.ClickException(str(error)) from error
        except SelfTestFailed as error:
            _failed(name, error)
        _hint(settings, name)
        _print(Label(name, key.kid, settings.gateway.site), label)


def _image(model: Path | None, settings: Settings) -> bytes | None:
    """The node's part of a bundle that this gateway trusts."""
    if model is None:
        return None
    loaded = bundle.load(model, configured.trust(settings))
    if loaded.image is None:
        raise BoardUnfit(f"{model}: is a model for the gateway: a node's has the role node")
    return loaded.image


def _software(files: Path | None, native: Path | None, mpy_cross: Path | None) -> Software:
    folder = files or node_files.default_folder()
    if folder is None:
        raise BoardUnfit("this gateway came without the node's files: give them with --files (nodes/micropython)")
    return Software(folder, native, mpy_cross)


def _failed(name: str, error: SelfTestFailed) -> NoReturn:
    raise click.ClickException(f"{name} is not started, its self-test has failed:\n{error}") from error


def _hint(settings: Settings, name: str) -> None:
    if not any(name in asset.nodes for asset in settings.asset):
        _say(f"{name} is at no asset of the configuration: its messages are taken and nothing is made of them")


def _print(label: Label, file: Path | None) -> None:
    click.echo(label.terminal())
    if file is not None:
        file.write_text(label.svg(), encoding="utf-8")


def _say(text: str) -> None:
    click.echo(text, err=True)
