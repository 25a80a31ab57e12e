"""A machine that runs evenly, commands to a node, and a node that has learned its machine."""

from __future__ import annotations

import random
from collections.abc import Callable

from gateway.wire.messages import Command, Result
from tests.nodes.core_board import Node

LEARN, FREEZE, THAW, ROLL_BACK, SENSITIVITY, COLLECT, ACKNOWLEDGE, SEND_LEARNER, STORAGE, RESTART = range(5, 15)
DONE, REFUSED = 0, 2
STUCK, SATURATED, OVERRUN, NO_ANSWER, DEFERRED, HINDERED = 4, 5, 6, 7, 11, 15
WATCHING = 2
LEARNED = 56  # windows: eight chunks of seven


def machine(seed: int = 0) -> Callable[[int], list[int]]:
    """A machine that runs evenly: what it gives in a window differs by a few per cent from window to window."""
    noise = random.Random(seed)

    def window(n: int) -> list[int]:
        size = 1000 * noise.lognormvariate(0, 0.03)
        return [round(noise.gauss(0, size)) for _ in range(n)]

    return window


def louder(by: float, seed: int = 1) -> Callable[[int], list[int]]:
    normal = machine(seed)
    return lambda n: [max(-32000, min(32000, round(by * value))) for value in normal(n)]


def command(node: Node, gateway, kind: int, argument: int | None = None, wakes: int = 1) -> int:
    """The code of the Result."""
    number = 1 + max((result.id for result in gateway.of(Result)), default=0)
    gateway.mail = [Command(number, kind, argument)]
    gateway.ack = {"next_s": 1}
    while not any(result.id == number for result in gateway.of(Result)):
        node.step()
    gateway.ack = {}
    for _ in range(wakes - 1):
        node.step()
    return gateway.of(Result)[-1].code


def watching(library, board, gateway, **config: object) -> Node:
    """A node whose learner has learned and watches."""
    board.window = machine()
    node = Node(library, board, learns=LEARNED, **({"samples": 128} | config))
    for _ in range(200):
        node.step()
        if ("learned", LEARNED) in board.events:
            break
    assert ("learned", LEARNED) in board.events
    node.step()
    return node
