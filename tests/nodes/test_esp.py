"""ports/esp32: the component's port and the example, compiled for this computer over fakes of what of ESP-IDF they use.

A run of the program is one wake; its folder is what the board keeps (tests/nodes/fakes_idf/fake_idf.c).
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import socket
import struct
import subprocess
import threading
import zlib
from pathlib import Path

import pytest

from gateway.energy import Board, Radio, Sensor
from gateway.energy.header import header
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, Chunk, DownMessage, Flag, Health, Offer, Result, Window, decode_up, encode
from tests.nodes.model_images import image
from tests.nodes.slot_flash import MODEL, manifest

ROOT = Path(__file__).parents[2]
NODE = ROOT / "nodes" / "c_tflm"
ESP = NODE / "ports" / "esp32"
FAKES = Path(__file__).parent / "fakes_idf"
KID, SECRET = bytes.fromhex("7f3a01c2"), bytes(range(16))
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror"]
WAKE_US = 60_000_000


@pytest.fixture(scope="module")
def firmware(node_build: Path, tmp_path_factory) -> Path:
    """Port and example over the fakes, with the core of the node's library."""
    build = tmp_path_factory.mktemp("esp")
    table = Board.load("esp32c3"), Sensor.load("lis2dw12"), Radio.load("wifi")
    (build / "energy_esp32c3_lis2dw12_wifi.h").write_text(header(*table))
    include = [FAKES, NODE / "core", NODE / "infer", ESP / "component", ESP / "component" / "include", build]
    sources = [*ESP.glob("component/*.c"), *ESP.glob("example/main/*.c"), *FAKES.glob("*.c")]
    objects = []
    for source in sources:
        objects.append(str(build / f"{source.stem}.o"))
        checks = [] if source.parent == FAKES else WARNINGS
        subprocess.run(
            ["cc", "-std=c11", "-D_GNU_SOURCE", *checks, *(f"-I{path}" for path in include), "-c", str(source),
             "-o", objects[-1]],
            check=True,
        )  # fmt: skip
    out = build / "firmware"
    subprocess.run(
        ["cc", "-o", str(out), *objects, f"-L{node_build}", "-lstethos-node",
         f"-Wl,-rpath,{node_build},--allow-shlib-undefined"],  # a sanitized library has its runtime from LD_PRELOAD
        check=True,
    )  # fmt: skip
    return out


class Gateway(threading.Thread):
    """Acknowledges each datagram; hands out an image, if it has one, piece by piece as the node's Results want it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.received: list = []
        self.partial_ivs: list[int] = []
        self.answers = True
        self.offer: tuple[Offer, bytes] | None = None
        self.told = 0
        self.asked = False  # and no Result has come

    def mail(self, message: object) -> list[DownMessage]:
        """What goes out behind the Ack of `message`: one at a time, for a Result each."""
        if self.offer is None or (self.asked and not isinstance(message, Result)):
            return []
        offer, file = self.offer
        self.asked = True
        if not isinstance(message, Result) or message.code == 2:  # woken anew, it does not remember the offer
            return [offer]
        if message.code == 4 and message.detail is not None:
            return [Chunk(offer.id, message.detail, file[message.detail : message.detail + 384])]
        self.offer = None
        return []

    def run(self) -> None:
        keys = NodeKeys(KID, SECRET)
        up, down = Cipher.up(keys), Cipher.down(keys, 0)
        while True:
            datagram, node = self.socket.recvfrom(600)
            sealed = parse(datagram)
            assert sealed.partial_iv not in self.partial_ivs
            self.partial_ivs.append(sealed.partial_iv)
            message = decode_up(up.open(sealed))
            self.received.append(message)
            if self.answers:
                waits = self.mail(message)
                ack = Ack(base=message.seq, bitmap=0, time_ms=0, next_s=0, mail=len(waits), birth_wanted=False)
                for said in (ack, *waits):
                    self.told += 1
                    self.socket.sendto(down.seal(self.told, encode(said)), node)


class EspBoard:
    """The board: what NVS, partitions and the RTC's memory hold lies in `folder`."""

    def __init__(self, firmware: Path, folder: Path, gateway: Gateway) -> None:
        self.firmware = firmware
        self.folder = folder
        self.gateway = gateway
        self.options: dict[str, str] = {}
        port = gateway.socket.getsockname()[1]
        for key, value in {
            "kid": KID, "secret": SECRET, "ssid": b"plant", "password": b"open sesame", "fresh": b"\1",
            "gateway_ip": bytes([127, 0, 0, 1]), "gateway_port": port.to_bytes(2, "little"),
        }.items():  # fmt: skip
            (folder / f"nvs-{key}").write_bytes(value)

    def wake(self, **options: str) -> tuple[list[str], list]:
        """One wake: the calls of IDF that were logged, and the messages that came to the gateway."""
        before = len(self.gateway.received)
        log = self.folder / "calls"
        log.unlink(missing_ok=True)
        subprocess.run([str(self.firmware)], env={**os.environ, "BOARD": str(self.folder), **self.options, **options},
                       check=True, timeout=60)  # fmt: skip
        return log.read_text().splitlines(), self.gateway.received[before:]

    def lose_power(self) -> None:
        (self.folder / "rtc").unlink()


