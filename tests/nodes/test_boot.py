"""ports/stm32l4/boot: which of two firmwares the boot stub starts, in QEMU, which reads flash and cannot write it."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.nodes.slot_flash import ACTIVE, BAD, COMPLETE, CONFIRMED, MODEL, PUBLIC, REPLIES, manifest

ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "c_tflm"
CC = "arm-none-eabi-gcc"
QEMU = "qemu-system-arm"
SLOTS = (0x0_8000, 0x8_8000)
FLASH_BEGIN = 0x0800_0000
HEAD = 0x800
FLASH = 0x10_0000
KEY_AT = 0x7800
AT_MARKS, AT_TRIES = 136, 264
MARKS = {COMPLETE: b"complete", ACTIVE: b"activate", CONFIRMED: b"confirm!", BAD: b"bad! bad"}
IN_USE = (COMPLETE, ACTIVE, CONFIRMED)
BOARD = b"b-l475e-iot01a"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The stub, and the test's firmware linked for each slot."""
    absent = [tool for tool in (CC, QEMU) if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} not installed (deploy/system-packages test)")
    build = tmp_path_factory.mktemp("boot")
    subprocess.run(
        ["make", "-s", "-C", str(NODE), "boot", f"BUILD={build}", f"PYTHON={sys.executable}", "WERROR=-Werror"],
        check=True,
    )
    to_binary(build / "stethos-boot-stm32l4.elf", build / "stub.bin")
    for name, address in zip("AB", SLOTS, strict=True):
        elf = build / f"{name}.elf"
        flags = ["-std=gnu11", "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-nostdlib", "-nostartfiles"]
        script = build / f"{name}.ld"
        script.write_text(
            f"SECTIONS {{ . = {FLASH_BEGIN + address + HEAD}; .all : {{ KEEP(*(.vectors)) *(.text* .rodata*) }} }}"
        )
        source = Path(__file__).parent / "boot" / "app.c"
        subprocess.run(
            [CC, *flags, f'-DNAME="{name}\\n"', f"-I{NODE}/ports/stm32l4/boot", f"-T{script}", "-o", elf, source],
            check=True,
        )
        to_binary(elf, build / f"{name}.bin")
    return build


def to_binary(elf: Path, out: Path) -> None:
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(out)], check=True)


def slot_bytes(
    payload: bytes, counter: int, slot: int, *, marks: tuple[int, ...] = IN_USE, tries: int = 0, **manifest_options: Any
) -> bytes:
    """A slot as flash holds it: head page and payload (core/slots.c)."""
    head = bytearray(b"\xff" * HEAD)
    head[:128] = manifest(payload, counter, **{"slot": slot, "board": BOARD, **manifest_options})
    crc = zlib.crc32(head[:128])
    head[128:136] = struct.pack("<II", crc, crc ^ 0xFFFF_FFFF)
    for mark in marks:
        head[AT_MARKS + 32 * mark : AT_MARKS + 32 * mark + 8] = MARKS[mark]
    head[AT_TRIES : AT_TRIES + 8 * tries] = b"try! try" * tries
    return bytes(head) + payload


