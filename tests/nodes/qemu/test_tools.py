"""tools/size.py and tools/stack.py find what they are for, in programs small enough to know the answer."""

import subprocess

import pytest

from nodes.c_tflm.tools import size, stack
from tests.nodes.qemu.emulator import PROCESSORS, SOURCES, make, run, why_not

M4 = PROCESSORS["cortex-m4"]
OBJDUMP = "arm-none-eabi-objdump"
START = (SOURCES / "ports/bench/start_arm.c", SOURCES / "ports/bench/semihost.c")
FLAGS = ("-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffunction-sections", "-fdata-sections",
         "-fcallgraph-info=su", f"-I{SOURCES / 'ports/bench'}", "--specs=nano.specs")  # fmt: skip
FOUR = """
#include <stdint.h>
__attribute__((noinline)) static uint32_t inner(uint32_t n) {
    volatile uint8_t room[100];
    room[n] = (uint8_t)n;
    return room[n] + 1u;
}
__attribute__((noinline)) static uint64_t outer(uint64_t n) {
    return n / (inner((uint32_t)n & 63) | 1u);
}
volatile uint64_t given = 1000;
static uint8_t kept[300];
int main(void) {
    kept[given & 255] = (uint8_t)given;
    return (int)(outer(given) - outer(given)) + kept[299];
}
"""


@pytest.fixture
def build(tmp_path):
    if missing := why_not(M4):
        pytest.skip(missing)

    def compile_(source, calls=""):
        """The program, and the list of calls through pointers."""
        (tmp_path / "one.c").write_text(source)
        objects = []
        for file in (tmp_path / "one.c", *START):
            objects.append(tmp_path / f"{file.stem}.o")
            subprocess.run(["arm-none-eabi-gcc", *FLAGS, "-c", str(file), "-o", str(objects[-1])], check=True)
        program = tmp_path / "one.elf"
        link = ["-nostartfiles", "-Wl,--gc-sections", f"-Wl,-Map={program}.map", f"-L{SOURCES / 'ports/bench'}",
                "-T", str(SOURCES / "ports/bench/mps2.ld"), "-o", str(program)]  # fmt: skip
        subprocess.run(["arm-none-eabi-gcc", *FLAGS, *link, *map(str, objects)], check=True)
        (tmp_path / "calls.toml").write_text(f"[calls]\n{calls}")
        return program, tmp_path / "calls.toml"

    return compile_


def test_sizes_are_those_of_the_program(build):
    program, _ = build(FOUR)
    parts = size.pieces(program)
    said = subprocess.run(["arm-none-eabi-size", "-A", str(program)], check=True, capture_output=True, text=True).stdout
    sections = {row.split()[0]: int(row.split()[1]) for row in said.splitlines() if row.startswith(".")}
    for name in (".text", ".data", ".bss"):
        assert sum(piece.size for piece in parts if piece.output == name) == sections[name]
    assert size.flash(parts) == sum(sections.get(name, 0) for name in size.FLASH)
    named = {piece.name: piece for piece in parts if piece.module == "one"}
    assert (named["kept"].size, named["given"].size) == (300, 8)
    assert named["kept"].output == ".bss"
    assert any(piece.module == "libgcc.a(_udivmoddi4.o)" for piece in parts)
    assert "all" in size.table(parts, functions=True).splitlines()[-1]


def test_the_deepest_chain_goes_through_what_the_compiler_calls_by_itself(build):
    program, calls = build(FOUR)
    depth = stack.worst(program, calls, ["main"], OBJDUMP)["main"]
    names = [name.rpartition(":")[2] for name in depth.chain]
    assert names[:2] == ["main", "outer"]
    known = stack.functions(program, OBJDUMP)
    assert known["one:inner"].frame >= 100
    assert any("divmod" in name for name in known["one:outer"].calls)
    assert depth.bytes == sum(known[name].frame for name in depth.chain)


def test_recursion_has_no_bound(build):
    source = """
int up(int n);
volatile int depth = 3;
__attribute__((noinline)) int down(int n) { return n > 0 ? up(n - 1) * depth + 1 : depth; }
__attribute__((noinline)) int up(int n) { return n > 0 ? down(n - 1) * depth + 2 : depth; }
int main(void) { return down(depth); }
"""
    with pytest.raises(stack.UnboundedError, match="recursion: one:down > one:up > one:down"):
        stack.worst(*build(source), ["main"], OBJDUMP)


POINTER = """
typedef int (*function)(int);
__attribute__((noinline)) static int big(int n) { volatile int room[64]; room[n & 63] = n; return room[0]; }
volatile function chosen = big;
int main(void) { return chosen(3) + 1; }
"""


def test_a_call_through_a_pointer_has_to_be_listed_and_the_list_to_be_true(build):
    with pytest.raises(stack.UnboundedError, match="one:main: it calls through a pointer"):
        stack.worst(*build(POINTER), ["main"], OBJDUMP)
    listed = stack.worst(*build(POINTER, '"one:main" = ["one:big"]'), ["main"], OBJDUMP)["main"]
    outside = stack.worst(*build(POINTER, '"one:main" = ["port"]'), ["main"], OBJDUMP)["main"]
    assert listed.bytes - outside.bytes >= 256
    with pytest.raises(stack.UnboundedError, match="nothing here is called one:absent"):
        stack.worst(*build(POINTER, '"one:main" = ["one:absent"]'), ["main"], OBJDUMP)
    with pytest.raises(stack.UnboundedError, match="one:big is listed and calls through no pointer"):
        stack.worst(*build(POINTER, '"one:main" = ["port"]\n"one:big" = ["port"]'), ["main"], OBJDUMP)


def test_a_frame_that_depends_on_what_comes_has_no_bound(build):
    source = """
volatile int n = 9;
__attribute__((noinline)) static int sum(int many) {
    volatile char room[many];
    room[many - 1] = 1;
    return room[0];
}
int main(void) { return sum(n); }
"""
    with pytest.raises(stack.UnboundedError, match="one:sum: its frame is dynamic"):
        stack.worst(*build(source), ["main"], OBJDUMP)


def test_a_program_that_faults_is_told_apart(build, tmp_path):
    program, _ = build("int main(void) { return *(volatile int *)0xf0000000; }")
    with pytest.raises(AssertionError, match="the processor faulted"):
        run(M4, program, tmp_path)


def test_the_whole_core_has_a_bound_on_its_stack():
    if missing := why_not(M4):
        pytest.skip(missing)
    program = make("cortex-m4/bench_node.elf") / "cortex-m4" / "bench_node.elf"
    found = stack.worst(program, SOURCES / "tools" / "calls.toml", ["node_init", "node_step"], OBJDUMP)
    assert 0 < found["node_step"].bytes <= STACK_PROMISED


STACK_PROMISED = 2560
