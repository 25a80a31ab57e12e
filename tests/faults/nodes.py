"""C nodes in threads of this process, to whom nearly every wake brings news (machine.py).

Their radio, a UDP socket or a client of a broker, opens everything that passes: what was sent and what was acknowledged
is known by identity, from the wire.
"""

from __future__ import annotations

import ctypes
import queue
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from ctypes import byref, c_uint8, memmove, string_at
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.store.keys import NodeKey
from gateway.wire.envelope import BadTag, Cipher, Malformed, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, decode_down, decode_up
from tests.faults.machine import NO_ANSWER, Motor, Sensor
from tests.nodes.core_board import Board, Flash, Node

ROOT = Path(__file__).parents[2]
NOTHING = 255  # sample status: there is nothing to be had
NEVER_MS = 3_600_000  # no heartbeat comes in between
LISTEN_MS = 300
WAITING = 20  # messages not yet acknowledged, beyond which there is no more news: no node's ring overflows here
FIRST_SEED = 4000  # of the motors; the models were trained on others
HEARD = 100  # answers that wait for a node to listen
RECONNECT_S = 1  # the client knows whole seconds
SEQ_SPAN = 1 << 16  # a run stays below it, so that a message's low 16 bits are its number


class Radio(Board):
    """A board with a UDP socket and a clock that runs."""

    def __init__(self, key: NodeKey, gateway: tuple[str, int], place: Sensor | Motor) -> None:
        super().__init__(Flash())
        self.place = place
        keys = NodeKeys(key.kid, key.secret)
        self.gateway = gateway
        self.sent_numbers: set[int] = set()
        self.acknowledged: set[int] = set()
        self.sampling = threading.Event()
        self._up = Cipher.up(keys)
        self._keys = keys
        self._wakes = 0
        self._open(key)

    def _open(self, key: NodeKey) -> None:
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))

    def close(self) -> None:
        self._udp.close()

    def _put(self, frame: bytes) -> None:
        with suppress(OSError):  # the air takes everything
            self._udp.sendto(frame, self.gateway)

    def _get(self, size: int, wait_s: float) -> bytes | None:
        self._udp.settimeout(wait_s)
        try:
            return self._udp.recv(size)
        except OSError:  # the time is up
            return None

    def _now_ms(self, _context):
        return time.monotonic_ns() // 1_000_000

    def _sample(self, _context, out, samples, channels):
        if not self.sampling.is_set() or len(self.sent_numbers) - len(self.acknowledged) > WAITING:
            return NOTHING
        self._wakes += 1
        window = self.place.window(self._wakes)
        if window is None:
            return NO_ANSWER
        assert len(window) == 2 * samples * channels
        memmove(out, window, len(window))
        return 0

    def _send(self, _context, envelope, n):
        frame = string_at(envelope, n)
        message = decode_up(self._up.open(parse(frame)))
        number = message.full_seq if isinstance(message, Birth) else message.seq
        assert number < SEQ_SPAN
        self.sent_numbers.add(number)
        self._put(frame)
        return True

    def _receive(self, _context, out, size, left_ms):
        left, began = left_ms[0], time.monotonic()
        if not left:
            return 0
        data = self._get(size, left / 1000)
        if data is None:
            left_ms[0] = 0
            return 0
        left_ms[0] = max(0, left - int((time.monotonic() - began) * 1000))
        self._hear(data)
        memmove(out, data, len(data))
        return len(data)

    def _hear(self, data: bytes) -> None:
        try:
            sealed = parse(data, down=True)
            message = decode_down(Cipher.down(self._keys, sealed.epoch or 0).open(sealed))
        except (Malformed, BadTag):
            return
        if isinstance(message, Ack):
            told = {message.base} | {message.base + 1 + i for i in range(32) if message.bitmap >> i & 1}
            self.acknowledged |= told & self.sent_numbers


