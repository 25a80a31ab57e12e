"""What the system tests share: the C node's program, the first models, and a certificate of node-opcua's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.clients import PEERS
from tests.system.plants import first_models

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def node_program() -> Path:
    """The C node; a checkout where it was not built fails here, and says so."""
    program = ROOT / "build" / "node" / "stethos-node"
    assert program.is_file(), f"{program} is not there: make node"
    return program


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the demo's bundles."""
    return first_models()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node-opcua client; client.der in it is its certificate."""
    folder = tmp_path_factory.mktemp("client")
    command = ["node", str(PEERS / "opcua_certificate.mjs"), str(folder)]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    return folder
