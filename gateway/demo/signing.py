"""The demo signs the Bundles that it makes with a key that it throws away: what stays is the public key beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.detectors.bundle import BundleBroken, load
from gateway.detectors.signature import Trust, public_bytes
from gateway.training import bundle_writer

PUBLIC_KEY = "signed-by"


def sign(folder: Path, names: Iterable[str]) -> None:
    """Sign these Bundles in a folder. Raises BundleBroken."""
    key = Ed25519PrivateKey.generate()
    for name in names:
        bundle_writer.sign(folder / name, key)
    (folder / PUBLIC_KEY).write_text(public_bytes(key).hex() + "\n", encoding="ascii")


def trusted(folder: Path) -> str:
    """The public key that Bundles in a folder are signed with, as stethos.toml has it. OSError if none is there."""
    return (folder / PUBLIC_KEY).read_text(encoding="ascii").strip()


def usable(folder: Path, names: Iterable[str]) -> bool:
    """Whether all of these Bundles are there, whole, and signed by the key beside them."""
    try:
        trust = Trust(frozenset({bytes.fromhex(trusted(folder))}))
        for name in names:
            load(folder / name, trust)
    except (BundleBroken, OSError, ValueError):
        return False
    return True
