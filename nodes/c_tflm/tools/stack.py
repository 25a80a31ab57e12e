"""Worst use of stack of a linked program: every chain of calls, each function with the frame that the compiler states.

`python tools/stack.py PROGRAM.elf --calls tools/calls.toml ROOT...` prints the deepest chain below each root, and fails
where there is no bound: on recursion, on a frame whose size is not known when compiling, and on a call through a
pointer of which calls.toml does not say where it may lead.

Who calls whom is read from the program's own instructions, so that calls which the compiler adds by itself (64-bit
division, memcpy) are there, too. Frames of our functions are those that GCC states (-fcallgraph-info=su); of library
functions what their instructions push. A function that ends by jumping to another counts as calling it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from nodes.c_tflm.tools.size import Piece, pieces

OUTSIDE, OPTIONAL = "port", "or none"
"""Targets in calls.toml: a function of the board, whose stack comes on top and is the board's to state; and that the
others are of parts which a firmware may be without."""

_SYMBOL = re.compile(r"^([0-9a-f]{8}) <([^>]+)>:$")
_LINE = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*?)(?:\s*[@;].*)?$")
_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes \(([\w,]+)\)')
_BRANCH = re.compile(r"^(b|bl|blx)(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?(\.n|\.w)?$")
_REGISTER_CALL = re.compile(r"^(blx|bx)(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?$")
_PUSHES = re.compile(r"^(push|stmdb)(\.w)?$")


class UnboundedError(Exception):
    """There is no bound; the text says why."""


@dataclass
class Function:
    """One function of the program. `name` is `module:function`, frame and calls as found."""

    name: str
    frame: int = 0
    calls: set[str] = field(default_factory=set)
    indirect: int = 0
    unbounded: str = ""
    """Why nothing can be said of it, if that is so."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The deepest chain from a root on: bytes, and the functions of it."""

    bytes: int
    chain: tuple[str, ...]


def functions(program: Path, objdump: str) -> dict[str, Function]:
    """All functions of a program by `module:function`."""
    code = [piece for piece in pieces(program) if piece.section.startswith(".text")]
    listing = subprocess.run(
        [objdump, "-d", "--no-show-raw-insn", str(program)], check=True, capture_output=True, text=True
    ).stdout
    names: dict[int, str] = {}
    bodies: dict[str, list[tuple[str, str]]] = {}
    for line in listing.splitlines():
        if symbol := _SYMBOL.match(line):
            address = int(symbol[1], 16)
            current = bodies.setdefault(names.setdefault(address, f"{_module_of(code, address)}:{symbol[2]}"), [])
        elif instruction := _LINE.match(line):
            current.append((instruction[2], instruction[3]))
    frames = _stated_frames(program.parent)
    return {name: _function(name, body, names, frames) for name, body in bodies.items() if not name.startswith("?")}


def _module_of(code: Sequence[Piece], address: int) -> str:
    return next((piece.module for piece in code if piece.address <= address < piece.address + piece.size), "?")


def _stated_frames(build: Path) -> dict[str, tuple[int, str]]:
    """What GCC states, by `module:function`."""
    frames = {}
    for file in build.rglob("*.ci"):
        module = str(file.relative_to(build).with_suffix(""))
        for title, size, kind in _NODE.findall(file.read_text(encoding="utf-8")):
            frames[f"{module}:{title.rpartition(':')[2]}"] = (int(size), kind)
    return frames


def _function(
    name: str, body: Sequence[tuple[str, str]], names: Mapping[int, str], frames: Mapping[str, tuple[int, str]]
) -> Function:
    found = Function(name)
    for operation, operands in body:
        _take(found, operation, operands, names)
    if ".a(" in name.split(":", maxsplit=1)[0]:
        return found
    size, kind = frames.get(name) or frames.get(re.sub(r"\.\d+$", "", name)) or (0, "not stated")
    if kind not in ("static", "dynamic,bounded"):
        found.unbounded = f"its frame is {kind}"
    found.frame = size
    return found


