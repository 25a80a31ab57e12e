"""The decider: everything that moves the engine goes through here, in groups, each one durable transaction.

    frames, scores, commands, deadlines → entries → engine → Updates → one commit → answers

Nothing is answered, and no Output sees anything, before the commit that makes it durable. While one group is being
written, the next one gathers: the longer a commit takes, the larger the groups become.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from gateway import __version__
from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.command import Command, CommandResult
from gateway.core.entry import Body, Commanded, Configured, Entry, Offered, Posted, Report, Started, Tick
from gateway.core.update import AlarmChange, IncidentChange, TagChange, encode_decision, encode_updates
from gateway.runtime import chronicle
from gateway.runtime.acknowledged import learning
from gateway.runtime.admission import ANSWERED, Admission, Admitted, Verdict
from gateway.runtime.beginning import configuration
from gateway.runtime.clock import Clock
from gateway.runtime.decided import Decided, view_of
from gateway.runtime.feed import Feed
from gateway.runtime.history import present, resume
from gateway.runtime.inbound import Arrival, Change, Item, Keep, Look, Places, Request, Stop, View, Wake
from gateway.runtime.journal_thread import JournalThread
from gateway.runtime.metrics import Metrics
from gateway.store.group import Group, Row
from gateway.store.journal import Journal
from gateway.store.retention import Limits, Sizes
from gateway.store.schema import JournalFull

MAX_GROUP = 512  # items beyond which a group takes no more
QUEUE_LENGTH = 64  # of what is handed in; frames come by the list
LEAST_TICK_MS = 100  # deadlines nearer to each other than this share a Tick
MARKS_S = 1.0  # cursors are kept with the next commit, or by one of their own after this long
RETRY_S = 1.0  # after a failed commit

log = structlog.get_logger()


class Decider:
    """The one writer of the journal and the only caller of the engine."""

    def __init__(
        self,
        journal: Journal,
        admission: Admission,
        metrics: Metrics,
        clock: Clock,
        *,
        group_ms: int,
        snapshot_entries: int,
        acknowledged_learns: bool = False,
        heard: Callable[[Sequence[tuple[Arrival, Admitted]]], None],
        refresh: Callable[[bool], Configured | None],
    ) -> None:
        """`heard` is told of durable (or known) messages, to be acknowledged; `refresh` is asked once per group
        whether the configuration has changed and returns the entry that says so. It is asked with True when what it
        said last may not have become durable. Raises HistoryUnreadable, EntryBroken.
        """
        began = resume(journal)
        self.engine = began.engine
        if began.note:
            metrics.event(began.note)
        metrics.event("entry_damaged", len(began.damaged))
        self.admission = admission
        self.images = journal.images()  # durable ones: SHA-256 -> payload
        self._journal = journal
        self._thread = JournalThread(journal, metrics, began.snapshot, snapshot_entries)
        self._metrics = metrics
        self._clock = clock
        self._group_s = group_ms / 1000
        self._acknowledged_learns = acknowledged_learns
        self._heard = heard
        self._refresh = refresh
        self._queue: asyncio.Queue[Item] = asyncio.Queue(QUEUE_LENGTH)
        self._again: list[Item] = []  # of a group that was taken back
        self._durable: bytes | None = None  # the engine's state while the journal cannot be written
        self._marks: dict[str, int] = {}
        self._marks_timer: asyncio.TimerHandle | None = None
        self._last_tick_ms = 0
        self._feeds: set[Feed] = set()
        self.scores_wanted = asyncio.Event()
        self.committed_id = self.engine.last_id
        self.committed_event = self.engine.ledger.event
        self.configured = configuration(journal)  # the newest that is durable
        self.accepting = True

    async def put(self, item: Item) -> None:
        """Hand something in; waits while the queue is full, so that Links drop by name and not here."""
        await self._queue.put(item)

    async def command(self, command: Command) -> CommandResult:
        """Journal a person's command, and return the engine's answer once it is durable."""
        return await self._ask(Commanded(command))

    async def post(self, posted: Posted) -> CommandResult:
        """Put a letter into a node's mailbox; it is answered as a command is, once the letter is durable."""
        return await self._ask(posted)

    async def offer(self, offered: Offered, payload: bytes) -> CommandResult:
        """Put an image, whose payload has been found to be what its manifest says, into a node's mailbox."""
        return await self._ask(offered, payload)

    async def _ask(self, body: Commanded | Posted | Offered, image: bytes = b"") -> CommandResult:
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        await self._queue.put(Request(body, answer, image))
        return await answer

    def mark(self, name: str, value: int) -> None:
        """Keep a number with one of the next commits."""
        self._marks[name] = value
        self._time_marks()

    async def keep(self, name: str, value: int) -> None:
        """Keep a number, and return when it is durable. Raises JournalFull."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(Keep(name, value, done))
        await done

    async def marks(self) -> dict[str, int]:
        """The numbers that are kept, or will be with one of the next commits. Raises JournalFull."""
        return await self._thread.call(self._journal.marks) | self._marks

    async def configure(self, make: Callable[[], Configured], marks: Mapping[str, int]) -> None:
        """Put a configuration in force, with marks that are kept with it, and return when it is durable. `make` is
        called once what was handed in before is decided. Raises JournalFull: then it is not in force.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(Change(make, marks, done))
        await done

    async def view(self, feed: Feed | None = None) -> View:
        """The present state of the plant, durable to the last of it; whatever becomes durable after it goes to `feed`,
        until `unfollow`.
        """
        answer: asyncio.Future[View] = asyncio.get_running_loop().create_future()
        await self._queue.put(Look(answer, feed))
        return await answer

    def unfollow(self, feed: Feed) -> None:
        """Nothing more goes to this feed."""
        self._feeds.discard(feed)

    async def pulse(self) -> None:
        """Return when the pipeline has turned once: what was handed in before has been decided, and written or taken
        back.
        """
        turned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(Wake(turned))
        await turned

    async def run(self) -> None:
        """Decide until `finish`; then keep the last marks and a snapshot, so that the next start is quick."""
        last = False
        if self.engine.last_id and not self._thread.snapshot_at:  # so that the next start finds a state of this version
            await self._thread.snapshot(self.engine)
        while not last:
            decided = self._decide(await self._gather())
            await self._commit(decided)
            last = decided.last
        if self.accepting:
            await self._thread.snapshot(self.engine)

    async def finish(self) -> None:
        """Nothing more will be handed in: `run` ends when what has been is decided."""
        await self._queue.put(Stop())

    def close(self) -> None:
        """Let go of the journal's thread."""
        if self._marks_timer:
            self._marks_timer.cancel()
        self._thread.close()

    def tune(self, group_ms: int, snapshot_entries: int, *, acknowledged_learns: bool) -> None:
        """How long a commit waits for company, how far snapshots are apart, and whether each acknowledgement of an
        anomaly lets learn, from now on.
        """
        self._group_s = group_ms / 1000
        self._acknowledged_learns = acknowledged_learns
        self._thread.snapshot_entries = snapshot_entries

    async def forget_strangers(self) -> None:
        """Drop the windows of nodes, and of keys, that the registry does not know any more."""
        if strangers := self.admission.strangers():
            try:
                await self._thread.call(self._journal.forget_windows, strangers)
            except JournalFull:
                self._metrics.event("windows_not_forgotten")  # until the registry changes again, or the next start
            else:
                self.admission.forgotten(strangers)

    async def prune(self, limits: Limits, *, aged: bool = False) -> Sizes:
        """Let go of what the journal is not to keep (journal_thread.py). Raises JournalFull."""
        return await self._thread.prune(limits, committed_id=self.committed_id, now_ms=self._clock.now_ms(), aged=aged)

    async def _gather(self) -> list[Item]:
        """At least one item or a deadline; then whatever comes soon after."""
        items, self._again = self._again, []
        if not items:
            try:
                async with asyncio.timeout(self._patience_s()):
                    items.append(await self._queue.get())
            except TimeoutError:
                return items
        if self._group_s and self._queue.empty():
            await asyncio.sleep(self._group_s)
        size = sum(map(_size, items))
        while size < MAX_GROUP and not self._queue.empty():
            items.append(self._queue.get_nowait())
            size += _size(items[-1])
        return items

    def _patience_s(self) -> float | None:
        if self.engine.next_wake_ms is None:
            return None
        wake_ms = max(self.engine.next_wake_ms, self._last_tick_ms + LEAST_TICK_MS)
        return max(0, wake_ms - self._clock.now_ms()) / 1000

    def _time_marks(self) -> None:
        if self._marks and self._marks_timer is None:
            self._marks_timer = asyncio.get_running_loop().call_later(MARKS_S, self._wake)

    def _wake(self) -> None:
        self._marks_timer = None
        if not self._queue.full():  # else a commit is near
            self._queue.put_nowait(Wake())

    def _decide(self, items: Sequence[Item]) -> Decided:
        decided = Decided(self._clock.now())
        if items and isinstance(items[0], Started):  # before the plant, which may have changed while we were away
            self._enter(items[0], decided)
        elif decided.now.leap_ms:
            self._leapt(decided)
        if changed := self._refresh(self._durable is not None):
            self._configure(changed, decided)
        for item in items:
            match item:
                case Started():
                    decided.bodies.append(item)
                case list():
                    for arrival in item:
                        self._arrived(arrival, decided)
                case Request(body, answer, image):
                    if self._acknowledged_learns:
                        body = learning(body, self.engine)
                    result = self._enter(body, decided)
                    assert result is not None
                    decided.answers.append((answer, result))
                    if isinstance(body, Offered):
                        decided.images[body.image.sha256] = image
                case Keep(name, value, done):
                    decided.marks[name] = value
                    decided.kept.append(done)
                case Places(states):
                    decided.places |= states
                case Change(make, marks, done):
                    self._configure(make(), decided)
                    decided.marks |= marks
                    decided.kept.append(done)
                case Look():
                    decided.looks.append(item)
                case Wake():
                    decided.wakes.append(item)
                case Stop():
                    decided.last = True
                case _:
                    self._enter(item, decided)
                    decided.bodies.append(item)
        wake_ms = self.engine.next_wake_ms
        if wake_ms is not None and max(wake_ms, self._last_tick_ms + LEAST_TICK_MS) <= decided.now.ms:
            self._last_tick_ms = decided.now.ms
            self._enter(Tick(), decided)
        if decided.looks:
            decided.view = view_of(self.engine)
        return decided

    def _configure(self, configured: Configured, decided: Decided) -> None:
        self._enter(configured, decided)
        decided.configured = configured

    def _leapt(self, decided: Decided) -> None:
        """The nodes were not silent in a time that did not pass: it counts as if the gateway had been away."""
        log.warning("the clock has leapt", by_s=decided.now.leap_ms / 1000)
        self._metrics.event("clock_leapt")
        started = Started(__version__)
        self._enter(started, decided)
        decided.bodies.append(started)

    def _arrived(self, arrival: Arrival, decided: Decided) -> None:
        admitted = self.admission.judge(arrival.frame.data)
        self._metrics.frame(admitted.node, admitted.verdict)
        if admitted.verdict is Verdict.ACCEPTED:
            assert admitted.message is not None
            received_ms = decided.now.of_receipt_ms(arrival.frame.received_ns)
            self._enter(
                Report(
                    admitted.node, arrival.link, admitted.seq, admitted.key_generation, received_ms,
                    admitted.payload, admitted.message,
                ),
                decided,
            )  # fmt: skip
        if admitted.notice:
            log.warning(admitted.notice, node=admitted.node, link=arrival.link)
        if admitted.verdict not in ANSWERED:
            log.debug("refused", verdict=str(admitted.verdict), node=admitted.node, detail=admitted.detail)
            return
        decided.heard.append((arrival, admitted))

    def _enter(self, body: Body, decided: Decided) -> CommandResult | None:
        entry = Entry(self.engine.last_id + 1, decided.now.ms, body)
        kind, version, data = entries.encode(body)
        decision = self.engine.apply(entry)
        decided.rows.append(Row(entry.id, entry.at_ms, str(kind), version, data))
        said: list[AlarmChange | IncidentChange] = []
        for update in decision.updates:
            if isinstance(update, TagChange):
                decided.tags[update.tag] = update
            else:
                decided.events.append((update.event, entry.id, len(said), encode_updates([update])))
                said.append(update)
        if said or decision.waiting:
            decided.decisions.append((entry.id, encode_decision(said, decision.waiting)))
            decided.changes += said
        decided.waiting |= bool(decision.waiting)
        return decision.result

    async def _commit(self, decided: Decided) -> None:
        windows, marks = self.admission.take_staged()
        marks |= self._marks | decided.marks
        images, dropped = decided.image_changes(self.images, self.engine)
        if not (decided.rows or windows or marks or decided.places):
            if decided.wakes:  # nobody is told that the pipeline turns while the journal's thread does not
                await self._thread.turns()
            self._tell(decided)
            return
        group = Group(decided.rows, decided.decisions, decided.events, windows, marks, decided.places, images, dropped)
        try:
            with self._metrics.commit_s.time():
                await self._thread.call(self._journal.commit, group)
        except JournalFull as error:
            await self._take_back(decided, str(error))
            return
        self._accept(True)
        self.images |= images
        for name in dropped:
            del self.images[name]
        self._durable = None
        self._marks = {n: v for n, v in self._marks.items() if marks.get(n) != v}
        self._time_marks()
        self.admission.committed(windows, marks)
        self._tell(decided)
        await self._thread.snapshot_if_due(self.engine)

    def _tell(self, decided: Decided) -> None:
        self.committed_id, self.committed_event = self.engine.last_id, self.engine.ledger.event
        self.configured = decided.configured or self.configured
        for feed in self._feeds:
            feed.put(decided.tags, decided.changes)
        self._heard(decided.heard)
        decided.happened()
        if decided.view:
            self._show(decided.looks, decided.view)
        if decided.changes and self.engine.plant:
            chronicle.tell(decided.changes, self.engine.plant)
        if decided.waiting:
            self.scores_wanted.set()

    def _show(self, looks: Sequence[Look], view: View) -> None:
        for look in looks:
            if not look.answer.done():
                look.answer.set_result(view)
                if look.feed:
                    self._feeds.add(look.feed)

    async def _take_back(self, decided: Decided, why: str) -> None:
        """The journal cannot be written: nothing of this group has happened. Nodes keep what they have not been
        acknowledged, and send it again.
        """
        if self.accepting:
            log.error("journal cannot be written; nothing is accepted until it can", reason=why)
        self._accept(False)
        if self._durable is None:
            self.engine = await self._thread.call(present, self._journal)
            self._durable = snapshot.take(self.engine)
        else:
            self.engine = snapshot.restore(self._durable)
        windows, marks = await self._thread.call(self._journal.windows), await self._thread.call(self._journal.marks)
        self.admission.take_back(windows, marks)
        self._metrics.event("commit_failed")
        self._metrics.event("message_taken_back", len(decided.heard))
        decided.refused(why)
        self._again = [*decided.bodies]
        if self.engine.plant:
            self._show(decided.looks, view_of(self.engine))
        else:
            self._again += decided.looks
        self._time_marks()
        if not decided.last:
            await asyncio.sleep(RETRY_S)

    def _accept(self, accepting: bool) -> None:
        if accepting and not self.accepting:
            log.info("journal can be written again")
        self.accepting = accepting
        self._metrics.accepting.set(accepting)


def _size(item: Item) -> int:
    return len(item) if isinstance(item, list) else 1
