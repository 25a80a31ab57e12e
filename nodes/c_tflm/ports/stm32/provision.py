"""Make a node of a board: its configuration, key and model as an Intel HEX file beside the firmware.

    python provision.py --board stm32l4 --key-file pump-1.key --model image.cbor --sensor lsm6dsl node.hex

Every flash tool takes the file, and so does QEMU (`-device loader,file=node.hex`). What is in it lies in slot A of its
store, complete, active and confirmed, as core/slots.h has it; slot B is for what comes over the air, and is emptied.
The key must be one that no node has used: `stethos node add` gives it out, one line of id and secret.

    python provision.py --board stm32l4 --key-file pump-1.key --wake-ms 60000 --air 2 schedule.sti

With --air it is the image of another configuration for the same node, which the gateway sends it: its number is above
that of the one before (the first has 1).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cbor2

from gateway.detectors import feature_sets
from gateway.provision import recommended
from gateway.provision.stm32_config import CHIPS, LINES, SENSORS, STORE_CONFIG, STORE_MODEL, Page, slot
from gateway.wire.image import manifest_for

FEATURE_SETS = {"statistics": 1, "invariant": 2, "principal": 5}
"""Of vibration; nodes/wire/SPEC.md, "Feature sets"."""
WORD = 8


def settle(options: argparse.Namespace) -> None:
    """What is not said, as `stethos node provision` has it (gateway/provision/recommended.py)."""
    options.hardware = options.hardware or CHIPS[options.board].board
    number = recommended.feature_set(round(options.rate * 1000), options.channels)
    options.features = options.features or feature_sets.NAMES[number]
    if options.learn is None:
        number, channels = FEATURE_SETS[options.features], options.channels
        if options.model:  # the board computes what its model wants
            _, number, channels, *_ = cbor2.loads(options.model.read_bytes())
        size = feature_sets.size(number, min(channels, options.channels))
        options.learn = recommended.windows_that_fit(size)
        print(recommended.learning(options.learn, size, model=bool(options.model), off="--learn 0"))
    if options.window_every is None:
        options.window_every = 0 if options.model or options.learn else 1


def configuration(options: argparse.Namespace) -> bytes:
    """The configuration: struct config_page."""
    kid, secret = map(bytes.fromhex, options.key_file.read_text(encoding="ascii").split())
    names = (
        "wake_ms heartbeat_ms baud listen_ms samples window_every flag_repeat channels sensor learn line radio_min_mv"
        " hardware short_samples whole_every alert_after clear_after alert_on_fault"
    )
    said = {name: getattr(options, name) for name in names.split()}
    page = Page(kid=kid, secret=secret, rate_millihz=round(options.rate * 1000),
                feature_set=FEATURE_SETS[options.features], **said)  # fmt: skip
    try:
        return page.pack()
    except ValueError as error:
        raise SystemExit(f"{options.key_file}, --hardware: {error}") from error


def intel_hex(parts: dict[int, bytes]) -> Iterator[str]:
    """The lines of the file: extended linear addresses, 16 bytes a line, end."""

    def line(kind: int, address: int, data: bytes) -> str:
        record = bytes([len(data), address >> 8 & 0xFF, address & 0xFF, kind]) + data
        return f":{(record + bytes([-sum(record) & 0xFF])).hex().upper()}"

    for begin, content in sorted(parts.items()):
        upper = -1
        for at in range(begin, begin + len(content), 16):
            if at >> 16 != upper:
                upper = at >> 16
                yield line(4, 0, upper.to_bytes(2, "big"))
            yield line(0, at & 0xFFFF, content[at - begin : min(at - begin + 16, len(content))])
    yield line(1, 0, b"")


def arguments() -> argparse.ArgumentParser:
    """The command line; schedule and names are those of stethos-node."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the file")
    parser.add_argument("--air", type=int, metavar="N", help="write an image that goes over the air instead")
    parser.add_argument("--board", choices=CHIPS, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="model image; without one the node sends windows for training")
    parser.add_argument("--sensor", choices=SENSORS, default="lsm6dsl")
    parser.add_argument("--rate", type=float, default=208.0, help="samples a second")
    parser.add_argument("--channels", type=int, default=6)
    parser.add_argument("--samples", type=int, default=0, help="per channel in one window; 0: what the model wants")
    parser.add_argument("--learn", type=int, help="windows to learn from; 0: no learner [default: what fits of 240]")
    parser.add_argument("--wake-ms", type=int, default=10_000)
    parser.add_argument("--heartbeat-ms", type=int, default=3_600_000)
    parser.add_argument("--listen-ms", type=int, default=500)
    parser.add_argument("--window-every", type=int, help="0 with a model or a learner, else 1")
    parser.add_argument("--flag-repeat", type=int, default=1)
    parser.add_argument("--line", choices=LINES, default="usart", help="the serial port to the gateway")
    parser.add_argument("--baud", type=int, default=115_200)
    parser.add_argument("--features", choices=FEATURE_SETS, help="if no model says it; by rate and axes unless given")
    parser.add_argument("--short-samples", type=int, default=0, help="look at so many first; 0: at the whole window")
    parser.add_argument("--whole-every", type=int, default=0, help="the whole window in every n-th wake all the same")
    parser.add_argument("--radio-min-mv", type=int, default=0, help="below it nothing is sent")
    parser.add_argument("--alert-after", type=int, default=0, help="light the lamp after so many looks; 0: never")
    parser.add_argument("--clear-after", type=int, default=0, help="and put it out after so many; 0: when acknowledged")
    parser.add_argument("--alert-on-fault", action="store_true", help="a sensor fault counts as anomalous for the lamp")
    parser.add_argument("--hardware", help="what its Birth says; the board's name unless given")
    return parser


def main() -> None:
    """Write the file."""
    options = arguments().parse_args()
    chip = CHIPS[options.board]
    settle(options)
    options.out.touch(mode=0o600)  # there is a key in it
    if options.air is not None:
        page = configuration(options)
        options.out.write_bytes(manifest_for(chip.board, STORE_CONFIG, page, options.air).pack() + page)
        return
    none = b"\xff" * (2 * WORD)  # what came over the air would be newer than this
    parts = {chip.config: slot(chip, STORE_CONFIG, configuration(options)), chip.config + chip.other: none}
    if options.model:
        model = slot(chip, STORE_MODEL, options.model.read_bytes())
        if len(model) > chip.size:
            raise SystemExit(f"{options.model}: too large for its slot by {len(model) - chip.size} bytes")
        parts |= {chip.model: model, chip.model + chip.other: none}
    options.out.write_text("\n".join(intel_hex(parts)) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
