"""ports/template: compiles as it stands, and is a node on made-up hardware; docs/porting.md says what is so."""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import subprocess
import zlib
from binascii import crc_hqx
from itertools import pairwise
from pathlib import Path

import pytest
from cobs import cobs

from gateway.energy import Board, Radio, Sensor
from gateway.energy.header import header
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, Flag, Window, decode_up, encode

ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "c_tflm"
TEMPLATE = NODE / "ports" / "template"
PAGE_DOC = ROOT / "docs" / "porting.md"
KID, SECRET = bytes.fromhex("7f3a01c2"), bytes(range(16))
FLASH_PAGE, FLASH_SIZE = 64, 64 * 6
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"]


@pytest.fixture(scope="module")
def firmware(node_build: Path, tmp_path_factory) -> Path:
    """The template over tests/nodes/template/board.c."""
    build = tmp_path_factory.mktemp("template")
    table = Board.load("stm32l475"), Sensor.load("lis2dw12"), Radio.load("lpuart")
    (build / "energy_stm32l475_lis2dw12_lpuart.h").write_text(header(*table))
    sources = [*sorted(TEMPLATE.glob("*.c")), ROOT / "tests" / "nodes" / "template" / "board.c"]
    out = build / "firmware"
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", *WARNINGS, f"-I{NODE}/core", f"-I{NODE}/infer", f"-I{TEMPLATE}",
         f"-I{build}", *map(str, sources), "-o", str(out), f"-L{node_build}", "-lstethos-node",
         f"-Wl,-rpath,{node_build},--allow-shlib-undefined"],  # a sanitized library has its runtime from LD_PRELOAD
        check=True,
    )  # fmt: skip
    return out


def identity() -> bytes:
    """What is written into PAGE_IDENTITY when the node is made."""
    body = b"STID" + KID + SECRET + bytes(4)
    return body + struct.pack("<I", zlib.crc32(body))


class Line:
    """The gateway's end of the serial line; a run of the firmware is one power-on."""

    def __init__(self, firmware: Path, folder: Path) -> None:
        self.firmware = firmware
        self.flash = folder / "flash"
        self.flash.write_bytes(identity().ljust(FLASH_PAGE, b"\xff").ljust(FLASH_SIZE, b"\xff"))
        keys = NodeKeys(KID, SECRET)
        self.up, self.down = Cipher.up(keys), Cipher.down(keys, 0)
        self.partial_ivs: set[int] = set()
        self.partial_iv = 0
        self.broken = 0
        self.clocks: list[int] = []

    def run(self, wakes: int, **options: int) -> list:
        """The messages of one power-on, each acknowledged."""
        ours, theirs = socket.socketpair()
        with self.flash.open("r+b") as flash, theirs:
            options |= {"WAKES": wakes, "LINE": theirs.fileno(), "FLASH": flash.fileno()}
            process = subprocess.Popen(
                [str(self.firmware)],
                pass_fds=[theirs.fileno(), flash.fileno()],
                env={**os.environ, **{name: str(value) for name, value in options.items()}},
                stdout=subprocess.PIPE,
            )
        messages, buffer = [], b""
        with ours:
            while select.select([ours], [], [], 60)[0] and (data := ours.recv(4096)):
                *frames, buffer = (buffer + data).split(b"\0")
                messages += [message for frame in frames if frame and (message := self.take(frame, ours))]
        clocks, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        self.clocks = [int(text) for text in clocks.split()]
        return messages

    def take(self, frame: bytes, line: socket.socket):
        try:
            data = cobs.decode(frame)
        except cobs.DecodeError:
            self.broken += 1
            return None
        if crc_hqx(data[:-2], 0xFFFF).to_bytes(2, "big") != data[-2:]:
            self.broken += 1
            return None
        sealed = parse(data[:-2])
        assert sealed.partial_iv not in self.partial_ivs
        self.partial_ivs.add(sealed.partial_iv)
        message = decode_up(self.up.open(sealed))
        self.partial_iv += 1
        ack = Ack(base=message.seq, bitmap=0, time_ms=1790000000000, next_s=0, mail=0, birth_wanted=False)
        answer = self.down.seal(self.partial_iv, encode(ack))
        line.sendall(cobs.encode(answer + crc_hqx(answer, 0xFFFF).to_bytes(2, "big")) + b"\0")
        return message


@pytest.fixture
def line(firmware, tmp_path) -> Line:
    return Line(firmware, tmp_path)


