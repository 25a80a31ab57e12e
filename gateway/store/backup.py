"""A backup: the whole state of a gateway and its configuration in one file, made beside the running gateway.

It is a tar archive, readable by its owner only, of

    stethos.toml     the configuration
    state/...        the state folder: journal, registry of keys, gateway.key, PKI, users, whatever else lies in it
    backup.json      the Manifest: what belongs to it, with sizes and digests

The two databases are copied as they stand at one moment (SQLite's online backup within one read transaction), the
journal first: a registry that is newer than its journal knows a key too many, never one too few.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from gateway.store import journal, keys, marks
from gateway.store.reader import Reader
from gateway.store.schema import BUSY_TIMEOUT_S, FILE_NAME, JournalBroken, named_faults

VERSION = 1
MANIFEST, CONFIG, STATE = "backup.json", "stethos.toml", "state/"
DATABASES = (FILE_NAME, keys.FILE_NAME)
NOT_COPIED = {journal.LOCK_FILE_NAME, *(name + part for name in DATABASES for part in ("", "-wal", "-shm", "-journal"))}
STEP_PAGES = 2048  # of 4 KiB, copied from one sign of progress to the next
CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Is told how many pages of how many are copied."""


class BackupBroken(Exception):  # noqa: N818 - named for what the operator sees
    """A backup cannot be made or used; the message names the file and says why."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file of a backup."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds, and of which moment."""

    version: int
    release: str  # of the gateway that made it
    made_ms: int
    gateway_id: str
    head: int  # newest entry
    head_hash: str
    epoch: int
    files: dict[str, Content] = field(default_factory=dict)


def make(
    state_dir: Path, config_file: Path, target: Path, *, release: str, now_ms: int, progress: Progress
) -> tuple[Manifest, list[Path]]:
    """Write a backup to `target`, which appears when it is whole, durable and verified. Returns what it holds, and what
    of the state folder is no plain file and was left out. Raises BackupBroken, JournalBroken, JournalFull.
    """
    target = target.absolute()
    work = target.with_name(f".{target.name}.partial")
    with world_named(target):
        shutil.rmtree(work, ignore_errors=True)  # of a backup that was killed
        work.mkdir(mode=0o700)
        try:
            copies, left_out = _copies(state_dir, work, progress)
            copies[CONFIG] = config_file
            made = work / target.name
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                manifest = _write(file, copies, _facts(work, release, now_ms))
                file.flush()
                os.fsync(file.fileno())
            verify(made)
            made.rename(target)
            sync(target.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return manifest, left_out


def opened(file: Path) -> tuple[tarfile.TarFile, Manifest]:
    """A backup, and what it says it holds. Raises BackupBroken."""
    try:
        archive = tarfile.open(file, "r:")  # noqa: SIM115 - it is the caller's to close
        try:
            fields = json.load(_member(archive, MANIFEST))
            if fields["version"] != VERSION:
                raise BackupBroken(f"{file}: version {fields['version']}, where this release reads {VERSION}")
            files = {name: Content(**content) for name, content in fields.pop("files").items()}
            return archive, Manifest(**fields, files=files)
        except BaseException:
            archive.close()
            raise
    except OSError as error:
        raise BackupBroken(f"{file}: {error.strerror}") from error
    except (tarfile.TarError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BackupBroken(f"{file}: not a backup, or cut off: {error}") from error


def verify(file: Path) -> Manifest:
    """Read a whole backup. Raises BackupBroken if a byte of it is not what was put in."""
    archive, manifest = opened(file)
    with archive:
        for name in manifest.files:
            copy_out(archive, manifest, name)
    return manifest


def copy_out(archive: tarfile.TarFile, manifest: Manifest, name: str, to: BinaryIO | None = None) -> None:
    """Copy one file out of a backup, or only look at it. Raises BackupBroken if it is not what was put in."""
    digest, size = hashlib.sha256(), 0
    try:
        with closing(_member(archive, name)) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                if to:
                    to.write(chunk)
    except (KeyError, tarfile.TarError) as error:
        raise BackupBroken(f"{name}: not in the backup, or cut off") from error
    if Content(size, digest.hexdigest()) != manifest.files[name]:
        raise BackupBroken(f"{name}: damaged: it is not what was put into the backup")


def _member(archive: tarfile.TarFile, name: str) -> io.BufferedReader:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream  # type: ignore[return-value]  # typeshed: IO[bytes]


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copies(state_dir: Path, work: Path, progress: Progress) -> tuple[dict[str, Path], list[Path]]:
    """Name in the backup -> the file to take; databases are copied to `work` first."""
    copies, left_out = {}, []
    for name in DATABASES:
        if (state_dir / name).is_file():
            _copy_database(state_dir / name, work / name, progress if name == FILE_NAME else lambda done, total: None)
            copies[STATE + name] = work / name
    if STATE + FILE_NAME not in copies:
        raise JournalBroken(f"{state_dir / FILE_NAME}: no journal here")
    for folder, subfolders, names in os.walk(state_dir):
        for name in sorted(names + [sub for sub in subfolders if (Path(folder) / sub).is_symlink()]):
            path = Path(folder) / name
            inside = path.relative_to(state_dir)
            if str(inside) in NOT_COPIED:
                continue
            if path.is_file() and not path.is_symlink():
                copies[STATE + inside.as_posix()] = path
            elif not path.is_socket():
                left_out.append(path)
    return copies, left_out


def _copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy as of one moment, however much is written meanwhile, and check every page of the copy."""
    with named_faults(source):
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, BUSY_TIMEOUT_S, isolation_level=None, uri=True)) as live:
            live.execute("BEGIN")  # without it a copy in steps begins anew with every commit of the gateway
            live.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                live.backup(copy, pages=STEP_PAGES, progress=lambda _, left, total: progress(total - left, total))
    with named_faults(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
        if (found := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise JournalBroken(f"{source}: damaged: {found}")


def _facts(work: Path, release: str, now_ms: int) -> Manifest:
    with closing(Reader.open(work)) as reader:
        reader.newest_checkpoint()  # its signature holds
        head, head_hash = reader.head()
        epoch = reader.marks().get(marks.EPOCH, 0)
        return Manifest(VERSION, release, now_ms, reader.gateway_id.hex(), head, head_hash.hex(), epoch)


def _write(file: BinaryIO, copies: dict[str, Path], manifest: Manifest) -> Manifest:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in copies.items():
            # What may change under our hands is small and read at once; the copied databases stand still.
            with path.open("rb") as source:
                stream = source if name in map(STATE.__add__, DATABASES) else io.BytesIO(source.read())
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                size = stream.seek(0, os.SEEK_END)
                stream.seek(0)
                _add(archive, name, size, stream)
            manifest.files[name] = Content(size, digest)
        data = json.dumps(asdict(manifest), indent=1).encode()
        _add(archive, MANIFEST, len(data), io.BytesIO(data))
    return manifest


def _add(archive: tarfile.TarFile, name: str, size: int, stream: BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, stream)


@contextmanager
def world_named(file: Path) -> Iterator[None]:
    """Name the file that the world refused: full disk, no permission. Raises BackupBroken."""
    try:
        yield
    except OSError as error:
        raise BackupBroken(f"{error.filename or file}: {error.strerror or error}") from error