class Flash:
    """The board's flash: stub, key, and what the slots hold."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.bytes = bytearray(b"\xff" * FLASH)
        self.image = folder / "flash.bin"
        self.put(0, (built / "stub.bin").read_bytes())
        self.put(KEY_AT, PUBLIC)
        self.app = [(built / f"{name}.bin").read_bytes() for name in "AB"]

    def put(self, at: int, data: bytes) -> None:
        self.bytes[at : at + len(data)] = data

    def slot(self, slot: int, counter: int, *, payload: bytes | None = None, **options: Any) -> None:
        self.put(SLOTS[slot], slot_bytes(self.app[slot] if payload is None else payload, counter, slot, **options))

    def start(self, timeout_s: float = 60) -> list[str]:
        """The lines of the firmware that was started; none if it does not come to its end in this time."""
        self.image.write_bytes(self.bytes)
        command = [QEMU, "-M", "b-l475e-iot01a", "-kernel", str(self.image), "-display", "none", "-monitor", "none",
                   "-serial", "null", "-semihosting-config", "enable=on,target=native"]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False
            )
        except subprocess.TimeoutExpired as late:
            return (late.stderr or b"").decode().split("\n")[:-1]
        return done.stderr.decode().split("\n")[:-1]


@pytest.fixture
def flash(built, tmp_path) -> Flash:
    flash = Flash(built, tmp_path)
    flash.slot(0, 1)
    return flash


def test_one_image_starts_and_has_the_stub_verify_for_it(flash):
    assert flash.start() == ["A", "good", "refused"]


def test_the_higher_counter_starts(flash):
    flash.slot(1, 2)
    assert flash.start()[0] == "B"
    flash.slot(0, 3)
    assert flash.start()[0] == "A"


def test_an_image_on_trial_starts(flash):
    flash.slot(1, 2, marks=(COMPLETE, ACTIVE))
    assert flash.start()[0] == "B"


FALLS_BACK: dict[str, dict[str, Any]] = {
    "not complete": {"marks": (ACTIVE,)},
    "not activated": {"marks": (COMPLETE,)},
    "bad": {"marks": (*IN_USE, BAD)},
    "tries used up": {"marks": (COMPLETE, ACTIVE), "tries": 3},
    "other key": {"key": Ed25519PrivateKey.from_private_bytes(bytes(32))},
    "not signed": {"key": None},
    "other board": {"board": b"nucleo-f411"},
    "other slot": {"slot": 0},
    "other store": {"store": MODEL},
}


@pytest.mark.parametrize("case", FALLS_BACK)
def test_what_is_not_to_be_started_leaves_the_other_one(flash, case):
    flash.put(SLOTS[1], slot_bytes(flash.app[1], 2, **{"slot": 1, **FALLS_BACK[case]}))
    assert flash.start()[0] == "A"


def test_one_flipped_bit_of_the_payload_leaves_the_other_one(flash):
    flash.slot(1, 2)
    flash.bytes[SLOTS[1] + HEAD + 20] ^= 1
    assert flash.start()[0] == "A"


def test_an_image_that_is_linked_for_the_other_slot_does_not_start_whatever_it_says(flash):
    flash.slot(1, 2, payload=flash.app[0])
    assert flash.start()[0] == "A"
    flash.put(SLOTS[0], b"\xff" * HEAD)
    assert flash.start(timeout_s=2) == []


def test_without_a_key_nothing_starts(flash):
    flash.put(KEY_AT, b"\xff" * 32)
    assert flash.start(timeout_s=2) == []


@pytest.fixture(scope="module")
def decisions(tmp_path_factory) -> ctypes.CDLL:
    """The stub's own decisions, on this computer."""
    out = tmp_path_factory.mktemp("vectors") / "vectors.so"
    source = NODE / "ports" / "stm32l4" / "boot" / "vectors.c"
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{NODE}/core", "-o", str(out), str(source)], check=True)
    library = ctypes.CDLL(str(out))
    library.boot_vectors_fit.restype = ctypes.c_bool
    library.boot_note.restype = ctypes.c_uint32
    library.boot_note_slot.restype = ctypes.c_int8
    return library


BEGIN, SIZE = 0x0800_8800, 0x5_7800


@pytest.mark.parametrize(
    ("stack", "entry", "fits"),
    [
        (0x2001_8000, BEGIN + 0x101, True),
        (0x1000_8000, BEGIN + SIZE - 1, True),
        (0x2001_8008, BEGIN + 0x101, False),  # above the memory
        (0x2000_0000, BEGIN + 0x101, False),  # nothing below it
        (0x2001_7FFC, BEGIN + 0x101, False),  # AAPCS wants 8
        (0xFFFF_FFFF, 0xFFFF_FFFF, False),  # erased
        (0x2001_8000, BEGIN + 0x100, False),  # not Thumb
        (0x2001_8000, BEGIN + 5, False),  # into the vectors
        (0x2001_8000, BEGIN - 1, False),
        (0x2001_8000, BEGIN + SIZE + 1, False),
        (0x2001_8000, 0x0808_8901, False),  # the other slot
    ],
)
def test_vectors_that_a_firmware_can_start_by(decisions, stack, entry, fits):
    ram = (ctypes.c_uint32 * 6)(0x2000_0000, 0x2001_8000, 0x1000_0000, 0x1000_8000, 0, 0)
    assert decisions.boot_vectors_fit(struct.pack("<II", stack, entry), BEGIN, SIZE, ram) == fits


def test_the_note_says_which_slot_and_why_not_the_other(decisions):
    hash_, ok = REPLIES.index("hash"), 0
    note = decisions.boot_note(1, (ctypes.c_int * 2)(hash_, ok))
    assert note == 0xB0_01_00_00 | hash_
    assert decisions.boot_note_slot(note) == 1
    assert [decisions.boot_note_slot(other) for other in (0, 0xFFFF_FFFF, 0xB002_0000)] == [-1, -1, -1]
