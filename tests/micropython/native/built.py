"""The native module, built for a processor: one build at a time, whoever asks for it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.micropython.native.emulated import Emulated

ROOT = Path(__file__).parents[3]
BUILT = ROOT / "build" / "micropython"
NATIVE = ROOT / "nodes" / "micropython" / "native"
MODULE = "stethos_native.mpy"
COMPILERS = {"x64": "gcc", "rv32imc": "riscv64-unknown-elf-gcc", "xtensawin": "xtensa-esp32-elf-gcc"}
UNIX = (
    "VARIANT=standard", "MICROPY_PY_BTREE=0", "MICROPY_PY_FFI=0", "MICROPY_PY_SSL=0",
    f"FROZEN_MANIFEST={NATIVE.parent / 'manifest.py'}", f"USER_C_MODULES={NATIVE.parent}",
    "CFLAGS_EXTRA=-Wno-error -DMICROPY_PY_CRYPTOLIB=1 -DMICROPY_SSL_MBEDTLS=1", "LDFLAGS_EXTRA=-lmbedcrypto",
)  # fmt: skip
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def make(folder: Path, *settings: str) -> None:
    """One build at a time. AssertionError with what make said."""
    with (BUILT / ".native.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-s", f"-j{os.cpu_count() or 1}", "-C", str(folder), *settings],
                              env=ENVIRONMENT, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def compiler(arch: str) -> str:
    """The one for a processor."""
    return COMPILERS.get(arch, "arm-none-eabi-gcc")


def why_not(arch: str) -> str:
    """Why the module cannot be built for a processor here; "" if it can."""
    if shutil.which(compiler(arch)) is None:
        return f"{compiler(arch)} not installed (deploy/system-packages test)"
    return "" if importlib.util.find_spec("elftools") else "MicroPython's linker wants pyelftools"


def mpy(arch: str, **settings: str) -> Path:
    """The folder of the module for a processor. AssertionError with what make said."""
    out = BUILT / "native"
    make(NATIVE, f"ARCH={arch}", f"MPY_DIR={BUILT / 'source'}", f"OUT={out}", f"PYTHON={sys.executable}",
         *(f"{name}={value}" for name, value in settings.items()))  # fmt: skip
    parts = [settings.get("OPERATORS", ""), *(f"no-{part}" for part in settings.get("WITHOUT", "").split())]
    return out / "-".join([arch, *filter(None, parts)])


def firmware() -> Path:
    """A unix port with the module and the node's files built in, as a firmware of one's own."""
    build = BUILT / "unix-firmware"
    make(BUILT / "source" / "ports" / "unix", f"BUILD={build}", *UNIX)
    return build / "micropython"


def board_firmware(board: Emulated) -> Path:
    """MicroPython's qemu port for a board, with 1 MB of heap."""
    build, port = BUILT / f"qemu-{board.board}", BUILT / "source" / "ports" / "qemu"
    settings = list(board.settings)
    if board.script:
        name, knows, shall_know = board.script
        script = BUILT / f"{board.board}.ld"
        script.write_text((port / name).read_text().replace(knows, shall_know))
        settings.append(f"LDSCRIPT={script}")
    make(port, f"BOARD={board.board}", f"BUILD={build}", "FROZEN_MANIFEST=", "MICROPY_HEAP_SIZE=1048576", *settings)
    return build / "firmware.elf"
