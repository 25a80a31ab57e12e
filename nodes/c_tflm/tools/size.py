"""Flash and RAM of a linked program by module and function, from the linker's map.

`python tools/size.py PROGRAM.elf [--functions]` prints them; `make size` does so for the whole core.
Flash is code, constants and what variables start with; RAM is variables. What lies in `.buffers` (the samples, which a
node needs whatever its firmware is like) and the start-up of the bench (ports/) are told apart from the node.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FLASH = (".text", ".ARM.exidx", ".data")
RAM = (".data", ".bss")
HARNESS = "ports/"
OURS = ("ports/bench/node_state", "ports/small/")
"""What a firmware keeps in RAM for the core, and what stands for the C library in it: no part of the harness."""
_OUTPUT = re.compile(r"^(\.[\w.]+)\s+0x")
_INPUT = re.compile(r"^ (\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s+(\S.*))?$")
_PREFIX = re.compile(r"^\.(?:text|rodata|srodata|data|sdata|bss|sbss)\.")
_STRINGS = re.compile(r"\.str\d+\.\d+$")


@dataclass(frozen=True, slots=True)
class Piece:
    """An input section that the linker kept: one function or one variable, as everything is compiled."""

    output: str
    section: str
    address: int
    size: int
    module: str
    """Path of the source below nodes/c_tflm without its ending, or the member of a library: `libgcc.a(_divdi3.o)`."""

    @property
    def name(self) -> str:
        """The function or variable, or the section where it is not one alone."""
        return _STRINGS.sub(" (texts)", _PREFIX.sub("", self.section))


def pieces(program: Path) -> list[Piece]:
    """All of a program, from the map beside it (`PROGRAM.elf.map`). ValueError if that is not a map of GNU ld."""
    text = program.with_name(program.name + ".map").read_text(encoding="utf-8")
    _, found, placed = text.partition("\nLinker script and memory map\n")
    if not found:
        raise ValueError(f"{program}: its map is not one of GNU ld")
    # A long name has its numbers on the next line.
    lines = re.sub(r"^( ?\S+)\n {10,}(?=0x)", r"\1 ", placed, flags=re.MULTILINE).splitlines()
    kept: list[Piece] = []
    output = ""
    for line in lines:
        if new := _OUTPUT.match(line):
            output = new[1]
        elif line[:1].strip() == "" and (part := _INPUT.match(line)) and output in {*FLASH, *RAM, ".buffers"}:
            section, address, size, origin = part[1], int(part[2], 16), int(part[3], 16), part[4]
            if size and (origin is not None or section == "*fill*"):
                kept.append(Piece(output, section, address, size, _module(origin, program.parent)))
    return kept


def _module(origin: str | None, build: Path) -> str:
    if origin is None:
        return "(alignment)"
    path, member, rest = origin.partition("(")
    if member:
        return f"{Path(path).name}({rest}"
    inside = Path(path)
    return str(inside.relative_to(build) if inside.is_relative_to(build) else Path(inside.name)).removesuffix(".o")


def is_harness(piece: Piece) -> bool:
    """Is it of the bench's own start-up, printing and measuring?"""
    return piece.module.startswith(HARNESS) and not piece.module.startswith(OURS)


def flash(parts: Iterable[Piece]) -> int:
    """Bytes of flash."""
    return sum(piece.size for piece in parts if piece.output in FLASH)


def ram(parts: Iterable[Piece]) -> int:
    """Bytes of RAM, stack and `.buffers` apart."""
    return sum(piece.size for piece in parts if piece.output in RAM)


def node(program: Path) -> list[Piece]:
    """What a firmware would hold: all but the harness."""
    return [piece for piece in pieces(program) if not is_harness(piece)]


def by_module(parts: Iterable[Piece]) -> Mapping[str, list[Piece]]:
    """The same by module, each from its largest piece on."""
    found: dict[str, list[Piece]] = defaultdict(list)
    for piece in sorted(parts, key=lambda piece: -piece.size):
        found[piece.module].append(piece)
    return found


def table(parts: Iterable[Piece], *, functions: bool) -> str:
    """Text for people: the largest module first, and with `functions` its pieces."""
    modules = sorted(by_module(parts).items(), key=lambda item: (-flash(item[1]), item[0]))
    everything = [piece for _, found in modules for piece in found]
    lines = [f"{'flash':>7} {'RAM':>7}  module"]
    for module, found in modules:
        lines.append(f"{flash(found):7,} {ram(found):7,}  {module}")
        if functions:
            lines += [f"{flash([piece]):7,} {ram([piece]):7,}      {piece.name}" for piece in found]
    lines.append(f"{flash(everything):7,} {ram(everything):7,}  all")
    return "\n".join(lines)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("program", type=Path, help="an ELF file of the build, its map beside it")
    parser.add_argument("--functions", action="store_true", help="name each function and variable, too")
    options = parser.parse_args()
    print(table(node(options.program), functions=options.functions))


if __name__ == "__main__":
    main()
