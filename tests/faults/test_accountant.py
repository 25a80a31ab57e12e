"""The accountant notices each kind of loss and doubling, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.plant import AlarmId
from gateway.core.update import AlarmChange, AlarmTransition
from tests.faults import accountant
from tests.faults.accountant import Account, Held
from tests.faults.consumers import Plc, Told

GATEWAY = bytes(range(8))


def change(event: int, transition: AlarmTransition) -> AlarmChange:
    raised = transition is AlarmTransition.RAISED
    return AlarmChange(
        event, AlarmId.parse("node/n-0/sensor_fault"), transition, raised, False, 0, False, 1, 1, 1, 0, False
    )


RAISED, RETURNED = change(1, AlarmTransition.RAISED), change(2, AlarmTransition.RETURNED)
HELD = Held(GATEWAY, {1: ("n-0", 5), 2: ("n-0", 6)}, {1: RAISED, 2: RETURNED})
TOLD = [Told(n, identity, ("node/n-0/sensor_fault", t)) for n, identity, t in (
    (1, GATEWAY.hex() + "01", "raised"), (2, GATEWAY.hex() + "02", "returned"))]  # fmt: skip
IDS = [GATEWAY + bytes([0] * 7 + [n]) for n in (1, 2)]


def nodes(held: Held, acknowledged: set[tuple[str, int]], given_up: int = 0) -> Account:
    account = Account()
    accountant.nodes_account(account, held, acknowledged, given_up)
    return account


def mqtt(told: list[Told], given_up: tuple[int, ...] = ()) -> Account:
    account = Account()
    accountant.mqtt_account(account, HELD, told, given_up)
    return account


def modbus(*taken: tuple[int, str], again: tuple[int, ...] = (), turned: tuple[int, ...] = ()) -> Account:
    account = Account()
    accountant.modbus_account(account, HELD, Plc(0, list(taken), list(again), turned=list(turned)))
    return account


def opcua(held: Held, *sessions: list[bytes]) -> Account:
    account = Account()
    accountant.opcua_account(account, held, sessions)
    return account


def test_what_is_whole_is_clean() -> None:
    assert nodes(HELD, {("n-0", 5), ("n-0", 6)}).is_clean
    assert mqtt([*TOLD, TOLD[0]]).is_clean  # a repeat under its own id
    assert modbus((1, "raised"), (2, "returned")).is_clean
    assert opcua(HELD, IDS, IDS[1:], [b"somebody's own event"]).is_clean


def test_what_nodes_were_told_and_the_journal_does_not_have_is_lost() -> None:
    account = nodes(HELD, {("n-0", 5), ("n-0", 7)}, given_up=2)
    assert account.lost["journal"] == [("n-0", 7)]
    assert (account.lost_count, account.doubled_count) == (3, 0)


def test_what_was_acted_on_twice_is_doubled() -> None:
    twice = Held(GATEWAY, {1: ("n-0", 5), 2: ("n-0", 5)}, {1: RAISED, 2: replace(RAISED, event=2)})
    account = nodes(twice, set())
    assert (account.doubled["journal"], account.doubled["engine"]) == ([("n-0", 5)], [2])
    assert nodes(replace(HELD, scores={3: 1, 4: 1, 5: 2}), set()).doubled["scores"] == [1]


def test_mqtt_events_that_are_missing_or_mean_two_things() -> None:
    assert mqtt(TOLD[1:]).lost["mqtt"] == [1]
    assert mqtt(TOLD[1:], given_up=(1,)).is_clean
    assert mqtt([*TOLD, replace(TOLD[0], identity=GATEWAY.hex() + "09")]).doubled["mqtt"] == [1]
    assert mqtt([*TOLD, replace(TOLD[0], what=("node/n-1/sensor_fault", "raised"))]).doubled["mqtt"] == [1]
    assert mqtt([*TOLD, replace(TOLD[1], number=3)]).doubled["mqtt"] == [3]
    assert mqtt([*TOLD, replace(TOLD[1], identity="ff" * 9)]).doubled_count == 2


def test_modbus_events_that_are_missing_shown_again_or_not_the_journals() -> None:
    assert modbus((2, "returned")).lost["modbus"] == [1]
    assert modbus((1, "raised"), (2, "returned"), again=(1,)).doubled["modbus"] == [1]
    assert modbus((1, "raised"), (2, "raised")).doubled["modbus"] == [2]


def test_opcua_events_that_are_missing_between_two_that_came_or_come_twice() -> None:
    third = Held(GATEWAY, {}, {**HELD.events, 3: change(3, AlarmTransition.RAISED)})
    last = GATEWAY + bytes([0] * 7 + [3])
    assert opcua(third, [IDS[0], last]).lost["opcua"] == [2]
    assert opcua(third, [IDS[0]], [last]).is_clean  # two subscriptions, and nothing was promised in between
    assert opcua(HELD, [*IDS, IDS[0]]).doubled["opcua"] == [1]
    assert opcua(HELD, [*IDS, last]).doubled["opcua"] == [3]


def test_events_that_are_told_in_another_order_than_they_happened() -> None:
    turned = mqtt(TOLD[::-1])
    assert (turned.disordered["mqtt"], turned.lost_count, turned.doubled_count) == ([1], 0, 0)
    assert not turned.is_clean
    assert mqtt([*TOLD, *TOLD]).is_clean  # repeats may begin anew
    assert opcua(HELD, IDS[::-1]).disordered["opcua"] == [1]
    assert opcua(HELD, IDS, IDS).is_clean
    assert modbus((2, "returned"), (1, "raised")).disordered["modbus"] == [1]
    assert modbus((1, "raised"), (2, "returned"), turned=(1,)).disordered["modbus"] == [1]
    assert Account.sum([turned, turned]).disordered_count == 2
    assert "disordered at mqtt: 1" in str(turned)


def test_a_gap_is_believed_only_where_it_can_be_true() -> None:
    account, now = Account(), Held(GATEWAY, {}, {n: change(n, AlarmTransition.RAISED) for n in (5, 6, 7)})
    assert accountant.credible(account, now, range(1, 4), keep_events=3) == {1, 2, 3}
    assert account.is_clean
    assert accountant.credible(account, now, [4, 5], keep_events=3) == {4}
    assert account.lost["gaps"] == [5]  # it is there
    assert accountant.credible(account, now, [1, 2, 3], keep_events=5) == {1, 2}
    assert account.lost["gaps"] == [5, 3]  # so few as to be kept


def test_what_a_plc_is_shown_in_another_order_is_noticed() -> None:
    plc = Plc(0)
    plc.take([(1, "raised"), (2, "returned")])
    plc.take([(1, "raised"), (2, "returned"), (3, "raised")])  # not confirmed yet, so it is shown again
    assert (plc.turned, len(plc.taken)) == ([], 3)
    plc.take([(5, "raised"), (4, "returned")])
    assert plc.turned == [4]


def test_messages_of_entries_that_were_let_go_unread_are_not_sought_and_that_is_said() -> None:
    account = nodes(replace(HELD, unseen=3), {("n-0", 5), ("n-0", 7)})
    assert account.is_clean
    assert "3 entries were let go unread" in str(account)
