"""A board that a test holds in its hands: flash that tears, a clock that is moved, a radio whose frames are seen.

And the gateway at its other end, made of gateway/wire alone: what it opens was sealed by other code.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from ctypes import byref, c_uint8, c_uint16, c_uint32, create_string_buffer, memmove, string_at

from gateway.wire import messages
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from tests.nodes import core_types as core

KID = bytes.fromhex("7f3a01c2")
SECRET = bytes(range(16))
EVENTS = (
    "no_record", "not_kept", "exhausted", "sent", "acknowledged", "refused", "epoch", "command", "anomalous",
    "sensor_fault", "message_lost", "notice", "alert", "learned", "collected",
)  # fmt: skip
LEARNER_BYTES = 4096
NODE_BYTES = 16384  # room enough for struct node, and for struct node_kept


class Flash:
    """Slots. The next write can be made to fail: `cut` takes (old, new) and returns what the slot holds then."""

    def __init__(self) -> None:
        self.slots = [bytes(core.RECORD_SIZE)] * core.SLOTS
        self.cut: Callable[[bytes, bytes], bytes] | None = None
        self.writes = 0

    def read(self, slot: int) -> bytes:
        return self.slots[slot]

    def write(self, slot: int, record: bytes) -> bool:
        self.writes += 1
        if self.cut is not None:
            self.slots[slot] = self.cut(self.slots[slot], record)
            return False
        self.slots[slot] = record
        return True


class Store:
    """Flash of one page for the learner's state, in two slots. `cut`: so many writes are taken, the next is torn."""

    SIZE = 2048

    def __init__(self) -> None:
        self.slots = [bytearray(b"\xff" * self.SIZE) for _ in range(2)]
        self.writes = 0
        self.cut: int | None = None
        self.port = core.PortStore(page=512)
        self.port.size[2] = self.SIZE
        for name in ("read", "erase", "write"):
            setattr(self.port, name, dict(core.PortStore._fields_)[name](getattr(self, f"_{name}")))

    def _read(self, _context, _store, slot, at, out, n):
        memmove(out, bytes(self.slots[slot][at : at + n]), n)
        return True

    def _erase(self, _context, _store, slot):
        if self.cut == 0:
            return False
        self.slots[slot][:] = b"\xff" * self.SIZE
        return True

    def _write(self, _context, _store, slot, at, data, n):
        assert at % 8 == n % 8 == 0
        assert self.slots[slot][at : at + n] == b"\xff" * n, "a word is written once between two erasures"
        if self.cut is not None:
            self.cut -= 1
        whole = self.cut is None or self.cut >= 0
        kept = n if whole else n // 2
        self.slots[slot][at : at + kept] = string_at(data, kept)
        self.writes += whole
        return whole


class Board:
    """Fills in the port. `window` makes the samples (a list, or a status); `gateway` answers what is sent."""

    def __init__(self, flash: Flash) -> None:
        self.flash = flash
        self.now_ms = 0
        self.window: Callable[[int], list[int] | int] = lambda n: [(7919 * i) % 1000 for i in range(n)]
        self.sent: list[bytes] = []
        self.inbox: deque[bytes] = deque()
        self.on_send: Callable[[bytes], None] = lambda frame: None
        self.takes: Callable[[bytes], object] = lambda envelope: True
        self.events: list[tuple[str, int]] = []
        self.identified = 0
        self.looks: list[int] = []  # samples asked for
        self.alerts: list[bool] = []
        self.battery_mv, self.load_mv = 3012, 2900
        self.ended: list[str] = []  # "restart", "storage"
        self.store = Store()
        self.listened_ms = 0
        self.port = self._port()

    def _port(self) -> core.Port:
        port = core.Port()
        for name, kind in core.Port._fields_:
            method = getattr(self, f"_{name}", None)
            if method is not None:
                setattr(port, name, kind(method))
        port.current_na[:] = [1000, 2000000, 0, 10000000]
        port.store = ctypes.addressof(self.store.port)
        return port

    def _now_ms(self, _context):
        return self.now_ms

    def _sample(self, _context, out, samples, channels):
        self.looks.append(samples)
        window = self.window(samples * channels)
        if isinstance(window, int):
            return window
        for i, value in enumerate(window):
            out[i] = value
        self.now_ms += 100
        return 0

    def _send(self, _context, envelope, n):
        frame = string_at(envelope, n)
        if not self.takes(frame):
            return False
        self.sent.append(frame)
        self.on_send(frame)
        return True

    def _receive(self, _context, out, size, left_ms):
        if not self.inbox:
            self.now_ms += left_ms[0]
            self.listened_ms += left_ms[0]
            left_ms[0] = 0
            return 0
        frame = self.inbox.popleft()
        assert len(frame) <= size
        memmove(out, frame, len(frame))
        return len(frame)

    def _persist_read(self, _context, slot, out):
        memmove(out, self.flash.read(slot), core.RECORD_SIZE)
        return True

    def _persist_write(self, _context, slot, record):
        return self.flash.write(slot, string_at(record, core.RECORD_SIZE))

    def _battery_mv(self, _context):
        return self.battery_mv

    def _battery_load_mv(self, _context):
        return self.load_mv

    def _stop_refused(self, _context):
        return 0

    def _alert(self, _context, on):
        self.alerts.append(on)

    def _restart(self, _context):
        self.ended.append("restart")

    def _storage(self, _context):
        self.ended.append("storage")

    def _temperature_cdeg(self, _context):
        return core.NOT_MEASURED

    def _link_dbm(self, _context):
        return -71

    def _identify(self, _context):
        self.identified += 1

    def _event(self, _context, event, value):
        self.events.append((EVENTS[event], value))


