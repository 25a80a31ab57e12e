"""The gateway's signing key (`gateway.key`, Ed25519) and the id that follows from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.store import chain
from gateway.store.schema import JournalBroken

KEY_FILE_NAME = "gateway.key"
_NEW_KEY_FILE_NAME = "gateway.key.new"


@dataclass(frozen=True)
class Identity:
    """A gateway's private key, the public one (32 bytes raw) and its 8-byte id."""

    key: Ed25519PrivateKey

    @cached_property
    def public_key(self) -> bytes:
        """Raw Ed25519 public key."""
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @cached_property
    def gateway_id(self) -> bytes:
        """First 8 bytes of the public key's SHA-256."""
        return chain.gateway_id(self.public_key)


def verifies(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is that of the key's owner; False too for a key or signature of the wrong form."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def load(folder: Path) -> Identity:
    """Read the gateway's key. Raises JournalBroken if it is missing, damaged or readable by group or others."""
    return read(folder / KEY_FILE_NAME)


def read(path: Path) -> Identity:
    """Read a file with a private key. Raises JournalBroken as `load` does."""
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as fault:
        raise JournalBroken(f"{path}: {fault.strerror}; there is no signing without this key") from fault
    if mode & 0o077:
        raise JournalBroken(f"{path}: group or others can read it (mode {mode & 0o777:04o}, must be 0600)")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as fault:
        raise JournalBroken(f"{path}: not a private key in PEM") from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise JournalBroken(f"{path}: not an Ed25519 key")
    return Identity(key)


def make(folder: Path) -> Identity:
    """Make a key and write it (PEM, 0600), durably, under a name that only `keep` makes valid. OSError."""
    new = folder / _NEW_KEY_FILE_NAME
    new.unlink(missing_ok=True)
    return generate(new)


def generate(path: Path) -> Identity:
    """Make a key and write it (PEM, 0600), durably, into a file that is not there yet. OSError."""
    identity = Identity(Ed25519PrivateKey.generate())
    pem = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(file)
    _sync(path.parent)
    return identity


def keep(folder: Path) -> None:
    """Give the key just made its name, if there is one: its journal has begun. OSError."""
    new = folder / _NEW_KEY_FILE_NAME
    if new.exists():
        new.rename(folder / KEY_FILE_NAME)
        _sync(folder)


def _sync(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
