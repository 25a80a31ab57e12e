"""The disk that forgets (powerloss.c), seen from the driver: seed it, cut the power, look at what is left; and the file
through which syncs are made slow and the clock is moved.
"""

from __future__ import annotations

import mmap
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SECTOR = 512
CONTROL = struct.Struct("<qqqq")  # fsync_delay_ms, clock_ns, syncs, write_fault


class Control:
    """What a running shim is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(CONTROL.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), CONTROL.size)

    def _set(self, index: int, value: int) -> None:
        self._map[8 * index : 8 * index + 8] = value.to_bytes(8, "little", signed=True)

    def slow_sync(self, delay_s: float) -> None:
        """Every fsync and fdatasync takes so much longer from now on."""
        self._set(0, round(delay_s * 1000))

    def step_clock(self, offset_s: float) -> None:
        """The process sees CLOCK_REALTIME so far ahead of (or behind) the true one from now on."""
        self._set(1, round(offset_s * 1e9))

    def refuse_writes(self, fault: int) -> None:
        """Every write below the disk fails with this errno from now on; 0: none does."""
        self._set(3, fault)

    @property
    def syncs(self) -> int:
        """How often a file or directory was synced."""
        syncs: int = CONTROL.unpack(self._map[:])[2]
        return syncs


def shim(name: str, folder: Path) -> Path:
    """Compile NAME.c for LD_PRELOAD."""
    library = folder / f"{name}.so"
    flags = ("-std=c11", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", *flags, "-o", str(library), str(HERE / f"{name}.c"), "-ldl", "-lpthread"], check=True)
    return library


class Disk:
    """A folder whose unsynced writes a power cut takes away."""

    def __init__(self, state: Path, scratch: Path) -> None:
        self.state = state
        self._platter = scratch / "platter"
        self._lost = scratch / "before-the-cut"
        scratch.mkdir(parents=True, exist_ok=True)
        self.control = Control(scratch / "control")
        self.env = {
            "LD_PRELOAD": str(shim("powerloss", scratch)),
            "STETHOS_DISK": str(state.resolve()),
            "STETHOS_PLATTER": str(self._platter.resolve()),
            "STETHOS_CONTROL": str(self.control.path),
        }

    def seed(self) -> None:
        """All that is in the folder now is durable. Before every start of a process on it."""
        shutil.rmtree(self._platter, ignore_errors=True)
        data, names = self._platter / "data", self._platter / "names"
        data.mkdir(parents=True)
        names.mkdir()
        for directory in self._directories(self.state):
            lines = []
            for path in sorted(directory.iterdir()):
                if path.is_dir():
                    lines.append(f"d {path.name}\n")
                elif path.is_file():
                    lines.append(f"{path.stat().st_ino} {path.name}\n")
                    shutil.copy(path, data / str(path.stat().st_ino))
            below = directory.relative_to(self.state).as_posix().replace("/", "%")
            (names / f"%{'' if below == '.' else below}").write_text("".join(lines))

    def cut(self, torn: random.Random | None = None) -> int:
        """Put what was synced in the place of what was written; with `torn`, sectors that were written and never synced
        are there or not, as it falls. The process must be dead. Returns how many bytes of files were lost.
        """
        shutil.rmtree(self._lost, ignore_errors=True)
        self.state.rename(self._lost)
        lost = self._restore("", self.state, self._lost, torn)
        self.state.chmod(0o700)
        self.seed()
        return lost

    def _restore(self, below: str, out: Path, was: Path, torn: random.Random | None) -> int:
        out.mkdir()
        listing = self._platter / "names" / f"%{below.replace('/', '%')}"
        lost = 0
        for line in listing.read_text().splitlines() if listing.exists() else ():
            identity, name = line.split(" ", 1)
            if identity == "d":
                lost += self._restore(f"{below}/{name}".lstrip("/"), out / name, was / name, torn)
                continue
            kept = self._platter / "data" / identity
            data = kept.read_bytes() if kept.exists() else b""
            written = (was / name).read_bytes() if (was / name).is_file() else b""
            lost += _different(data, written)
            (out / name).write_bytes(_torn(data, written, torn) if torn else data)
            (out / name).chmod(kept.stat().st_mode & 0o777 if kept.exists() else 0o600)
        return lost

    def _directories(self, top: Path) -> Iterator[Path]:
        yield top
        for path in top.rglob("*"):
            if path.is_dir():
                yield path


def _different(kept: bytes, written: bytes) -> int:
    sectors = range(0, max(len(kept), len(written)), SECTOR)
    return SECTOR * sum(kept[at : at + SECTOR] != written[at : at + SECTOR] for at in sectors)


def _torn(kept: bytes, written: bytes, choose: random.Random) -> bytes:
    """Each sector is the synced or the written one; so is the file's length."""
    size = choose.choice((len(kept), len(written)))
    kept, written = kept.ljust(size, b"\0"), written.ljust(size, b"\0")
    return b"".join(choose.choice((kept, written))[at : at + SECTOR] for at in range(0, size, SECTOR))[:size]
