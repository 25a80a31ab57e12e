"""The running parts of the gateway by name: each can be stopped and started by itself, and none can block the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence

import structlog

CLOSE_S = 5.0
"""How long a part may take to close; then it is interrupted."""

INTERRUPTED_S = 1.0
"""How long it may take after that; then it is left behind."""

log = structlog.get_logger()


class PartFailed(Exception):  # noqa: N818 - named like the other faults
    """A part has failed and nobody else is to blame. The message says in one line which, and how."""

    def __init__(self, name: str, error: BaseException) -> None:
        causes = "; ".join(f"{type(e).__name__}: {e}" for e in _leaves(error))
        super().__init__(f"{name} failed: {causes}")


class Parts:
    """Tasks by name. What one of them raises ends them all, through `failure`; what hangs in its close is counted
    (`part_interrupted`, `part_left_behind`), logged by its name and not waited for.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self.failure: PartFailed | None = None
        self.left_behind: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Those that run, in the order in which they were started."""
        return tuple(self._tasks)

    def runs(self, name: str) -> bool:
        """Whether a part has been started and has not ended, by itself or otherwise."""
        return name in self._tasks and not self._tasks[name].done()

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Let a part work. ValueError if one of that name does already."""
        if name in self._tasks:
            work.close()
            raise ValueError(f"{name} runs already")
        task = self._tasks[name] = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)

    async def wait(self) -> None:
        """Return when everything is to stop: `end` was called, or a part has failed."""
        await self._stopping.wait()

    def end(self) -> None:
        """Let `wait` return."""
        self._stopping.set()

    async def stop(self, *names: str) -> None:
        """Cancel these parts, all at once, and return when they have closed or are left behind."""
        tasks = {self._tasks.pop(name) for name in names if name in self._tasks}
        for patience_s, said, counted in (
            (CLOSE_S, "a part does not close and is interrupted", "part_interrupted"),
            (INTERRUPTED_S, "a part does not even end when it is interrupted; it is left behind", "part_left_behind"),
        ):
            for task in tasks:
                task.cancel()
            if not tasks:
                return
            _, tasks = await asyncio.wait(tasks, timeout=patience_s)
            for task in tasks:
                log.error(said, part=task.get_name(), after_s=patience_s)
                self._count(counted)
        self.left_behind += sorted(task.get_name() for task in tasks)

    async def finished(self, name: str) -> None:
        """Return when a part has ended by itself."""
        await asyncio.wait({self._tasks.pop(name)})

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        log.error("a part has failed", part=task.get_name(), exc_info=error)
        if self.failure is None:
            self.failure = PartFailed(task.get_name(), error)
            self.failure.__cause__ = error
        self._stopping.set()


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors that a group, however deep, consists of."""
    inner: Sequence[BaseException] = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    if not inner:
        yield error
    for one in inner:
        yield from _leaves(one)
