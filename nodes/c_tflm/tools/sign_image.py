"""Make an image that a node takes into a slot (core/image.h): manifest, signature, payload.

    python sign_image.py key firmware-key.pem                  a new key; prints the public half in hex, for the board
    python sign_image.py image --key firmware-key.pem --board b-l475e-iot01a --store firmware --slot A --counter 7
        firmware.bin firmware.sti
    python sign_image.py image ... --in-use 2048 firmware.bin slot.bin

The second makes what goes over the air. The third makes what a slot holds once the image is in use, with a head of so
many bytes (the page of struct port_store): what a board is given when it is made. A firmware is linked for one slot.
"""

from __future__ import annotations

import argparse
import binascii
import hashlib
import struct
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

STORES = ("model", "config", "learner", "firmware")
SLOTS = {"A": 0, "B": 1, "any": 255}
BOARD_MAX = 16
WORD, SPARES = 8, 4
MARKS = (b"complete", b"activate", b"confirm!")


def manifest(payload: bytes, *, board: str, store: str, slot: str, counter: int, key: Ed25519PrivateKey) -> bytes:
    """128 bytes. ValueError if the board's name is not 1 to 16 bytes of ASCII, or the counter no number above 0."""
    name = board.encode("ascii")
    if not 1 <= len(name) <= BOARD_MAX or not 0 < counter < 1 << 32:
        raise ValueError(f"board {board!r}, counter {counter}")
    head = struct.pack("<4sBB2x16sII32s", b"STI1", STORES.index(store), SLOTS[slot], name, counter, len(payload),
                       hashlib.sha256(payload).digest())  # fmt: skip
    return head + key.sign(head)


def in_use(image: bytes, head: int) -> bytes:
    """What a slot holds: head of `head` bytes, marked complete, active and confirmed (core/slots.c), and payload."""
    crc = binascii.crc32(image[:128])
    marks = b"".join(mark.ljust(WORD * SPARES, b"\xff") for mark in MARKS)
    return (image[:128] + struct.pack("<II", crc, crc ^ 0xFFFF_FFFF) + marks).ljust(head, b"\xff") + image[128:]


def new_key(path: Path) -> str:
    """Writes a private key for its owner alone; the public half in hex. FileExistsError: never over another."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(pem)
    return key.public_key().public_bytes_raw().hex()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("key").add_argument("file", type=Path)
    image = commands.add_parser("image")
    image.add_argument("--key", type=Path, required=True)
    image.add_argument("--board", required=True)
    image.add_argument("--store", choices=STORES, required=True)
    image.add_argument("--slot", choices=SLOTS, default="any")
    image.add_argument("--counter", type=int, required=True)
    image.add_argument("--in-use", type=int, metavar="HEAD")
    image.add_argument("payload", type=Path)
    image.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.command == "key":
        print(new_key(options.file))
        return
    if options.store == "firmware" and options.slot == "any":
        parser.error("a firmware is linked for slot A or B")
    key = serialization.load_pem_private_key(options.key.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        parser.error(f"{options.key}: not an Ed25519 key")
    payload = options.payload.read_bytes()
    try:
        head = manifest(payload, board=options.board, store=options.store, slot=options.slot, counter=options.counter,
                        key=key)  # fmt: skip
    except ValueError as error:
        parser.error(str(error))
    whole = head + payload
    options.out.write_bytes(whole if options.in_use is None else in_use(whole, options.in_use))


if __name__ == "__main__":
    main()