class MqttRadio(Radio):
    """One whose air is a broker, at QoS 1 (SPEC.md, "Links"). What is said while it is away is gone; the connection
    comes back by itself.
    """

    def _open(self, key: NodeKey) -> None:
        self._heard: queue.Queue[bytes] = queue.Queue(HEARD)
        kid = key.kid.hex()
        self._up_topic, self._down_topic = f"stethos/nodes/{kid}/up", f"stethos/nodes/{kid}/down"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, f"node-{kid}")
        self._client.reconnect_delay_set(RECONNECT_S, RECONNECT_S)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._arrived
        self._client.connect_async(*self.gateway)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, client, *_):
        client.subscribe(self._down_topic, qos=1)

    def _arrived(self, _client, _userdata, message):
        with suppress(queue.Full):  # the node has stopped listening
            self._heard.put_nowait(message.payload)

    def _put(self, frame: bytes) -> None:
        if self._client.is_connected():
            self._client.publish(self._up_topic, frame, qos=1)

    def _get(self, size: int, wait_s: float) -> bytes | None:
        try:
            return self._heard.get(timeout=wait_s)[:size]
        except queue.Empty:
            return None


class StormNode:
    """One C node and the thread it lives in."""

    def __init__(self, library: ctypes.CDLL, key: NodeKey, radio: Radio, wake_ms: int, place: Sensor | Motor) -> None:
        self.name = key.name
        self.radio = radio
        assert library.ceiling_provision(byref(self.radio.port))
        self._node = Node(
            library, self.radio, kid=(c_uint8 * 4)(*key.kid), secret=(c_uint8 * 16)(*key.secret), wake_ms=wake_ms,
            heartbeat_ms=NEVER_MS, listen_ms=LISTEN_MS, samples=place.samples, channels=place.channels,
            window_every=place.window_every, model=place.model,
        )  # fmt: skip
        self._library = library
        self._over = threading.Event()
        self.unacknowledged = 0
        self._thread = threading.Thread(target=self._live, name=f"node {key.name}", daemon=True)

    @property
    def lost(self) -> int:
        """Messages that the node itself gave up because its ring was full."""
        return sum(value for event, value in self.radio.events if event == "message_lost")

    def start(self) -> None:
        self.radio.sampling.set()
        self._thread.start()

    def stop(self) -> None:
        """No wake after the one that is under way."""
        self._over.set()

    def join(self) -> None:
        """Wait for its end."""
        if self._thread.ident:
            self._thread.join(30)
        assert not self._thread.is_alive()
        self.radio.close()

    def _live(self) -> None:
        while not self._over.is_set():
            if self.radio.sampling.is_set():
                sleep_ms = self._library.node_step(self._node.memory)
                self.unacknowledged = 1  # until a flush has told better
            else:
                self.unacknowledged = self._library.node_flush(self._node.memory)
                sleep_ms = 50
            self._over.wait(sleep_ms / 1000)


class Storm:
    """Many nodes. `calm` and `rage` stop and start the news; what is not acknowledged is sent again all the same."""

    def __init__(
        self, keys: Sequence[NodeKey], radio: type[Radio], to: tuple[str, int], wake_ms: int, models: Path | None = None
    ) -> None:
        """`to`: the gateway, or the broker. `models`: the folder of the motors' bundles; None: the nodes have nothing
        but sensors that fail.
        """
        library = ctypes.CDLL(str(ROOT / "build" / "node" / "libstethos-node.so"))
        self.nodes = []
        for seed, key in enumerate(keys, FIRST_SEED):
            place = Motor(library, models, seed) if models else Sensor()
            self.nodes.append(StormNode(library, key, radio(key, to, place), wake_ms, place))

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def rage(self) -> None:
        """Every wake is news."""
        for node in self.nodes:
            node.unacknowledged = 1
            node.radio.sampling.set()

    def calm(self) -> None:
        """No more news; what waits in the nodes' rings is sent until it is acknowledged."""
        for node in self.nodes:
            node.unacknowledged = 1
            node.radio.sampling.clear()

    @property
    def delivered(self) -> bool:
        """Whether, after `calm`, every node has seen all it said acknowledged."""
        return not any(node.unacknowledged for node in self.nodes)

    def end(self) -> None:
        for node in self.nodes:
            node.stop()
        for node in self.nodes:
            node.join()

    def waiting(self) -> list[int]:
        """How many messages each node has said and not seen acknowledged."""
        return [len(node.radio.sent_numbers) - len(node.radio.acknowledged) for node in self.nodes]

    def acknowledged(self) -> set[tuple[str, int]]:
        """(node, number) of all that the gateway has said to be durable."""
        return {(node.name, number) for node in self.nodes for number in set(node.radio.acknowledged)}

    def sent(self) -> set[tuple[str, int]]:
        """(node, number) of all that ever went out."""
        return {(node.name, number) for node in self.nodes for number in set(node.radio.sent_numbers)}
