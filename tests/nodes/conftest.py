"""Builds the C node once and hands out its library and its program.

`STETHOS_NODE_BUILD` names another build of the same, such as the sanitized one of `make sanitize`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nodes.core_board import KID, SECRET, Board, Flash, Gateway

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def node_build() -> Path:
    named = os.environ.get("STETHOS_NODE_BUILD")
    if named:
        return Path(named)
    build = ROOT / "build" / "node"
    build.mkdir(parents=True, exist_ok=True)
    make = ["make", "-C", str(ROOT / "nodes" / "c_tflm"), f"BUILD={build}", f"PYTHON={sys.executable}"]
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes that start together build one after the other
        done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return build


@pytest.fixture(scope="session")
def library(node_build: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(node_build / "libstethos-node.so"))


@pytest.fixture(scope="session")
def peer(node_build: Path) -> ctypes.CDLL:
    """The codec that zcbor makes of the contract."""
    return ctypes.CDLL(str(node_build / "libwire-peer.so"))


@pytest.fixture(scope="session")
def program(node_build: Path) -> Path:
    return node_build / "stethos-node"


@pytest.fixture
def board(library) -> Board:
    board = Board(Flash())
    assert library.ceiling_provision(ctypes.byref(board.port))
    return board


@pytest.fixture
def gateway(board) -> Gateway:
    return Gateway(board)


@pytest.fixture
def start(program: Path, tmp_path: Path):
    started: list[subprocess.Popen[str]] = []

    def run(link: str, *options: str, source: str = "sim:motor") -> subprocess.Popen[str]:
        command = [
            str(program), "--id", KID.hex(), "--key", SECRET.hex(), "--state", str(tmp_path / "flash"), "--link", link,
            "--source", source, *options,
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock
