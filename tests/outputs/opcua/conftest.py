"""A client's certificate, made once a session by node-opcua itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.outputs.opcua.plants import PEERS


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pki folder of a node-opcua client; client.der in it is its certificate."""
    folder = tmp_path_factory.mktemp("client")
    subprocess.run(
        ["node", str(PEERS / "opcua_certificate.mjs"), str(folder)], capture_output=True, timeout=60, check=True
    )
    assert (folder / "client.der").exists()
    return folder
