"""The decider: everything that moves the engine goes through here, in groups, each one durable transaction.

    frames, scores, commands, deadlines → entries → engine → Updates → one commit → answers

Nothing is answered, and no Output sees anything, before the commit that makes it durable. While one group is being
written, the next one gathers: the longer a commit takes, the larger the groups become.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import structlog

from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.command import Command, CommandResult, Outcome
from gateway.core.engine import ENGINE_VERSION
from gateway.core.entry import Body, Commanded, Entry, Report, Started, Tick
from gateway.core.update import AlarmChange, IncidentChange, encode_decision
from gateway.runtime import chronicle
from gateway.runtime.admission import Admission, Admitted, Verdict
from gateway.runtime.clock import Clock
from gateway.runtime.decided import Decided, show, view_of
from gateway.runtime.history import present, resume
from gateway.runtime.inbound import Arrival, Item, Keep, Look, Request, Stop, View, Wake
from gateway.runtime.metrics import Metrics
from gateway.store.group import Group, Row
from gateway.store.journal import Journal
from gateway.store.schema import JournalFull

MAX_GROUP = 1024
QUEUE_LENGTH = 16_384
LEAST_TICK_MS = 100  # deadlines nearer to each other than this share a Tick
MARKS_S = 1.0  # cursors are kept with the next commit, or by one of their own after this long
RETRY_S = 1.0  # after a failed commit

P = ParamSpec("P")
T = TypeVar("T")

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
        heard: Callable[[Sequence[tuple[Arrival, Admitted]]], None],
        refresh: Callable[[bool], Body | None],
    ) -> None:
        """`heard` is told of durable (or known) messages, to be acknowledged; `refresh` is asked once per group
        whether the plant has changed and returns the entry that says so. It is asked with True when what it said last
        may not have become durable. Raises HistoryUnreadable, EntryBroken.
        """
        self.engine, self._snapshot_at = resume(journal)
        self.admission = admission
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._group_s = group_ms / 1000
        self._snapshot_entries = snapshot_entries
        self._heard = heard
        self._refresh = refresh
        self._thread = ThreadPoolExecutor(1, "journal")
        self._queue: asyncio.Queue[Item] = asyncio.Queue(QUEUE_LENGTH)
        self._again: list[Item] = []  # of a group that was taken back
        self._durable: bytes | None = None  # the engine's state while the journal cannot be written
        self._marks: dict[str, int] = {}
        self._marks_timer: asyncio.TimerHandle | None = None
        self._last_tick_ms = 0
        self._snapshot_tried_at = self._snapshot_at
        self._news = asyncio.Event()
        self.scores_wanted = asyncio.Event()
        self.committed_id = self.engine.last_id
        self.accepting = True

    async def put(self, item: Item) -> None:
        """Hand something in; waits while the queue is full, so that Links drop by name and not here."""
        await self._queue.put(item)

    async def command(self, command: Command) -> CommandResult:
        """Journal a person's command, and return the engine's answer once it is durable."""
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        await self._queue.put(Request(command, answer))
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

    async def view(self) -> View:
        """The present state of the plant, durable to the last of it."""
        answer: asyncio.Future[View] = asyncio.get_running_loop().create_future()
        await self._queue.put(Look(answer))
        return await answer

    async def news(self, after: int) -> None:
        """Wait until entries beyond `after` are durable."""
        while self.committed_id <= after:
            await self._news.wait()

    async def run(self) -> None:
        """Decide until `finish`; then keep the last marks and a snapshot, so that the next start is quick."""
        last = False
        while not last:
            decided = self._decide(await self._gather())
            await self._commit(decided)
            last = decided.last
        if self.accepting:
            await self._snapshot()

    async def finish(self) -> None:
        """Nothing more will be handed in: `run` ends when what has been is decided."""
        await self._queue.put(Stop())

    def close(self) -> None:
        """Let go of the journal's thread."""
        if self._marks_timer:
            self._marks_timer.cancel()
        self._thread.shutdown()

    async def prune(self, never_past: int, keep_ms: int, keep_bytes: int) -> int:
        """Let go of old entries that every Output has delivered and a snapshot covers. Returns how many."""
        prune = partial(
            self._journal.prune, never_past=min(never_past, self._snapshot_at), now_ms=self._clock.now_ms(),
            keep_ms=keep_ms, keep_bytes=keep_bytes,
        )  # fmt: skip
        try:
            deleted = await self._write(prune)
            self._metrics.journal_bytes.set(await self._write(self._journal.used_bytes))
        except JournalFull as error:
            log.warning("the journal could not be pruned", reason=str(error))
            self._metrics.event("prune_failed")
            return 0
        return deleted

    async def _write(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The journal belongs to one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **kwargs))

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
        while len(items) < MAX_GROUP and not self._queue.empty():
            items.append(self._queue.get_nowait())
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
        decided = Decided()
        if items and isinstance(items[0], Started):  # before the plant, which may have changed while we were away
            self._enter(items[0], decided)
        if changed := self._refresh(self._durable is not None):
            self._enter(changed, decided)
        for item in items:
            match item:
                case Started():
                    decided.bodies.append(item)
                case Arrival():
                    self._arrived(item, decided)
                case Request(command, answer):
                    result = self._enter(Commanded(command), decided)
                    assert result is not None
                    decided.answers.append((answer, result))
                case Keep():
                    decided.kept.append(item)
                case Look():
                    decided.looks.append(item)
                case Wake():
                    pass
                case Stop():
                    decided.last = True
                case _:
                    self._enter(item, decided)
                    decided.bodies.append(item)
        wake_ms, now_ms = self.engine.next_wake_ms, self._clock.now_ms()
        if wake_ms is not None and wake_ms <= now_ms and now_ms >= self._last_tick_ms + LEAST_TICK_MS:
            self._last_tick_ms = now_ms
            self._enter(Tick(), decided)
        if decided.looks:
            decided.view = view_of(self.engine)
        return decided

    def _arrived(self, arrival: Arrival, decided: Decided) -> None:
        admitted = self.admission.judge(arrival.frame.data)
        self._metrics.frame(admitted.node, admitted.verdict)
        if admitted.verdict is Verdict.ACCEPTED:
            assert admitted.message is not None
            received_ms = self._clock.of_receipt_ms(arrival.frame.received_ns)
            self._enter(
                Report(
                    admitted.node, arrival.link, admitted.seq, admitted.key_generation, received_ms,
                    admitted.payload, admitted.message,
                ),
                decided,
            )  # fmt: skip
        elif admitted.verdict is not Verdict.RESENT:
            log.debug("refused", verdict=str(admitted.verdict), node=admitted.node, detail=admitted.detail)
            return
        decided.heard.append((arrival, admitted))

    def _enter(self, body: Body, decided: Decided) -> CommandResult | None:
        entry = Entry(self.engine.last_id + 1, self._clock.now_ms(), body)
        kind, version, data = entries.encode(body)
        decision = self.engine.apply(entry)
        decided.rows.append(Row(entry.id, entry.at_ms, str(kind), version, data))
        if decision.updates or decision.waiting:
            decided.decisions.append((entry.id, encode_decision(decision.updates, decision.waiting)))
        for index, update in enumerate(decision.updates):
            if isinstance(update, AlarmChange | IncidentChange):
                decided.events.append((update.event, entry.id, index))
                decided.changes.append(update)
        decided.waiting |= bool(decision.waiting)
        return decision.result

    async def _commit(self, decided: Decided) -> None:
        windows, marks = self.admission.take_staged()
        marks |= self._marks | {keep.name: keep.value for keep in decided.kept}
        if not (decided.rows or windows or marks):
            self._tell(decided)
            return
        group = Group(decided.rows, decided.decisions, decided.events, windows, marks)
        try:
            with self._metrics.commit_s.time():
                await self._write(self._journal.commit, group)
        except JournalFull as error:
            await self._take_back(decided, str(error))
            return
        self._accept(True)
        self._durable = None
        self._marks = {n: v for n, v in self._marks.items() if marks.get(n) != v}
        self._time_marks()
        self.admission.committed(windows, marks)
        self._tell(decided)
        if self.committed_id - self._snapshot_tried_at >= self._snapshot_entries:
            await self._snapshot()

    def _tell(self, decided: Decided) -> None:
        self.committed_id = self.engine.last_id
        self._heard(decided.heard)
        for answer, result in decided.answers:
            if not answer.done():
                answer.set_result(result)
        for keep in decided.kept:
            if not keep.done.done():
                keep.done.set_result(None)
        if decided.view:
            show(decided.looks, decided.view)
        if decided.changes and self.engine.plant:
            chronicle.tell(decided.changes, self.engine.plant)
        if decided.waiting:
            self.scores_wanted.set()
        self._news.set()
        self._news = asyncio.Event()

    async def _take_back(self, decided: Decided, why: str) -> None:
        """The journal cannot be written: nothing of this group has happened. Nodes keep what they have not been
        acknowledged, and send it again.
        """
        if self.accepting:
            log.error("journal cannot be written; nothing is accepted until it can", reason=why)
        self._accept(False)
        if self._durable is None:
            self.engine = await self._write(present, self._journal)
            self._durable = snapshot.take(self.engine)
        else:
            self.engine = snapshot.restore(self._durable)
        self.admission.take_back(await self._write(self._journal.windows), await self._write(self._journal.marks))
        self._metrics.event("commit_failed")
        self._metrics.event("message_taken_back", len(decided.heard))
        for answer, _ in decided.answers:
            if not answer.done():
                answer.set_result(CommandResult(Outcome.REFUSED, detail=f"the journal cannot be written: {why}"))
        for keep in decided.kept:
            if not keep.done.done():
                keep.done.set_exception(JournalFull(why))
        self._again = [*decided.bodies]
        if self.engine.plant:
            show(decided.looks, view_of(self.engine))
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

    async def _snapshot(self) -> None:
        entry = self._snapshot_tried_at = self.engine.last_id
        state = snapshot.take(self.engine)
        try:
            await self._write(self._journal.save_snapshot, entry, ENGINE_VERSION, state)
        except JournalFull as error:
            log.warning("no snapshot could be kept", reason=str(error))
            self._metrics.event("snapshot_failed")
        else:
            self._snapshot_at = entry
