"""Who may log in: a file with one line per user, `name:role:scrypt:N:r:p:salt:hash` (salt and hash in base64).

The role is `operator` (reads, acknowledges, shelves) or `viewer` (reads). The file is read again when it changes, so
that adding a user needs no restart. It must be readable by its owner only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["operator", "viewer"]

_N, _R, _P = 2**14, 8, 1
_FREE_ATTEMPTS = 5
_LOCK_S = 30.0
_REMEMBERED = 1000


class UsersFileUnusable(Exception):  # noqa: N818 - the operator's fault, not an error in the program
    """The users file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One user as the file has it."""

    role: Role
    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def fits(self, password: str) -> bool:
        """Whether this is the password; takes tens of milliseconds by design."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.n, self.r, self.p), self.digest)


def set_user(path: Path, name: str, password: str, role: Role = "operator") -> None:
    """Add a user, or give one a new password and role. ValueError for a name with a colon or line break, or an empty
    password.
    """
    if not name or not password or any(c in name for c in ":\r\n"):
        raise ValueError("a user needs a name without colons and line breaks, and a password")
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _N, _R, _P)
    kept = [line for line in _lines(path) if line.split(":", 1)[0] != name]
    line = f"{name}:{role}:scrypt:{_N}:{_R}:{_P}:{base64.b64encode(salt).decode()}:{base64.b64encode(digest).decode()}"
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join([*kept, line]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class Users:
    """The users file, with a brake on guessing: after five wrong passwords for a name from one address, that pair
    waits half a minute.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """`now` is a monotonic clock in seconds."""
        self._path = path
        self._now = now
        self._stamp: tuple[int, int] | None = None
        self._secrets: Mapping[str, Secret] = {}
        self._key = secrets.token_bytes(32)
        self._proven: dict[str, tuple[Secret, bytes]] = {}  # a storm of reconnects must not cost a scrypt each
        self._wrong: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self) -> None:
        """Raises UsersFileUnusable if the file is there but others can read it, or if a line is malformed."""
        if not self._path.exists():
            return
        if self._path.stat().st_mode & 0o077:
            raise UsersFileUnusable(f"{self._path} can be read by others: chmod 600 {self._path}")
        self._secrets = _read(self._path)

    def role_of(self, name: str, password: str, peer: str) -> Role | None:
        """The user's role, or None if the name, the password or the moment is wrong."""
        self._reload()
        failures, until = self._wrong.get((name, peer), (0, 0.0))
        if failures >= _FREE_ATTEMPTS and self._now() < until:
            return None
        secret = self._secrets.get(name)
        if secret is not None and self._is_right(name, secret, password):
            self._wrong.pop((name, peer), None)
            return secret.role
        if secret is None:
            _scrypt(password, bytes(16), _N, _R, _P)  # an unknown name takes as long as a wrong password
        self._wrong[name, peer] = (failures + 1, self._now() + _LOCK_S)
        if len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
        return None

    def _is_right(self, name: str, secret: Secret, password: str) -> bool:
        proof = hmac.digest(self._key, password.encode(), "sha256")
        known = self._proven.get(name)
        if known is not None and known[0] == secret and hmac.compare_digest(known[1], proof):
            return True
        if not secret.fits(password):
            return False
        self._proven[name] = (secret, proof)
        return True

    def _reload(self) -> None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp != self._stamp:
                self.check()
                self._stamp = stamp
        except (OSError, UsersFileUnusable):
            self._secrets, self._stamp = {}, None


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * 1024 * 1024, dklen=32)


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def _read(path: Path) -> Mapping[str, Secret]:
    users = {}
    for line in _lines(path):
        match line.split(":"):
            case [name, "operator" | "viewer" as role, "scrypt", n, r, p, salt, digest]:
                try:
                    decoded = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
                    users[name] = Secret(role, int(n), int(r), int(p), *decoded)
                except ValueError as error:
                    raise UsersFileUnusable(f"{path}: the line of user {name!r} is malformed: {error}") from error
            case [name, *_]:
                raise UsersFileUnusable(f"{path}: the line of user {name!r} is malformed")
    return users