@pytest.fixture
def gateway() -> Gateway:
    gateway = Gateway()
    gateway.start()
    return gateway


@pytest.fixture
def board(firmware, tmp_path, gateway) -> EspBoard:
    return EspBoard(firmware, tmp_path, gateway)


def slept_us(calls: list[str]) -> int:
    return int(calls[-1].removeprefix("deep_sleep "))


def test_the_first_wake_looks_around_and_remembers(board):
    calls, messages = board.wake()
    assert [call for call in calls if call in {"scan", "dhcp"}] == ["scan", "dhcp"]
    assert isinstance(messages[0], Birth)
    assert (messages[0].hardware, messages[0].reset_cause, messages[0].channels) == ("esp32c3", 0, 3)
    assert isinstance(messages[1], Window)
    assert calls[-2] == "wifi_stop"
    assert 0 < slept_us(calls) <= WAKE_US


def test_later_wakes_ask_nobody_and_send_one_datagram(board):
    board.wake()
    for _ in range(3):
        calls, messages = board.wake()
        assert [type(message) for message in messages] == [Window]
        assert "scan" not in calls and "dhcp" not in calls
        assert calls.count("wifi_start") == 1
        assert "channel 6 bssid 1" in calls and "address 2a01a8c0" in calls
        assert calls.index("sensor off") < calls.index("wifi_start"), "sensor and radio are never on together"


def test_wakes_keep_to_their_grid_through_deep_sleep(board):
    """The RTC's memory holds the schedule: sleeping and working are together one wake interval."""
    calls, first = board.wake()
    _, messages = board.wake()
    assert messages[0].seq == len(first), "the node goes on, it does not start anew"
    assert not any(isinstance(message, Birth) for message in messages)
    assert slept_us(calls) > WAKE_US / 2


def test_an_access_point_that_has_moved_is_looked_for_again_once(board):
    board.wake()
    calls, messages = board.wake(AP_CHANNEL="11", AP_BSSID="02:00:5e:00:00:07")
    assert [call for call in calls if call in {"channel 6 bssid 1", "scan", "dhcp"}] == [
        "channel 6 bssid 1", "scan", "dhcp",
    ]  # fmt: skip
    assert [type(message) for message in messages] == [Window]
    board.options = {"AP_CHANNEL": "11", "AP_BSSID": "02:00:5e:00:00:07"}
    calls, _ = board.wake()
    assert "channel 11 bssid 1" in calls and "scan" not in calls


def test_without_an_access_point_the_news_waits_in_the_memory_of_the_rtc(board):
    _, first = board.wake()
    calls, messages = board.wake(AP_SSID="another")
    assert messages == []
    assert calls.count("wifi_start") == 2, "as remembered, then looked for; and no third time in this wake"
    calls, messages = board.wake()
    assert [message.seq for message in messages] == [len(first), len(first) + 1]