def test_it_compiles_and_sends_a_birth_and_a_window_each_wake(line):
    messages = line.run(3)
    assert isinstance(messages[0], Birth)
    assert (messages[0].hardware, messages[0].reset_cause) == ("template", 1)
    windows = [message for message in messages if isinstance(message, Window)]
    assert len(windows) == 3
    assert not any(isinstance(message, Flag) for message in messages)


def test_wakes_keep_to_their_grid_though_sleeps_are_cut_short_and_the_clock_wraps_round(line):
    line.run(5)
    assert line.clocks[0] > line.clocks[-1]
    between = [(later - earlier) % 2**32 for earlier, later in pairwise(line.clocks)]
    assert all(ms == pytest.approx(60_000, abs=1500) for ms in between[1:]), between  # the first wake has its Birth


def test_a_reset_goes_on_above_all_numbers_that_were_used(line):
    line.run(2)
    before = max(line.partial_ivs)
    messages = line.run(2)
    assert isinstance(messages[0], Birth)
    assert messages[0].full_seq >= 1024
    assert min(iv for iv in line.partial_ivs if iv > before) >= 1024


@pytest.mark.parametrize(("option", "why"), [("SENSOR_ABSENT", 7), ("SENSOR_STOPPED", 7), ("SENSOR_OVERRUN", 6)])
def test_a_sensor_that_fails_is_a_fault_of_its_own(line, option, why):
    messages = line.run(2, **{option: 1})
    assert [message.why for message in messages if isinstance(message, Flag)] == [why, why]
    assert not any(isinstance(message, Window) for message in messages)


def test_a_frame_that_was_torn_spoils_no_other(line):
    messages = line.run(3, LINE_TEARS=1)
    assert line.broken == 1
    assert isinstance(messages[0], Birth)
    assert sum(isinstance(message, Window) for message in messages) == 3


@pytest.mark.parametrize("spoil", ["no identity", "damaged identity", "lost records"])
def test_a_node_that_must_not_send_does_not(line, spoil):
    assert line.run(1)
    flash = bytearray(line.flash.read_bytes())
    if spoil == "no identity":
        flash[:FLASH_PAGE] = b"\xff" * FLASH_PAGE
    elif spoil == "damaged identity":
        flash[9] ^= 1
    else:
        flash[2 * FLASH_PAGE :] = b"\xff" * (FLASH_SIZE - 2 * FLASH_PAGE)
    line.flash.write_bytes(flash)
    assert line.run(2) == []


DRIVERS = set(re.findall(r"^\w[\w ]*?\**(\w+)\((?:void|\w)", (TEMPLATE / "drivers.h").read_text(), re.MULTILINE))


def test_the_page_names_every_driver_and_nothing_that_is_not_there():
    text = PAGE_DOC.read_text()
    assert len(DRIVERS) == 14
    named = set(re.findall(r"`(\w+)\(\)`", text))
    assert named >= DRIVERS, DRIVERS - named
    sources = "".join(
        path.read_text() for path in [*TEMPLATE.glob("*"), *NODE.glob("core/*.h"), *NODE.glob("infer/*.h")]
    )
    assert all(re.search(rf"\b{name}\b", sources) for name in named)


def test_every_file_and_make_target_that_the_page_names_is_there():
    text = PAGE_DOC.read_text()
    for path in re.findall(r"`((?:nodes|gateway|docs|tests)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    makefiles = "".join(path.read_text() for path in [NODE / "Makefile", *NODE.glob("make/*.mk")])
    for target in re.findall(r"`make (?:-C nodes/c_tflm )?(\w+)`", text):
        assert re.search(rf"^\.PHONY:.*\b{target}\b|^{target}:", makefiles, re.MULTILINE), target


def test_the_command_of_the_page_compiles_the_template():
    """The compiler's line in the page, with this computer's compiler in the place of the board's."""
    (command,) = re.findall(r"^    (\$CC .*(?:\n      .*)*)", PAGE_DOC.read_text(), re.MULTILINE)
    words = command.split()
    assert words[0] == "$CC" and "ports/template/port.c" in words
    flags = [word for word in words[1:] if word.startswith("-") and not word.startswith("-m") and "BUILD" not in word]
    done = subprocess.run(["cc", *flags, "-fsyntax-only", "-Iports/template", "core/energy.c"], cwd=NODE, check=False)
    assert done.returncode == 0
