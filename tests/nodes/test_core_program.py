"""The program stethos-node, as a process, against a small gateway at the other end of its link."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import aiomqtt
import cbor2
import numpy as np
import pytest
import serial
from cobs import cobs

from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, Flag, Health, Window, decode_up, encode
from tests.nodes.tflite_networks import Layer, Network, tflite_of

KID, SECRET = "7f3a01c2", "000102030405060708090a0b0c0d0e0f"
KEYS = NodeKeys(bytes.fromhex(KID), bytes.fromhex(SECRET))
RECORDING = "stethos-samples 1 channels=3 rate_millihz=100000 unit=16384/g\n"


def crc16(data: bytes) -> bytes:
    from binascii import crc_hqx

    return crc_hqx(data, 0xFFFF).to_bytes(2, "big")


class Peer:
    """Opens envelopes and makes Acks."""

    def __init__(self) -> None:
        self.received: list = []
        self.partial_ivs: set[int] = set()
        self.up = Cipher.up(KEYS)
        self.down = Cipher.down(KEYS, 0)
        self.partial_iv = 0

    def answer(self, envelope: bytes) -> bytes:
        sealed = parse(envelope)
        assert sealed.partial_iv not in self.partial_ivs
        self.partial_ivs.add(sealed.partial_iv)
        message = decode_up(self.up.open(sealed))
        self.received.append(message)
        self.partial_iv += 1
        ack = Ack(base=message.seq, bitmap=0, time_ms=1790000000000, next_s=0, mail=0, birth_wanted=False)
        return self.down.seal(self.partial_iv, encode(ack))


def link_of(sock: socket.socket) -> str:
    return f"udp:127.0.0.1:{sock.getsockname()[1]}"


def serve_udp(sock: socket.socket, peer: Peer, process: subprocess.Popen[str], until=lambda: False) -> None:
    sock.settimeout(0.1)
    end = time.monotonic() + 30
    while process.poll() is None and not until() and time.monotonic() < end:
        try:
            data, address = sock.recvfrom(600)
        except TimeoutError:
            continue
        sock.sendto(peer.answer(data), address)


def finish(process: subprocess.Popen[str], code: int = 0) -> dict:
    out, error = process.communicate(timeout=30)
    assert process.returncode == code, error
    return json.loads(out)


def test_udp_birth_windows_health_all_acknowledged(start, udp):
    peer = Peer()
    process = start(link_of(udp), "--steps", "8", "--wake-ms", "10000", "--heartbeat-ms", "40000", "--speed", "1000")
    serve_udp(udp, peer, process)
    counters = finish(process)
    assert (counters["wakes"], counters["acked"], counters["unacked"]) == (8, counters["messages"], 0)
    assert isinstance(peer.received[0], Birth)
    assert peer.received[0].hardware == "host"
    kinds = [type(m) for m in peer.received]
    assert kinds.count(Window) == 8
    assert kinds.count(Health) >= 2


def test_the_next_run_goes_on_where_the_last_one_stopped(start, udp):
    peer = Peer()
    births: list[Birth] = []

    def births_since(at: int) -> list[Birth]:
        return [message for message in peer.received[at:] if isinstance(message, Birth)]

    def well_under_way(at: int) -> bool:
        return bool(births_since(at)) and peer.received[-1].seq % 1024 > 3

    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        process = start(link_of(udp), "--wake-ms", "100")
        before = len(peer.received)
        serve_udp(udp, peer, process, until=lambda at=before: well_under_way(at))
        process.send_signal(end)
        process.wait(timeout=10)
        assert process.returncode == (0 if end == signal.SIGTERM else -signal.SIGKILL)
        births += births_since(before)
    assert births[0].full_seq == 0
    assert births[1].skipped == 0
    assert births[2].full_seq - births[1].full_seq == births[2].skipped == 1024


def test_sigterm_ends_a_long_sleep(start, udp):
    process = start(link_of(udp), "--wake-ms", "3600000")
    serve_udp(udp, peer := Peer(), process, until=lambda: len(peer.received) >= 3)
    process.send_signal(signal.SIGTERM)
    assert finish(process)["wakes"] == 1


def test_a_silent_gateway_is_waited_for_only_so_long(start, udp):
    process = start(link_of(udp), "--steps", "2", "--wake-ms", "100", "--listen-ms", "50", "--speed", "100")
    began = time.monotonic()
    counters = finish(process)
    assert time.monotonic() - began < 15
    assert counters["acked"] == 0
    assert counters["unacked"] == counters["messages"] > 0
    assert counters["resends"] > 0


def recording(path: Path, amplitudes: list[int], rows: int = 128) -> Path:
    """One window of a sawtooth for each amplitude, the same on all three channels."""
    saw = (np.arange(rows) * 37 % 101 / 50 - 1)[:, None] * np.ones(3)
    samples = np.concatenate([saw * amplitude for amplitude in amplitudes]).astype("<i2")
    path.write_bytes(RECORDING.encode() + samples.tobytes())
    return path


def model_image(path: Path) -> Path:
    """An autoencoder that has learnt nothing but silence: its error is the square of what is there."""
    silence = Network(1.0, 0, [Layer(np.zeros((9, 9)), None, [1.0], 1.0, 0)])
    scaling = [[0, 1, 12]] * 9
    image = [1, 1, 3, 128, 5, scaling, 400, tflite_of(silence), [[4096] * 9, 9]]
    path.write_bytes(cbor2.dumps(image))
    return path


def play(start, udp, peer, tmp_path, amplitudes, *options) -> dict:
    path = recording(tmp_path / "played.samples", amplitudes)
    source = f"file:{path}?contiguous=1"
    process = start(link_of(udp), "--wake-ms", "1280", "--speed", "1000", *options, source=source)
    serve_udp(udp, peer, process)
    return finish(process)


def test_a_recording_is_played_to_its_end(start, udp, tmp_path):
    peer = Peer()
    counters = play(start, udp, peer, tmp_path, [2000] * 5)
    assert (counters["windows"], counters["unacked"]) == (5, 0)
    assert [type(m) for m in peer.received].count(Window) == 5


def test_the_model_flags_what_it_does_not_know(start, udp, tmp_path):
    peer = Peer()
    image = model_image(tmp_path / "image.cbor")
    amplitudes = [100, 100, 20000, 20000, 20000, 20000, 100, 20000]
    counters = play(start, udp, peer, tmp_path, amplitudes, "--model", str(image), "--flag-repeat", "3")
    birth = peer.received[0]
    assert (birth.model, birth.generation, birth.channels) == (hashlib.sha256(image.read_bytes()).digest()[:8], 5, 3)
    assert (counters["windows"], counters["anomalous"], counters["flags"]) == (8, 5, 3)
    flags = [message for message in peer.received if isinstance(message, Flag)]
    assert len(flags) == 3
    for flag in flags:
        assert flag.score > 128
        assert flag.why == 64 + 2  # peak-to-peak of the first channel
        assert flag.features.values[2] == 16 * 40000
    assert not any(isinstance(message, Window) for message in peer.received)


def test_a_model_that_does_not_fit_or_open_is_a_fault(start, udp, tmp_path):
    image = model_image(tmp_path / "image.cbor")
    (tmp_path / "torn.cbor").write_bytes(image.read_bytes()[:-1])
    for options in (["--model", str(tmp_path / "torn.cbor")], ["--model", str(image), "--samples", "64"]):
        peer = Peer()
        (tmp_path / "flash").unlink(missing_ok=True)
        play(start, udp, peer, tmp_path, [2000] * 3, *options, "--flag-repeat", "100")
        assert [m.why for m in peer.received if isinstance(m, Flag)] == [8]


@pytest.fixture
def broker(tmp_path):
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs mosquitto")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    (tmp_path / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", tmp_path / "broker.conf"], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    yield port
    process.terminate()
    process.wait(timeout=10)


async def test_mqtt_on_the_topics_of_the_contract(start, program, broker):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "libmosquitto" not in linked:
        pytest.skip("built without libmosquitto")
    peer = Peer()
    async with aiomqtt.Client("127.0.0.1", broker) as client, asyncio.timeout(30):
        await client.subscribe(f"plant/nodes/{KID}/up", qos=1)
        process = start(f"mqtt:127.0.0.1:{broker}/plant/nodes", "--steps", "3", "--wake-ms", "1000", "--speed", "10")
        async for message in client.messages:
            await client.publish(f"plant/nodes/{KID}/down", peer.answer(message.payload), qos=1)
            if [type(m) for m in peer.received].count(Window) == 3 and len(peer.received) >= 5:
                break
        counters = await asyncio.to_thread(finish, process)
    assert (counters["wakes"], counters["unacked"], counters["refused"]) == (3, 0, 0)


async def test_mqtt_finds_a_broker_that_was_restarted(start, program, tmp_path):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "libmosquitto" not in linked:
        pytest.skip("built without libmosquitto")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    mosquitto = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if mosquitto is None:
        pytest.skip("needs mosquitto")
    (tmp_path / "late.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = start(f"mqtt:127.0.0.1:{port}", "--wake-ms", "100", "--listen-ms", "50")
    for _ in range(2):
        late = subprocess.Popen([mosquitto, "-c", tmp_path / "late.conf"], stderr=subprocess.DEVNULL)
        try:
            async with asyncio.timeout(30):
                assert await heard_over_mqtt(port)
        finally:
            late.terminate()
            await asyncio.to_thread(late.wait, 10)
    assert process.poll() is None


async def test_mqtt_goes_on_without_a_broker_and_says_all_it_holds_when_there_is_one(start, program, tmp_path):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    mosquitto = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if "libmosquitto" not in linked or mosquitto is None:
        pytest.skip("built without libmosquitto, or no mosquitto")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process = start(f"mqtt:127.0.0.1:{port}", "--wake-ms", "100", "--listen-ms", "50", "--log", "--speed", "20")
    given_up = 0
    while not given_up:  # it lives, looks at its machine, and its ring overflows
        line = await asyncio.to_thread(process.stderr.readline)
        assert line, "it ended"
        given_up = int(line.split()[-1]) if "messages given up" in line else 0
        assert " sent " not in line
    (tmp_path / "late.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    late = subprocess.Popen([mosquitto, "-c", tmp_path / "late.conf"], stderr=subprocess.DEVNULL)
    peer = Peer()
    try:
        async with asyncio.timeout(30), await connected(port) as client:
            await client.subscribe(f"stethos/nodes/{KID}/up", qos=1)
            async for message in client.messages:
                await client.publish(f"stethos/nodes/{KID}/down", peer.answer(message.payload), qos=1)
                if len({m.seq for m in peer.received}) > 20 and any(isinstance(m, Birth) for m in peer.received):
                    break
            process.send_signal(signal.SIGTERM)
            counters = await asyncio.to_thread(finish, process)
    finally:
        late.terminate()
        await asyncio.to_thread(late.wait, 10)
    assert counters["ring_drops"] >= given_up
    assert counters["not_sent"] > 0
    assert counters["acked"] > 0


async def connected(port: int) -> aiomqtt.Client:
    """A client of a broker that is just starting."""
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return aiomqtt.Client("127.0.0.1", port)
        await asyncio.sleep(0.02)


async def heard_over_mqtt(port: int) -> bool:
    while True:
        try:
            async with aiomqtt.Client("127.0.0.1", port) as client:
                await client.subscribe(f"stethos/nodes/{KID}/up", qos=1)
                async for _ in client.messages:
                    return True
        except aiomqtt.MqttError:
            await asyncio.sleep(0.05)


def test_serial_through_a_pseudo_terminal(start, tmp_path):
    peer = Peer()
    path = tmp_path / "ttyNode"
    process = start(f"serial:{path}", "--steps", "3", "--wake-ms", "1000", "--speed", "10")
    end = time.monotonic() + 10
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    with serial.Serial(str(path), timeout=0.2) as line:
        while process.poll() is None and time.monotonic() < end + 20:
            try:
                frame = line.read_until(b"\0")
            except serial.SerialException:
                break  # the program has ended, and with it the line
            if not frame.endswith(b"\0") or len(frame) < 2:
                continue
            data = cobs.decode(frame[:-1])
            assert crc16(data[:-2]) == data[-2:]
            envelope = peer.answer(data[:-2])
            line.write(b"\0" + cobs.encode(envelope + crc16(envelope)) + b"\0")
    counters = finish(process)
    assert (counters["wakes"], counters["unacked"], counters["refused"]) == (3, 0, 0)
    assert not os.path.lexists(path)


def test_a_line_taken_over_by_another_node_stays(start, tmp_path):
    path = tmp_path / "ttyNode"
    first = start(f"serial:{path}", "--wake-ms", "100", "--log")
    first.stderr.readline()  # it has sent: its line is there
    (tmp_path / "flash").unlink()
    second = start(f"serial:{path}", "--wake-ms", "100", "--log")
    second.stderr.readline()
    taken = path.readlink()
    first.send_signal(signal.SIGTERM)
    finish(first)
    assert path.readlink() == taken
    second.send_signal(signal.SIGTERM)
    finish(second)
    assert not os.path.lexists(path)


def test_a_link_to_anything_but_a_pseudo_terminal_is_left_alone(start, tmp_path):
    path = tmp_path / "ttyReal"
    path.symlink_to("/dev/ttyS0")
    _, error = start(f"serial:{path}").communicate(timeout=10)
    assert "ttyReal" in error
    assert str(path.readlink()) == "/dev/ttyS0"


def test_a_gateway_that_restarts_loses_nothing(start, udp):
    """While its port is closed every datagram is answered with an ICMP error."""
    address = udp.getsockname()
    process = start(link_of(udp), "--wake-ms", "100", "--listen-ms", "50", "--log")
    serve_udp(udp, peer := Peer(), process, until=lambda: len(peer.received) >= 3)
    udp.close()
    refused = [process.stderr.readline() for _ in range(12)]
    assert process.poll() is None, refused
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(address)
        serve_udp(again, peer, process, until=lambda: peer.received[-1].seq >= 6)
        process.send_signal(signal.SIGTERM)
        serve_udp(again, peer, process)
    counters = finish(process)
    heard = {message.seq for message in peer.received}
    assert heard == set(range(max(heard) + 1))
    assert counters["ring_drops"] == 0


def test_lost_state_is_not_made_up_for(start, udp, tmp_path):
    (tmp_path / "flash").write_bytes(b"\xa5" * 1024)
    counters = finish(start(link_of(udp)), code=3)
    assert counters["sent"] == 0
    udp.settimeout(0.05)
    with pytest.raises(TimeoutError):
        udp.recv(600)


def test_two_processes_do_not_share_a_state(start, udp):
    first = start(link_of(udp), "--wake-ms", "100")
    serve_udp(udp, peer := Peer(), first, until=lambda: len(peer.received) > 0)
    second = start(link_of(udp))
    _, error = second.communicate(timeout=10)
    assert second.returncode == 1
    assert "in use" in error


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--id", "12"], "--id"), (["--key", "zz"], "--key"), (["--link", "pigeon:"], "--link"),
        (["--wake-ms", "-1"], "--wake-ms"), (["--speed", "nan"], "--speed"), (["--samples", "31"], "--samples"),
        (["--hardware", "x" * 25], "--hardware"), (["--unheard-of"], "unheard-of"), (["surplus"], "surplus"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_refused_with_a_word_about_it(start, udp, change, word):
    process = start(link_of(udp), *change)
    _, error = process.communicate(timeout=10)
    assert process.returncode == 2
    assert word in error


@pytest.mark.parametrize(("link", "source"), [("udp:127.0.0.1:9", "file:/nowhere"), ("serial:/no/where", "sim:motor")])
def test_what_cannot_be_opened_is_named(start, link, source):
    process = start(link, source=source)
    _, error = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "where" in error


def test_key_file(program, udp, tmp_path):
    peer = Peer()
    (tmp_path / "key").write_text(f"{KID} {SECRET}\n")
    command = [
        program, "--key-file", tmp_path / "key", "--state", tmp_path / "flash", "--link", link_of(udp), "--source",
        "sim:motor", "--steps", "1",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        serve_udp(udp, peer, process)
        assert finish(process)["unacked"] == 0
