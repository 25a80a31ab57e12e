"""The registry of nodes and their keys: `nodes.sqlite3`, readable by its owner only.

Several processes may hold it open; each change is one transaction, and `version` tells the others. A secret is used
once and by one node: the wire's nonces are counted per node and key generation, so that the same secret under another
generation, or for another node, would repeat them (nodes/wire/SPEC.md, "Numbers that never repeat").
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self

FILE_NAME = "nodes.sqlite3"
APPLICATION_ID = 0x5374654B  # "SteK", in the file's header (SQLite's application_id)
SCHEMA_VERSION = 1
KID_BYTES = 4
SECRET_BYTES = 16
BUSY_TIMEOUT_S = 5.0
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class RegistryBroken(Exception):  # noqa: N818 - named for what the operator sees
    """The registry cannot be used; the message names the file and what is wrong with it."""


class RegistryRefused(ValueError):  # noqa: N818 - the asker's fault
    """What was asked for is not possible: a name, id or secret that is malformed, taken or unknown."""


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node's identity on the wire."""

    name: str
    kid: bytes  # 4 bytes, its id in every envelope
    secret: bytes = field(repr=False)  # 16 bytes, the master secret
    key_generation: int  # rises with every new secret under this name, also after the node was removed
    added_ms: int  # Unix ms


class Registry:
    """The nodes and their keys. All methods raise RegistryBroken; those that change something, RegistryRefused."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the registry in `folder` (made with mode 0700) and make it if there is none (mode 0600).

        Raises RegistryBroken if others could read the file or replace it, or if it is not a registry.
        """
        path = folder / FILE_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite's own journal of it inherits this mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            _check_mode(path, 0o077, "read or write it", "0600")
            _check_mode(folder, 0o022, "replace the keys in it", "0700")
        except OSError as fault:
            raise RegistryBroken(f"{path}: {fault.strerror}") from fault
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        registry = cls(path, db)
        try:
            registry._prepare()
        except BaseException:
            db.close()
            raise
        return registry

    def close(self) -> None:
        """Give the connection back."""
        self._db.close()

    def add(self, name: str, *, now_ms: int, kid: bytes | None = None, secret: bytes | None = None) -> NodeKey:
        """Register a node; id and secret are random unless given. RegistryRefused: malformed, taken or used before."""
        if not NAME.fullmatch(name):
            raise RegistryRefused(f"{name!r}: a name is 1 to 32 of a-z, 0-9 and -, and does not begin with -")
        if kid is not None and len(kid) != KID_BYTES:
            raise RegistryRefused(f"{name}: an id has {KID_BYTES} bytes, not {len(kid)}")
        with self._change():
            if self.get(name) is not None:
                raise RegistryRefused(f"{name}: there is such a node already")
            if kid is not None and (owner := self._owner(kid)):
                raise RegistryRefused(f"{name}: the id {kid.hex()} is {owner}'s")
            while kid is None or self._owner(kid):
                kid = secrets.token_bytes(KID_BYTES)
            secret = self._use(name, secret)
            row = self._db.execute("SELECT key_generation + 1 FROM retired WHERE name = ?", (name,)).fetchone()
            key = NodeKey(name, kid, secret, row[0] if row else 0, now_ms)
            values = (name, kid, secret, key.key_generation, now_ms)
            self._db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", values)
        return key

    def rekey(self, name: str) -> NodeKey:
        """Give a node a new secret under the same name and id: the next key generation. RegistryRefused: unknown."""
        with self._change():
            self._known(name)
            self._db.execute(
                "UPDATE nodes SET secret = ?, key_generation = key_generation + 1 WHERE name = ?",
                (self._use(name, None), name),
            )
            return self._known(name)

    def remove(self, name: str) -> None:
        """Forget a node's key, but not that it was used. RegistryRefused: unknown."""
        with self._change():
            generation = self._known(name).key_generation
            self._db.execute("INSERT OR REPLACE INTO retired VALUES (?, ?)", (name, generation))
            self._db.execute("DELETE FROM nodes WHERE name = ?", (name,))

    def get(self, name: str) -> NodeKey | None:
        """The key of one node, or None."""
        return next(iter(self._select("WHERE name = ?", name)), None)

    def list(self) -> tuple[NodeKey, ...]:
        """All nodes by name."""
        return self._select("ORDER BY name")

    def version(self) -> int:
        """A number that rises with every change by whichever process; cheap to ask."""
        with self._named_faults():
            return int(self._db.execute("SELECT version FROM change").fetchone()[0])

    def _owner(self, kid: bytes) -> str | None:
        """The name of the node that has this id."""
        return next((key.name for key in self._select("WHERE kid = ?", kid)), None)

    def _known(self, name: str) -> NodeKey:
        key = self.get(name)
        if key is None:
            raise RegistryRefused(f"{name}: no such node")
        return key

    def _select(self, clause: str, *values: object) -> tuple[NodeKey, ...]:
        sql = f"SELECT name, kid, secret, key_generation, added_ms FROM nodes {clause}"
        with self._named_faults():
            return tuple(NodeKey(*row) for row in self._db.execute(sql, values))

    def _use(self, name: str, secret: bytes | None) -> bytes:
        """Record a secret (a random one unless given) as used."""
        if secret is None:
            secret = secrets.token_bytes(SECRET_BYTES)
        if len(secret) != SECRET_BYTES:
            raise RegistryRefused(f"{name}: a secret has {SECRET_BYTES} bytes, not {len(secret)}")
        digest = sha256(secret).digest()
        if self._db.execute("INSERT OR IGNORE INTO used VALUES (?)", (digest,)).rowcount == 0:
            raise RegistryRefused(f"{name}: this secret has been used before; every key needs a fresh one")
        return secret

    def _prepare(self) -> None:
        with self._named_faults():
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA synchronous = EXTRA")
            with self._transaction():
                found = tuple(self._db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version"))
                tables = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
                if found == (0, 0) and tables == 0:
                    _make_tables(self._db)
                elif found[0] != APPLICATION_ID:
                    raise RegistryBroken(f"{self._path}: not a registry of nodes")
                elif found[1] > SCHEMA_VERSION:
                    raise RegistryBroken(f"{self._path}: schema {found[1]} is newer than this gateway's")

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._named_faults(), self._transaction():
            yield
            self._db.execute("UPDATE change SET version = version + 1")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # our own fault
        except sqlite3.DatabaseError as fault:
            raise RegistryBroken(f"{self._path}: {fault}") from fault


def _make_tables(db: sqlite3.Connection) -> None:
    for table in (
        "nodes (name TEXT PRIMARY KEY, kid BLOB NOT NULL UNIQUE, secret BLOB NOT NULL,"
        " key_generation INTEGER NOT NULL, added_ms INTEGER NOT NULL)",
        "retired (name TEXT PRIMARY KEY, key_generation INTEGER NOT NULL)",
        "used (secret_sha256 BLOB PRIMARY KEY)",
        "change (version INTEGER NOT NULL)",
    ):
        db.execute(f"CREATE TABLE {table} STRICT")
    db.execute("INSERT INTO change VALUES (0)")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _check_mode(path: Path, forbidden: int, what: str, wanted: str) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & forbidden:
        raise RegistryBroken(f"{path}: group or others can {what} (mode {mode:04o}, must be {wanted})")
