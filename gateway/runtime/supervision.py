"""Supervision: what depends on the world is opened again when it fails, with growing, jittered pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import SystemRandom

import structlog

from gateway.runtime.backoff import Backoff

log = structlog.get_logger()


async def keep_going(
    what: str,
    name: str,
    session: Callable[[], Awaitable[None]],
    failure: type[Exception],
    count: Callable[[str], None],
) -> None:
    """Run `session` for ever. It opens, works, closes, and raises `failure` when the world lets it down; anything
    else it raises is ours, and ends the gateway.
    """
    backoff = Backoff(SystemRandom())
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await session()
            return
        except failure as error:
            task = asyncio.current_task()
            if task and task.cancelling():  # a TaskGroup that fails while it is cancelled tells only of the failure
                raise asyncio.CancelledError from error
            wait_s = backoff.wait_s(loop.time() - began)
            count("failed")
            log.warning(f"{what} down", **{what: name}, reason=str(error), again_in_s=round(wait_s, 1))
        await asyncio.sleep(wait_s)