def _take(found: Function, operation: str, operands: str, names: Mapping[int, str]) -> None:
    if _BRANCH.match(operation) and (target := re.match(r"([0-9a-f]+) <", operands)):
        callee = names.get(int(target[1], 16))
        if callee is not None and (callee != found.name or operation.startswith("bl")):
            found.calls.add(callee)
    elif _REGISTER_CALL.match(operation):
        found.indirect += operands.strip() != "lr"
    elif _PUSHES.match(operation) and (operation.startswith("push") or operands.startswith("sp!")):
        found.frame += 4 * _registers(operands[operands.index("{") :])
    elif operation.startswith("sub") and (bytes_ := re.match(r"sp(?:, sp)?, #(\d+)$", operands)):
        found.frame += int(bytes_[1])
    elif operation.startswith("str") and (down := re.search(r"\[sp, #-(\d+)\]!", operands)):
        found.frame += int(down[1])


def _registers(listed: str) -> int:
    """How many registers are in `{r4, r6-r8, lr}`."""
    order = {f"r{i}": i for i in range(16)} | {"sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}
    count = 0
    for part in listed.strip("{}").split(","):
        first, _, last = part.strip().partition("-")
        count += order[last] - order[first] + 1 if last else 1
    return count


def resolve(known: Mapping[str, Function], listed: Mapping[str, Sequence[str]]) -> None:
    """Enter where calls through pointers may lead. `listed`: `module:function` -> targets, each `port`, `or none` or a
    pattern of `module:function`. UnboundedError if one leads nowhere, or is listed and calls through no pointer.
    """
    for name, function in known.items():
        if function.indirect and name not in listed:
            function.unbounded = function.unbounded or "it calls through a pointer, and the list does not say where to"
    for name, targets in listed.items():
        if name not in known:
            continue
        if not known[name].indirect:
            raise UnboundedError(f"{name} is listed and calls through no pointer")
        for target in targets:
            matching = {other for other in known if fnmatch(other, target)}
            if not matching and not {OUTSIDE, OPTIONAL} & {target, *targets}:
                raise UnboundedError(f"{name}: nothing here is called {target}")
            known[name].calls |= matching


def deepest(known: Mapping[str, Function], root: str) -> Depth:
    """The deepest chain from `root` on. UnboundedError on recursion, and if nothing can be said of a function in it."""
    return _deepest(known, root, {}, ())


def _deepest(known: Mapping[str, Function], name: str, done: dict[str, Depth], above: tuple[str, ...]) -> Depth:
    if name in above:
        raise UnboundedError("recursion: " + " > ".join((*above[above.index(name) :], name)))
    if known[name].unbounded:
        raise UnboundedError(f"{name}: {known[name].unbounded}")
    if name not in done:
        below = [_deepest(known, callee, done, (*above, name)) for callee in sorted(known[name].calls)]
        worst = max(below, key=lambda depth: depth.bytes, default=Depth(0, ()))
        done[name] = Depth(known[name].frame + worst.bytes, (name, *worst.chain))
    return done[name]


def worst(program: Path, calls: Path, roots: Sequence[str], objdump: str) -> dict[str, Depth]:
    """The deepest chain below each root (a function's name without module). UnboundedError if there is no bound."""
    known = functions(program, objdump)
    resolve(known, tomllib.loads(calls.read_text(encoding="utf-8"))["calls"])
    found = {}
    for root in roots:
        names = [name for name in known if name.rpartition(":")[2] == root]
        if len(names) != 1:
            raise UnboundedError(f"{root}: {len(names)} functions of this name in {program.name}")
        found[root] = deepest(known, names[0])
    return found


def main() -> int:
    """Entry point: 1 if there is no bound."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("roots", nargs="+")
    parser.add_argument("--calls", type=Path, default=Path(__file__).with_name("calls.toml"))
    parser.add_argument("--objdump", default="arm-none-eabi-objdump")
    options = parser.parse_args()
    try:
        found = worst(options.program, options.calls, options.roots, options.objdump)
    except UnboundedError as reason:
        print(f"{options.program.name}: stack without a bound: {reason}", file=sys.stderr)
        return 1
    known = functions(options.program, options.objdump)
    for root, depth in found.items():
        print(f"{depth.bytes:7,} bytes of stack at most below {root}")
        print("\n".join(f"{known[name].frame:7,}      {name}" for name in depth.chain))
    return 0


if __name__ == "__main__":
    sys.exit(main())