class Node:
    """One C node on a board. `reboot` keeps the flash; with `retained` also the memory that survives sleep."""

    def __init__(
        self, library: ctypes.CDLL, board: Board, *, model: ctypes.Array[ctypes.c_char] | None = None,
        learns: int = 0, limits: tuple[int, int] | None = None, **config: object,
    ) -> None:  # fmt: skip
        """`model`: memory that model_open has made a struct model of; `learns`: it has a learner that learns from so
        many windows; `limits`: low and high of a slow sensor's one channel.
        """
        self.library = library
        self.board = board
        self.model = model
        self.config = core.NodeConfig(
            kid=(c_uint8 * 4)(*KID), secret=(c_uint8 * 16)(*SECRET), hardware=b"test", firmware=b"0", wake_ms=10000,
            heartbeat_ms=3600000, listen_ms=500, samples=32, channels=1, window_every=0, flag_repeat=1,
        )  # fmt: skip
        for name, value in config.items():
            setattr(self.config, name, value)
        self.learner = create_string_buffer(LEARNER_BYTES)
        self.slow = create_string_buffer(1024)
        if learns:
            self.config.learner = ctypes.addressof(self.learner)
            self.config.setup = core.LearnerSetup(windows=learns)
        if limits:
            self.config.feature_set, self.config.slow = 3, ctypes.addressof(self.slow)
            self.config.judge_slow = ctypes.cast(library.slow_judge, ctypes.c_void_p)
            self.config.limits.low[0], self.config.limits.high[0], self.config.limits.set = *limits, 3
        self.kept = create_string_buffer(NODE_BYTES)
        library.node_step.restype = c_uint32
        library.node_flush.restype = c_uint16
        self.state = self._init()

    def _init(self) -> int:
        self.memory = create_string_buffer(NODE_BYTES)
        self.samples = (ctypes.c_int16 * (self.config.samples * self.config.channels))()
        return self.library.node_init(
            self.memory, byref(self.config), byref(self.board.port), self.model, self.samples, self.kept
        )

    def reboot(self, *, retained: bool = False) -> int:
        if not retained:
            self.kept = create_string_buffer(NODE_BYTES)
            ctypes.memset(self.learner, 0, LEARNER_BYTES)
            ctypes.memset(self.slow, 0, 1024)
        self.state = self._init()
        return self.state

    def step(self) -> int:
        """One wake, and the sleep after it; returns how long that was."""
        sleep_ms = self.library.node_step(self.memory)
        if sleep_ms != core.NEVER:
            self.board.now_ms += sleep_ms
        return sleep_ms

    def flush(self) -> int:
        return self.library.node_flush(self.memory)

    def stop(self) -> None:
        self.library.node_stop(self.memory)


class Gateway:
    """Opens what the board sends, refuses a partial IV that it has seen, and answers if it is told to."""

    def __init__(self, board: Board, epoch: int = 0) -> None:
        self.board = board
        self.keys = NodeKeys(KID, SECRET)
        self.up = Cipher.up(self.keys)
        self.epoch = epoch
        self.partial_iv = 0
        self.partial_ivs: list[int] = []
        self.received: list[messages.UpMessage] = []
        self.answers = True
        self.ack: dict[str, object] = {}
        self.mail: list[messages.Command] = []
        self.handed_out: set[int] = set()  # ids of mail; a test that wants it sent again clears this
        board.on_send = self.take

    def take(self, frame: bytes) -> None:
        sealed = parse(frame)
        assert sealed.partial_iv not in self.partial_ivs, "a partial IV was used twice"
        self.partial_ivs.append(sealed.partial_iv)
        message = messages.decode_up(self.up.open(sealed))
        self.received.append(message)
        if not self.answers:
            return
        if isinstance(message, messages.Result):
            self.mail = [command for command in self.mail if command.id != message.id]
        self.acknowledge(message.seq)
        if self.mail and self.mail[0].id not in self.handed_out:
            self.handed_out.add(self.mail[0].id)
            self.send(self.mail[0])

    def acknowledge(self, base: int | None, bitmap: int = 0) -> None:
        fields = {"time_ms": 1790000000000 + self.board.now_ms, "next_s": 0, "birth_wanted": False} | self.ack
        self.send(messages.Ack(base=base, bitmap=bitmap, mail=len(self.mail), **fields))

    def send(self, message: messages.DownMessage) -> None:
        self.board.inbox.append(self.seal(message))

    def seal(self, message: messages.DownMessage) -> bytes:
        self.partial_iv += 1
        return Cipher.down(self.keys, self.epoch).seal(self.partial_iv, messages.encode(message))

    def of(self, kind: type) -> list:
        return [message for message in self.received if isinstance(message, kind)]
