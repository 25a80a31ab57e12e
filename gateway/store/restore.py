"""Restoring a backup onto a new box: all of it, or nothing.

The state folder is made under another name beside its place, verified, and renamed. What the gateway has answered
since the backup it cannot know, so no answer may be sealed as one of those was (nodes/wire/SPEC.md, "Epoch"). Time
sees to that, whichever backup is restored, and however often: the day becomes the epoch, which gives new keys, and the
time of day becomes the first partial IV. So the nodes follow each restore, and a later one is above all earlier ones.
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
from gateway.store import marks
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

DAY_MS = 86_400_000
FIRST_DAY = 18_262  # 2020-01-01, in days since 1970
LAST_EPOCH = 0xFFFF  # nodes/wire/SPEC.md: 2 bytes, which as days last until 2199
PARTIAL_IVS_PER_MS = (
    32  # more than a gateway can use; a third of the 32 bits is left to count on from the last of a day
)
KEPT_SUFFIX = ".before-restore"


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
    """Put state and configuration of a backup in their places. A configuration that is there and differs is kept
    beside the restored one. Raises BackupBroken if the state folder is not empty, or JournalBroken, JournalFull,
    RegistryBroken; then the state folder is as before.
    """
    if state_dir.is_dir() and (there := sorted(path.name for path in state_dir.iterdir())):
        raise BackupBroken(f"{state_dir}: not empty ({', '.join(there[:3])}...): a gateway lives here, or has lived")
    work = state_dir.with_name(f"{state_dir.name}.restoring")
    archive, manifest = opened(file)
    with world_named(state_dir), archive:
        shutil.rmtree(work, ignore_errors=True)  # of a restore that was killed
        work.mkdir(mode=0o700, parents=True)
        try:
            _unpack(archive, manifest, work)
            epoch = _start_epoch(work, manifest, now_ms)
            _settle(work, like=state_dir)
            kept = _place_config(archive, manifest, config_file)
            work.rename(state_dir)  # onto nothing, or onto an empty folder
            sync(state_dir.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Restored(manifest, epoch, kept)


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


def _start_epoch(work: Path, manifest: Manifest, now_ms: int) -> int:
    """Open journal and registry as the gateway will, compare, and raise the epoch. Returns the new one."""
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
    return epoch


def _settle(work: Path, like: Path) -> None:
    """Durable, and the property of whoever owned the empty state folder and of nobody else."""
    owner = like.stat() if like.is_dir() and os.geteuid() == 0 else None
    for folder, _, names in os.walk(work, topdown=False):
        Path(folder).chmod(0o700)
        for path in (*(Path(folder) / name for name in names), Path(folder)):
            if owner:
                os.chown(path, owner.st_uid, owner.st_gid)
            sync(path)


def _place_config(archive: tarfile.TarFile, manifest: Manifest, config_file: Path) -> Path | None:
    new = config_file.with_name(f"{config_file.name}.restoring")
    kept = None
    config_file.parent.mkdir(parents=True, exist_ok=True)
    with new.open("wb") as to:
        copy_out(archive, manifest, CONFIG, to)
        if config_file.exists():
            there = config_file.stat()
            os.fchmod(to.fileno(), stat.S_IMODE(there.st_mode))
            if os.geteuid() == 0:
                os.fchown(to.fileno(), there.st_uid, there.st_gid)
        to.flush()
        os.fsync(to.fileno())
    if config_file.exists() and config_file.read_bytes() != new.read_bytes():
        kept = config_file.with_name(f"{config_file.name}{KEPT_SUFFIX}")
        shutil.copy2(config_file, kept)
    new.rename(config_file)
    sync(config_file.parent)
    return kept
