"""The registry of nodes: private, unambiguous, and never the same key twice."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.store.keys import FILE_NAME, Registry, RegistryBroken, RegistryRefused

ADD_MANY = """
import sys
from pathlib import Path
from gateway.store.keys import Registry
registry = Registry.open(Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    registry.add(f"{sys.argv[2]}-{i}", now_ms=i)
"""


def test_a_node_comes_back_as_added(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    registry = Registry.open(folder)
    added = registry.add("pump-1", now_ms=5)
    given = registry.add("fan-2", now_ms=6, kid=b"\1\2\3\4", secret=bytes(range(16)))
    registry.close()
    again = Registry.open(folder)
    assert again.list() == (given, added)
    assert again.get("pump-1") == added
    assert again.get("nobody") is None
    assert (len(added.kid), len(added.secret), added.key_generation, added.added_ms) == (4, 16, 0, 5)
    assert (given.kid, given.secret) == (b"\1\2\3\4", bytes(range(16)))
    again.close()


def test_the_secret_is_not_shown(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "keys")
    key = registry.add("a", now_ms=0, secret=b"S" * 16)
    assert "SSSS" not in f"{key!r} {key}"
    registry.close()


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "ä", "a" * 33, "a\n", "a b"])
def test_a_malformed_name_is_refused(tmp_path: Path, name: str) -> None:
    registry = Registry.open(tmp_path / "keys")
    with pytest.raises(RegistryRefused, match="a name is"):
        registry.add(name, now_ms=0)
    registry.add("a" * 32, now_ms=0)
    registry.close()


def test_what_is_taken_or_malformed_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "keys")
    one = registry.add("one", now_ms=0)
    stamp = registry.version()
    for name, kid, secret, message in (
        ("one", None, None, "such a node already"),
        ("two", one.kid, None, "is one's"),
        ("two", None, one.secret, "used before"),
        ("two", b"123", None, "4 bytes"),
        ("two", None, b"short", "16 bytes"),
    ):
        with pytest.raises(RegistryRefused, match=message):
            registry.add(name, now_ms=0, kid=kid, secret=secret)
    for act in (registry.remove, registry.rekey):
        with pytest.raises(RegistryRefused, match="no such node"):
            act("two")
    assert registry.list() == (one,)
    assert registry.version() == stamp
    registry.close()


def steps_of_adding(registry: Registry, name: str) -> int:
    """What SQLite's virtual machine does for it, in steps of ten instructions."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    registry._db.set_progress_handler(step, 10)
    registry.add(name, now_ms=0)
    registry._db.set_progress_handler(None, 0)
    return steps


def test_adding_a_node_costs_the_same_however_many_there_are(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "keys")
    few = steps_of_adding(registry, "first")
    for i in range(300):
        registry.add(f"node-{i}", now_ms=0)
    assert steps_of_adding(registry, "last") < 2 * few
    registry.close()


def test_rekeying_keeps_name_and_id_and_raises_the_generation(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "keys")
    old = registry.add("a", now_ms=7)
    new = registry.rekey("a")
    assert (new.name, new.kid, new.added_ms, new.key_generation) == ("a", old.kid, 7, 1)
    assert new.secret != old.secret
    assert registry.get("a") == new
    registry.close()


def test_a_removed_node_leaves_its_generation_and_its_secret_is_never_used_again(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "keys")
    registry.add("a", now_ms=0)
    last = registry.rekey("a")
    registry.remove("a")
    assert registry.list() == ()
    with pytest.raises(RegistryRefused, match="used before"):
        registry.add("b", now_ms=0, secret=last.secret)
    assert registry.add("a", now_ms=1).key_generation == 2
    registry.close()


def test_every_change_raises_the_version_for_every_holder(tmp_path: Path) -> None:
    daemon, command = Registry.open(tmp_path / "keys"), Registry.open(tmp_path / "keys")
    seen = [daemon.version()]
    for change in (lambda: command.add("a", now_ms=0), lambda: command.rekey("a"), lambda: command.remove("a")):
        change()
        seen.append(daemon.version())
        assert command.version() == daemon.version() == daemon.version()
    assert seen == sorted(set(seen))
    daemon.close()
    command.close()


def test_files_are_made_private(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "deep" / "keys")
    registry.add("a", now_ms=0)
    folder = tmp_path / "deep" / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()] == [0o600]
    registry.close()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_registry_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "keys"
    Registry.open(folder).close()
    (folder / FILE_NAME).chmod(mode)
    with pytest.raises(RegistryBroken, match=rf"nodes\.sqlite3: group or others can read.*{mode:04o}"):
        Registry.open(folder)


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Registry.open(folder).close()
    folder.chmod(0o770)
    with pytest.raises(RegistryBroken, match="keys: group or others can replace"):
        Registry.open(folder)


def test_what_is_no_registry_is_named_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Registry.open(folder).close()
    path = folder / FILE_NAME
    path.write_bytes(b"something else" * 100)
    with pytest.raises(RegistryBroken, match=r"nodes\.sqlite3: file is not a database"):
        Registry.open(folder)
    path.write_bytes(b"")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    with pytest.raises(RegistryBroken, match="not a registry"):
        Registry.open(folder)
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE recipes")
    db.close()
    Registry.open(folder).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(RegistryBroken, match="schema 99 is newer"):
        Registry.open(folder)


def test_two_processes_add_at_the_same_time(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    runs = [
        subprocess.Popen([sys.executable, "-c", ADD_MANY, str(folder), name, "25"], cwd=Path(__file__).parents[2])
        for name in ("left", "right")
    ]
    assert [run.wait(60) for run in runs] == [0, 0]
    registry = Registry.open(folder)
    keys = registry.list()
    assert {key.name for key in keys} == {f"{side}-{i}" for side in ("left", "right") for i in range(25)}
    assert len({key.kid for key in keys}) == len({key.secret for key in keys}) == 50
    assert registry.version() == 50
    registry.close()