def test_after_a_power_failure_the_numbers_are_above_all_that_were_used(board, gateway):
    board.wake()
    board.wake()
    used = max(gateway.partial_ivs)
    board.lose_power()
    calls, messages = board.wake()
    assert "scan" in calls, "what the RTC's memory does not hold is not remembered"
    assert isinstance(messages[0], Birth)
    assert messages[0].full_seq >= 1024 and gateway.partial_ivs[-1] > used


def test_a_wake_without_news_never_starts_the_radio(board, monkeypatch):
    """A sensor that stays stuck is told once in ten wakes."""
    board.wake(SENSOR="stuck")
    calls, messages = board.wake(SENSOR="stuck")
    assert messages == []
    assert "wifi_start" not in calls and "wifi_stop" not in calls
    assert 0 < slept_us(calls) <= WAKE_US


@pytest.mark.parametrize(("sensor", "why"), [("absent", 7), ("stopped", 7), ("slow", 6), ("stuck", 4)])
def test_a_sensor_that_fails_is_a_fault_and_is_powered_down(board, sensor, why):
    calls, messages = board.wake(SENSOR=sensor)
    assert [message.why for message in messages if isinstance(message, Flag)] == [why]
    assert not any(isinstance(message, Window) for message in messages)
    if sensor != "absent":
        assert "sensor off" in calls
    _, messages = board.wake()
    assert any(isinstance(message, Health) and message.why == 0 for message in messages), "the all-clear comes at once"


@pytest.mark.parametrize("key", ["kid", "secret", "ssid", "password", "gateway_ip", "gateway_port"])
def test_a_board_that_was_not_provisioned_sleeps(board, key):
    (board.folder / f"nvs-{key}").unlink()
    calls, messages = board.wake()
    assert messages == []
    assert calls == ["deep_sleep 3600000000"]


def test_lost_records_are_not_made_anew(board):
    board.wake()
    board.lose_power()
    for file in board.folder.glob("nvs-record*"):
        file.unlink()
    calls, messages = board.wake()
    assert messages == []
    assert calls == ["deep_sleep 3600000000"]


def test_each_wake_is_short_where_it_costs(board, gateway):
    """An Ack ends the listening: no 300 ms of a radio that is on."""
    board.wake()
    gateway.answers = False
    calls, _ = board.wake()
    unanswered = slept_us(calls)
    gateway.answers = True
    board.wake()
    calls, _ = board.wake()
    assert slept_us(calls) > unanswered + 200_000


def put_model(board: EspBoard, payload: bytes, slot: str = "a", marks: int = 2, counter: int = 1) -> Path:
    """A slot of the model with its first `marks` marks: complete, active, confirmed."""
    head = manifest(payload, counter, store=MODEL, board=b"esp32c3", key=None)
    crc = zlib.crc32(head)
    words = [b"complete", b"activate", b"confirm!"][:marks]
    head += struct.pack("<II", crc, crc ^ 0xFFFF_FFFF) + b"".join(word.ljust(32, b"\xff") for word in words)
    for name in "ab":
        (board.folder / f"model_{name}").touch()
    file = board.folder / f"model_{slot}"
    file.write_bytes((head.ljust(4096, b"\xff") + payload).ljust(0x10000, b"\xff"))
    for name in "ab":
        other = board.folder / f"model_{name}"
        if other.stat().st_size == 0:
            other.write_bytes(b"\xff" * 0x10000)
    return file


def test_a_model_in_its_partition_is_used_and_confirmed(board):
    payload = image((9, 6, 9))
    file = put_model(board, payload)
    _, messages = board.wake()
    assert messages[0].model == hashlib.sha256(payload).digest()[:8]
    assert messages[0].generation == 5
    assert not any(isinstance(message, Window) for message in messages), "with a model, windows are judged here"
    assert b"confirm!" in file.read_bytes()


