"""What waits for a node: one letter at a time, kept until the node has said what became of it."""

import re
from pathlib import Path

import cbor2
import pytest

from gateway.core import mailbox, snapshot
from gateway.core.command import Outcome
from gateway.core.entry import Configured, Posted
from gateway.core.mailbox import Box, Letter, Order
from gateway.wire.messages import Result
from tests.core.plants import Bench, birth, ms, plant

SPEC = Path(__file__).parents[2] / "nodes" / "wire" / "SPEC.md"


@pytest.fixture
def bench():
    return Bench.of(plant(), well=False)


def post(bench, at_s, order, argument=None, *, node="a", expires_s=3600.0):
    return bench.at(at_s, Posted(node, order, argument, ms(expires_s), "ann", "cli uid 0")).result


def letters(bench, node="a"):
    box = bench.engine.mail.boxes.get(node)
    return box.letters if box else []


def orders(bench, node="a"):
    return [(letter.id, letter.order) for letter in letters(bench, node)]


def result(number, code=0):
    return Result(2, 0, number, code)


def test_a_letter_waits_for_its_result_and_no_other(bench):
    assert post(bench, 0, Order.COLLECT, 12).outcome is Outcome.DONE
    bench.says(1, "a", birth()._replace(last_command=6))
    assert post(bench, 2, Order.IDENTIFY).outcome is Outcome.DONE
    assert orders(bench) == [(7, Order.COLLECT), (8, Order.IDENTIFY)]
    bench.says(3, "b", result(7))
    bench.says(3, "a", result(6))
    assert orders(bench) == [(7, Order.COLLECT), (8, Order.IDENTIFY)]
    assert bench.engine.ledger.counters["result_not_awaited"] == 1
    bench.says(4, "a", result(7, code=2))  # refused is an answer, too
    assert orders(bench) == [(8, Order.IDENTIFY)]
    bench.says(5, "a", result(8))
    assert not bench.engine.mail.boxes


def test_letters_get_their_numbers_when_the_node_has_said_its_last(bench):
    bench.says(0, "a", birth()._replace(last_command=17))  # nobody had mail for it: nothing is kept of this
    post(bench, 0, Order.LEARN, 0)
    post(bench, 1, Order.IDENTIFY)
    assert orders(bench) == [(0, Order.LEARN), (0, Order.IDENTIFY)]
    bench.says(2, "a", birth()._replace(last_command=41))
    assert orders(bench) == [(42, Order.LEARN), (43, Order.IDENTIFY)]


def test_a_birth_that_names_a_waiting_letter_leaves_it_until_its_result_comes(bench):
    post(bench, 0, Order.RESTART)
    bench.says(1, "a", birth())
    bench.says(2, "a", birth()._replace(last_command=1))
    assert orders(bench) == [(1, Order.RESTART)]


def test_numbers_that_a_node_has_passed_in_another_life_of_the_gateway_are_given_anew(bench):
    post(bench, 0, Order.FREEZE)
    bench.says(1, "a", birth())
    assert bench.engine.mail.boxes["a"].due.id == 1
    bench.restarts(2)  # perhaps from a backup
    assert bench.engine.mail.boxes["a"].due is None, "the node is asked first"
    bench.says(3, "a", birth()._replace(last_command=90))
    assert orders(bench) == [(91, Order.FREEZE)]


def test_a_result_that_comes_after_a_restart_is_still_the_letters(bench):
    post(bench, 0, Order.FREEZE)
    bench.says(1, "a", birth())
    bench.restarts(2)
    bench.says(3, "a", result(1))
    assert not bench.engine.mail.boxes


def test_a_newer_letter_of_a_kind_takes_the_place_of_the_older(bench):
    post(bench, 0, Order.HEARTBEAT, 60)
    bench.says(1, "a", birth())
    post(bench, 2, Order.IDENTIFY)
    post(bench, 3, Order.HEARTBEAT, 900)
    assert [letter.argument for letter in letters(bench)] == [None, 900]
    assert orders(bench) == [(2, Order.IDENTIFY), (3, Order.HEARTBEAT)]
    assert bench.engine.ledger.counters["letter_superseded"] == 1


def test_a_letter_expires_by_itself(bench):
    post(bench, 0, Order.LEARN, expires_s=10)
    post(bench, 0, Order.IDENTIFY, expires_s=20)
    assert bench.engine.next_wake_ms == ms(10)
    bench.until(10)
    assert [order for _, order in orders(bench)] == [Order.IDENTIFY]
    bench.until(20)
    assert not bench.engine.mail.boxes and bench.engine.ledger.counters["letter_expired"] == 2


def test_what_cannot_be_delivered_is_refused_by_name(bench, monkeypatch):
    refused = post(bench, 0, Order.IDENTIFY, node="nobody")
    assert (refused.outcome, refused.detail) == (Outcome.REFUSED, "nobody: no node of this plant")
    monkeypatch.setattr(mailbox, "MAX_LETTERS", 1)
    post(bench, 1, Order.IDENTIFY)
    assert post(bench, 2, Order.RESTART).detail == "a: its mailbox is full"
    assert bench.engine.ledger.counters["letter_refused"] == 1
    assert post(bench, 3, Order.IDENTIFY).outcome is Outcome.DONE, "one of its kind is there already"


def test_a_node_that_leaves_the_plant_takes_its_mail_along(bench):
    bench.says(0, "a", birth())
    post(bench, 1, Order.IDENTIFY)
    bench.at(2, Configured(plant({"pump": "bc"})))
    assert not bench.engine.mail.boxes


def test_a_snapshot_holds_the_mail_and_one_from_before_has_none(bench):
    post(bench, 0, Order.COLLECT, 5)
    bench.says(1, "a", birth()._replace(last_command=3))
    state = snapshot.take(bench.engine)
    again = snapshot.restore(state)
    assert again.mail.boxes == {"a": Box([Letter(4, Order.COLLECT, 5, ms(3600))], last=4)}
    assert snapshot.take(again) == state
    older = {key: value for key, value in cbor2.loads(state).items() if key != "mail"}
    assert not snapshot.restore(cbor2.dumps(older)).mail.boxes


def test_every_order_is_the_contracts():
    """The table of nodes/wire/SPEC.md: kind, what, argument."""
    table = SPEC.read_text(encoding="utf-8").partition("## Commands")[2].partition("\n## ")[0]
    rows = {}
    for kinds, argument in re.findall(r"^\| ([0-9 /]+) \|[^|]*\|([^|]*)\|$", table, re.MULTILINE):
        rows |= {int(kind): bool(argument.strip()) for kind in kinds.split("/")}
    assert rows == {int(order): order in mailbox.TAKES_ARGUMENT for order in Order}
