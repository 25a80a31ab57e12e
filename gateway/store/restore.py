"""Restoring a backup onto a new box: all of it, or nothing.

The state folder is made under another name beside its place, verified, and renamed; then the configuration. Until both
are there the gateway's key has a name under which no gateway finds it, so that none starts on half of it; giving the
key its own name is the last step. Whoever is cut off before it gives the same command again.

What the gateway has answered since the backup it cannot know, so no answer may be sealed as one of those was
(nodes/wire/SPEC.md, "Epoch"). Time sees to that, whichever backup is restored, and however often: the day becomes the
epoch, which gives new keys, and the time of day becomes the first partial IV. So the nodes follow each restore, and a
later one is above all earlier ones.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gateway.core.event_id import restored_mark
from gateway.store import identity, marks
from gateway.store.backup import (
    CONFIG,
    STATE,
    BackupBroken,
    Manifest,
    copy_out,
    opened,
    sync,
    world_named,
)
from gateway.store.journal import Journal
from gateway.store.keys import Registry
from gateway.store.reader import Reader

DAY_MS = 86_400_000
FIRST_DAY = 18_262  # 2020-01-01, in days since 1970
LAST_EPOCH = 0xFFFF  # nodes/wire/SPEC.md: 2 bytes, which as days last until 2199
PARTIAL_IVS_PER_MS = (
    32  # more than a gateway can use; a third of the 32 bits is left to count on from the last of a day
)
KEPT_SUFFIX, NEW_SUFFIX = ".before-restore", ".restoring"
HELD_KEY = f"{identity.KEY_FILE_NAME}.restoring-"  # and when the backup was made


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has done."""

    manifest: Manifest
    epoch: int
    kept_config: Path | None  # where the configuration that differed is now


def configuration(file: Path) -> str:
    """The stethos.toml of a backup. Raises BackupBroken."""
    archive, manifest = opened(file)
    with archive, world_named(file):
        stream = archive.extractfile(CONFIG) if CONFIG in manifest.files else None
        if stream is None:
            raise BackupBroken(f"{file}: no {CONFIG} in it")
        return stream.read().decode()


def restore(file: Path, state_dir: Path, config_file: Path, *, now_ms: int) -> Restored:
    """Put state and configuration of a backup in their places, or go on where the same was cut off. A configuration
    that is there and differs is kept beside the restored one. Raises BackupBroken if the state folder is not empty, or
    JournalBroken, JournalFull, RegistryBroken; then the state folder is as before.
    """
    archive, manifest = opened(file)
    work = state_dir.with_name(f"{state_dir.name}{NEW_SUFFIX}")
    new_config = config_file.with_name(f"{config_file.name}{NEW_SUFFIX}")
    held = state_dir / f"{HELD_KEY}{manifest.made_ms}"
    with world_named(state_dir), archive:
        begun = held.exists()
        if not begun:
            _refuse_a_life(state_dir)
        try:
            if not begun:
                _make_state(archive, manifest, work, held.name, like=state_dir, now_ms=now_ms)
            kept = _make_config(archive, manifest, new_config, like=config_file)
            if not begun:
                work.rename(state_dir)  # onto nothing, or onto an empty folder
                sync(state_dir.parent)
            new_config.rename(config_file)
            sync(config_file.parent)
            held.rename(state_dir / identity.KEY_FILE_NAME)
            sync(state_dir)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            new_config.unlink(missing_ok=True)
    with closing(Reader.open(state_dir)) as reader:
        return Restored(manifest, reader.marks()[marks.EPOCH], kept)


def _refuse_a_life(state_dir: Path) -> None:
    there = sorted(path.name for path in state_dir.iterdir()) if state_dir.is_dir() else []
    if any(name.startswith(HELD_KEY) for name in there):
        raise BackupBroken(f"{state_dir}: another backup was being restored here: go on with that, or empty the folder")
    if there:
        raise BackupBroken(f"{state_dir}: not empty ({', '.join(there[:3])}...): a gateway lives here, or has lived")


def _make_state(
    archive: tarfile.TarFile, manifest: Manifest, work: Path, key_name: str, *, like: Path, now_ms: int
) -> None:
    """The whole state in `work`, durable, with its key under `key_name`."""
    shutil.rmtree(work, ignore_errors=True)  # of a restore that was killed
    work.mkdir(mode=0o700, parents=True)
    _unpack(archive, manifest, work)
    _start_epoch(work, manifest, now_ms)
    (work / identity.KEY_FILE_NAME).rename(work / key_name)
    _settle(work, like)


def _unpack(archive: tarfile.TarFile, manifest: Manifest, work: Path) -> None:
    for name in manifest.files:
        inside = PurePosixPath(name.removeprefix(STATE))
        if name == CONFIG:
            continue
        if not name.startswith(STATE) or inside.is_absolute() or ".." in inside.parts:
            raise BackupBroken(f"{name}: no name for a file of the state folder")
        path = work / inside
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to:
            copy_out(archive, manifest, name, to)


def _start_epoch(work: Path, manifest: Manifest, now_ms: int) -> None:
    """Open journal and registry as the gateway will, compare, and raise the epoch."""
    with closing(Registry.open(work)) as registry:
        registry.list()
    with closing(Journal.open(work, create=False)) as journal:
        head, head_hash = journal.head()
        if (journal.gateway_id.hex(), head, head_hash.hex()) != (
            manifest.gateway_id, manifest.head, manifest.head_hash,
        ):  # fmt: skip
            raise BackupBroken(f"{work}: the journal is not the one that the backup speaks of")
        before = journal.marks()
        epoch = max(before.get(marks.EPOCH, 0) + 1, now_ms // DAY_MS - FIRST_DAY)
        if epoch > LAST_EPOCH:
            raise BackupBroken(f"epoch {epoch - 1} is the last: give every node a new key (stethos node rekey)")
        first = now_ms % DAY_MS * PARTIAL_IVS_PER_MS
        down = {name: first for name in (*before, marks.DOWN_FROM) if name.startswith((marks.DOWN, marks.DOWN_FROM))}
        life = {restored_mark(now_ms): journal.last_event}
        journal.set_marks({marks.EPOCH: epoch} | down | life)


def _settle(work: Path, like: Path) -> None:
    """Durable, and the property of whoever owned the empty state folder and of nobody else."""
    owner = like.stat() if like.is_dir() and os.geteuid() == 0 else None
    for folder, _, names in os.walk(work, topdown=False):
        Path(folder).chmod(0o700)
        for path in (*(Path(folder) / name for name in names), Path(folder)):
            if owner:
                os.chown(path, owner.st_uid, owner.st_gid)
            sync(path)


def _make_config(archive: tarfile.TarFile, manifest: Manifest, new: Path, *, like: Path) -> Path | None:
    """The configuration in `new`, durable, readable by whom the one that is there is. Returns where a copy of that one
    is kept if it differs.
    """
    new.parent.mkdir(parents=True, exist_ok=True)
    with new.open("wb") as to:
        copy_out(archive, manifest, CONFIG, to)
        if like.exists():
            there = like.stat()
            os.fchmod(to.fileno(), stat.S_IMODE(there.st_mode))
            if os.geteuid() == 0:
                os.fchown(to.fileno(), there.st_uid, there.st_gid)
        to.flush()
        os.fsync(to.fileno())
    if not like.exists() or like.read_bytes() == new.read_bytes():
        return None
    kept = like.with_name(f"{like.name}{KEPT_SUFFIX}")
    shutil.copy2(like, kept)
    sync(kept)
    return kept