def test_a_model_that_fails_its_self_test_gives_way_to_the_one_before(board):
    good, bad = image((9, 6, 9)), bytearray(image((9, 5, 9)))
    put_model(board, good, "a", marks=3)
    bad[-1] ^= 1  # the error that the self-test must give
    file = put_model(board, bytes(bad), "b", marks=2, counter=2)
    _, messages = board.wake()
    assert messages[0].model == hashlib.sha256(good).digest()[:8]
    assert b"bad! bad" in file.read_bytes()


def test_a_damaged_model_is_a_fault_and_windows_come_all_the_same(board):
    file = put_model(board, image((9, 6, 9)), marks=3)
    contents = bytearray(file.read_bytes())
    contents[4096 + 100] ^= 1
    file.write_bytes(contents)
    _, messages = board.wake()
    assert [message.why for message in messages if isinstance(message, Flag)] == [8]
    assert messages[0].model is None
    assert any(isinstance(message, Window) for message in messages)


def test_a_model_comes_over_the_air(board, gateway):
    """In some wakes, because one has eight exchanges; each begins where the one before has stopped."""
    old, new = image((9, 6, 9)), image((9, 5, 9))
    put_model(board, old, "a", marks=3)
    file = manifest(new, 2, store=MODEL, board=b"esp32c3", key=None) + new
    offer = Offer(7, MODEL, len(new), hashlib.sha256(new).digest(), 2)
    gateway.offer = offer, file
    calls: list[str] = []
    for _ in range(70):  # it listens when it has something to say: a heartbeat comes in 60 wakes
        gateway.asked = False
        calls, _ = board.wake()
        if "restart" in calls:
            break
    _, messages = board.wake()
    assert messages[0].model == hashlib.sha256(new).digest()[:8]
    assert b"confirm!" in (board.folder / "model_b").read_bytes()
    assert [result.code for result in gateway.received if isinstance(result, Result)][-1] == 0


def manifest_lines() -> dict[str, str]:
    """The manifest's top-level keys and, of dependencies, `dependencies.NAME`; it has no deeper levels."""
    found: dict[str, str] = {}
    parent = ""
    for line in (ESP / "component" / "idf_component.yml").read_text().splitlines():
        match = re.fullmatch(r'( *)(?:- )?"?([\w./-]+)"?(?:: *"?([^"]*)"?)?', line)
        assert match, line
        indent, key, value = match.groups()
        parent = parent if indent else key
        found[f"{parent}.{key}" if indent else key] = value or ""
    return found


def test_the_manifest_names_the_engine_that_espressif_keeps():
    found = manifest_lines()
    assert re.fullmatch(r"\^\d+\.\d+\.\d+", found["dependencies.espressif/esp-tflite-micro"])
    assert found["dependencies.idf"].startswith(">=")
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert {"targets.esp32", "targets.esp32c3", "targets.esp32s3"} <= set(found)


def test_the_partitions_fit_and_hold_what_the_port_opens():
    text = (ESP / "partitions.csv").read_text()
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row and row[0][0] != "#"]
    end = 0x9000  # behind the partition table
    sizes = {}
    for name, kind, _subtype, offset, size in rows:
        assert int(offset, 16) >= end, name
        assert int(offset, 16) % (0x10000 if kind == "app" else 0x1000) == 0, name
        end = int(offset, 16) + int(size, 16)
        sizes[name] = int(size, 16)
        assert len(name) <= 16
    assert end <= 4 << 20
    source = (ESP / "component" / "store.c").read_text()
    for name, size in re.findall(r"(\w+)_SIZE = (0x\w+)", source):
        assert sizes[f"{name.lower()}_a"] == sizes[f"{name.lower()}_b"] == int(size, 16)
    assert sizes["ota_0"] == sizes["ota_1"]


def test_the_component_compiles_every_file_of_the_port():
    text = (ESP / "component" / "CMakeLists.txt").read_text()
    for source in ESP.glob("component/*.c"):
        assert source.name in text
    example = (ESP / "example" / "main" / "CMakeLists.txt").read_text()
    for source in ESP.glob("example/main/*.c"):
        assert source.name in example
