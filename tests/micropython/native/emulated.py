"""MicroPython's qemu port, asked over its raw REPL: a board of another architecture, with files in its RAM."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

# A file system of what QEMU has laid into the board's memory: the port has none of its own.
FILES = """
import io, sys, uctypes, vfs
class Files:
    def mount(self, readonly, mkfs): pass
    def umount(self): pass
    def stat(self, path):
        name = path.lstrip("/")
        if name in kept: return (0x8000,) + (0,) * 9
        for other in kept:
            if other.startswith(name + "/"): return (0x4000,) + (0,) * 9
        raise OSError(2)
    def open(self, path, mode):
        name = path.lstrip("/")
        if name not in kept: raise OSError(2)
        return io.BytesIO(uctypes.bytearray_at(*kept[name]))
vfs.mount(Files(), "/")
sys.path[:] = ["scripts", "lib"]
"""
ENDED = "(0,)\n"
BEGIN, END, DONE = b"\x01", b"\x04", b">"


class Failed(AssertionError):
    """A script has raised; what it said."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """A board of MicroPython's qemu port, the .mpy architecture of its processor, and how QEMU is called. At `memory`
    there is RAM that the port makes no use of. `script`: of the linker, with how much RAM it knows, and shall know.
    """

    board: str
    arch: str
    emulator: str
    machine: tuple[str, ...]
    memory: int
    settings: tuple[str, ...] = ("CFLAGS_EXTRA=-Wno-error",)
    script: tuple[str, str, str] | None = None


RISCV, OLDER = "riscv64-unknown-elf", "-misa-spec=2.2"
BOARDS = {
    "armv6m": Emulated(
        "MICROBIT", "armv6m", "qemu-system-arm",
        ("-machine", "microbit", "-global", "nrf51-soc.flash-size=1048576", "-global", "nrf51-soc.sram-size=16777216"),
        0x20800000,
        # So it takes machine code: the port leaves it to larger boards.
        ("CFLAGS_EXTRA=-Wno-error -DMICROPY_EMIT_THUMB=1 -DMICROPY_EMIT_INLINE_THUMB=0",),
        ("mcu/arm/nrf51.ld", "256K", "4M"),
    ),
    "armv7m": Emulated("MPS2_AN385", "armv7m", "qemu-system-arm", ("-machine", "mps2-an385"), 0x21000000),
    "rv32imc": Emulated(
        "VIRT_RV32", "rv32imc", "qemu-system-riscv32", ("-machine", "virt", "-bios", "none"), 0x84000000,
        # By the newer names of the instruction set (..._zicsr), Debian's compiler does not find its libraries.
        ("RV32_ABI=ilp32", "RV32_ARCH=rv32imac", "CFLAGS_EXTRA=-Wno-error", f"CC={RISCV}-gcc {OLDER}",
         f"AS={RISCV}-as {OLDER}"),
    ),
}  # fmt: skip


class Board:
    """A board with files, which runs within `with`. Not thread-safe."""

    def __init__(self, emulated: Emulated, firmware: Path, files: Mapping[str, bytes]) -> None:
        self._memory = tempfile.NamedTemporaryFile()  # noqa: SIM115
        kept = {}
        for name, data in files.items():
            kept[name] = emulated.memory + self._memory.tell(), len(data)
            self._memory.write(data + bytes(-len(data) % 8))
        self._memory.flush()
        command = [
            emulated.emulator, *emulated.machine, "-display", "none", "-monitor", "none", "-semihosting",
            "-serial", "stdio", "-kernel", str(firmware),
            "-device", f"loader,file={self._memory.name},addr={emulated.memory:#x},force-raw=on",
        ]  # fmt: skip
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors)
        self._kept = kept

    def __enter__(self) -> Self:
        try:
            self._read_to(b">>> ")
            self._write(BEGIN)
            self._read_to(b"exit\r\n" + DONE)
            self.run(f"kept = {self._kept}\n{FILES}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._qemu.kill()
        self._qemu.communicate()
        self._errors.close()
        self._memory.close()

    def run(self, script: str) -> str:
        """What it prints. `Failed` with the traceback if it raises."""
        self._write(script.encode() + END)
        self._read_to(b"OK")
        said = self._read_to(END)[:-1].decode(errors="replace").replace("\r\n", "\n")
        raised = self._read_to(END + DONE)[:-2].decode(errors="replace")
        if raised:
            raise Failed(said + raised)
        return said

    def run_to_exit(self, module: str, *arguments: str) -> str:
        """What a module prints that ends with sys.exit. `Failed` unless that is 0."""
        start = f"sys.argv[:] = {['', *arguments]}"
        said = self.run(f"{start}\ntry:\n    import {module}\nexcept SystemExit as end:\n    print(end.args)\n")
        if not said.endswith(ENDED):
            raise Failed(said)
        return said.removesuffix(ENDED)

    def _write(self, data: bytes) -> None:
        assert self._qemu.stdin is not None
        self._qemu.stdin.write(data)
        self._qemu.stdin.flush()

    def _read_to(self, mark: bytes) -> bytes:
        assert self._qemu.stdout is not None
        found = bytearray()
        while not found.endswith(mark):
            byte = self._qemu.stdout.read(1)
            if not byte:
                self._errors.seek(0)
                raise Failed(f"QEMU has ended: {bytes(found)!r} {self._errors.read()!r}")
            found += byte
        return bytes(found)
