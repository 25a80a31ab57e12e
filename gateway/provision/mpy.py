""".mpy files, and which of them a board takes: py/persistentcode.h of MicroPython 1.25."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.provision.boards import BoardUnfit

ARCHITECTURES = (
    "no", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc",
)  # fmt: skip
_THUMB = range(ARCHITECTURES.index("armv6m"), ARCHITECTURES.index("armv7emdp") + 1)


@dataclass(frozen=True, slots=True)
class Abi:
    """Of a file, or of a board: the version of the format, and whose machine code."""

    version: int
    sub_version: int  # of native code
    arch: int

    @classmethod
    def of(cls, header: int) -> Abi:
        """Bytes 1 and 2 of a file as one little-endian number, or sys.implementation._mpy of a board."""
        flags = header >> 8
        return cls(header & 0xFF, flags & 3, flags >> 2 & 15)

    @classmethod
    def of_file(cls, file: Path) -> Abi:
        """Raises BoardUnfit if it is no .mpy file."""
        try:
            start = file.read_bytes()[:4]
        except OSError as error:
            raise BoardUnfit(f"{file}: {error.strerror}") from error
        if len(start) < 4 or start[:1] != b"M":
            raise BoardUnfit(f"{file}: is no .mpy file")
        return cls.of(int.from_bytes(start[1:3], "little"))

    def takes(self, file: Abi) -> bool:
        """Whether a board of this kind loads such a file. A larger Cortex-M runs the code of a smaller one."""
        if file.version != self.version:
            return False
        if not file.arch:
            return True
        fits = file.arch == self.arch or (file.arch in _THUMB and self.arch in _THUMB and file.arch <= self.arch)
        return fits and file.sub_version == self.sub_version

    def __str__(self) -> str:
        name = ARCHITECTURES[self.arch] if self.arch < len(ARCHITECTURES) else f"architecture {self.arch}"
        return f"version {self.version}.{self.sub_version}, {name} code"
