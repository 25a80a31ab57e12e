"""tools/sign_image.py makes what the node takes, and nothing else."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nodes.slot_flash import BOARD, MODEL, PAGE, SIZE, WORD, Flash, Node

TOOL = Path(__file__).parents[2] / "nodes" / "c_tflm" / "tools" / "sign_image.py"
PAYLOAD = bytes(range(256)) * 3 + b"end"


def tool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def key(tmp_path) -> tuple[Path, bytes]:
    """A private key's file, and the public half."""
    file = tmp_path / "key.pem"
    made = tool("key", file)
    assert made.returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return file, bytes.fromhex(made.stdout)


def image(key: Path, tmp_path: Path, *options: object, store: str = "firmware") -> subprocess.CompletedProcess[str]:
    (tmp_path / "payload").write_bytes(PAYLOAD)
    return tool("image", "--key", key, "--board", BOARD.decode(), "--store", store, "--counter", 7, *options,
                tmp_path / "payload", tmp_path / "out")  # fmt: skip


def test_a_node_takes_it(library, key, tmp_path):
    file, public = key
    assert image(file, tmp_path, "--slot", "A").returncode == 0
    node = Node(library, Flash(), public_key=public)
    assert node.send((tmp_path / "out").read_bytes(), 7) == "ok"
    assert Node(library, Flash()).send((tmp_path / "out").read_bytes(), 7) == "signature", "of another key"


def test_a_slot_in_use_boots(library, key, tmp_path):
    file, public = key
    assert image(file, tmp_path, "--in-use", PAGE, store="model").returncode == 0
    node = Node(library, Flash(), MODEL, public_key=public)
    contents = (tmp_path / "out").read_bytes().ljust(SIZE, b"\xff")
    node.flash.words[MODEL, 1] = [contents[i : i + WORD] for i in range(0, SIZE, WORD)]
    assert node.boot() == 1
    assert node.proven(1)
    assert node.floor() == 7


@pytest.mark.parametrize("options", [(), ("--slot", "A", "--counter", 0), ("--slot", "A", "--board", "x" * 17)])
def test_it_refuses_what_no_node_would_take(key, tmp_path, options):
    refused = image(key[0], tmp_path, *options)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_key_is_never_written_over(key):
    assert tool("key", key[0]).returncode != 0
