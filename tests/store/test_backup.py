import os
import shutil
import signal
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import backup, restore
from gateway.store.audit import audit
from gateway.store.backup import BackupBroken, Manifest
from gateway.store.journal import Journal, JournalBroken
from gateway.store.keys import NodeKey, Registry
from gateway.store.reader import Reader
from tests.store.groups import fill, next_group

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
DAY = NOW_MS // DAY_MS - 18_262  # since 2020
OF_DAY = NOW_MS % DAY_MS * 32
CONFIG = '[gateway]\nsite = "works"\n'


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "old" / "state"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "pki" / "trusted").mkdir(parents=True)
    (folder / "pki" / "trusted" / "client.der").write_bytes(os.urandom(900))
    (folder / "opcua-users").write_text("anna:secret\n")
    (tmp_path / "old" / "stethos.toml").write_text(CONFIG)
    return folder


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    with closing(Journal.open(state)) as opened:
        fill(opened, 30, 30, config=True)
        opened.set_marks({"down/n1#0": 4096})
        yield opened


@pytest.fixture
def key(state: Path) -> NodeKey:
    with closing(Registry.open(state)) as registry:
        return registry.add("n1", now_ms=NOW_MS)


def make(state: Path, target: Path, now_ms: int = NOW_MS) -> tuple[Manifest, list[Path]]:
    config = state.parent / "stethos.toml"
    return backup.make(state, config, target, release="1", now_ms=now_ms, progress=lambda done, total: None)


def put_back(file: Path, place: Path, now_ms: int = NOW_MS) -> restore.Restored:
    return restore.restore(file, place / "state", place / "stethos.toml", now_ms=now_ms)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_new_box_has_everything_that_the_old_one_had(
    state: Path, journal: Journal, key: NodeKey, tmp_path: Path
) -> None:
    made, left_out = make(state, tmp_path / "b")
    assert (made.head, left_out) == (60, [])
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    done = put_back(tmp_path / "b", tmp_path / "new" / "box")
    new = tmp_path / "new" / "box" / "state"
    assert (done.epoch, done.kept_config, done.manifest) == (DAY, None, made)
    assert (tmp_path / "new" / "box" / "stethos.toml").read_text() == CONFIG
    for path in [new, *new.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    for name in ("gateway.key", "opcua-users", "pki/trusted/client.der"):
        assert (new / name).read_bytes() == (state / name).read_bytes()
    with closing(Registry.open(new)) as registry:
        assert registry.list() == (key,)
    with closing(Reader.open(new)) as reader:
        assert reader.head() == journal.head() and reader.gateway_id == journal.gateway_id
        assert reader.windows() == journal.windows()
        assert reader.marks() == journal.marks() | {
            "epoch": DAY, "down/n1#0": OF_DAY, "down_from": OF_DAY, "restored/212163200": journal.last_event,
        }  # fmt: skip
    assert audit(new).ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "new", "old"]


def used_from(place: Path) -> tuple[int, int, int]:
    """Epoch and first partial IVs downward: of a node that the backup knows, and of one that it does not."""
    with closing(Reader.open(place / "state")) as reader:
        marks = reader.marks()
    return marks["epoch"], marks["down/n1#0"], marks["down_from"]


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * DAY_MS), st.booleans()), min_size=2, max_size=6),
    before=st.integers(0, 3000),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_later_restore_of_whichever_backup_is_above_all_earlier_ones(
    state: Path, journal: Journal, tmp_path: Path, steps: list[tuple[int, int, bool]], before: int
) -> None:
    """Each step: which of the backups there are, how long after the one before, and whether that life is backed up."""
    journal.set_marks({"epoch": before, "down/n1#0": 4096})
    shutil.rmtree(tmp_path / "backups", ignore_errors=True)
    (tmp_path / "backups").mkdir()
    backups = [tmp_path / "backups" / "0"]
    make(state, backups[0])
    now_ms, newest = NOW_MS, (before, 0)
    for which, later_ms, again in steps:
        now_ms += later_ms + 1
        shutil.rmtree(tmp_path / "box", ignore_errors=True)
        put_back(backups[which % len(backups)], tmp_path / "box", now_ms)
        epoch, known, unknown = used_from(tmp_path / "box")
        assert known == unknown <= 2**32 * 2 / 3
        if before < DAY and not any(again for *_, again in steps):  # else an epoch may be ahead of its day
            assert (epoch, known) > newest
        assert epoch > before
        newest = (epoch, known)
        if again:
            backups.append(tmp_path / "backups" / str(len(backups)))
            make(tmp_path / "box" / "state", backups[-1], now_ms)


def test_after_the_last_epoch_only_new_keys_help(state: Path, journal: Journal, tmp_path: Path) -> None:
    journal.set_marks({"epoch": 0xFFFF})
    make(state, tmp_path / "b")
    with pytest.raises(BackupBroken, match="give every node a new key"):
        put_back(tmp_path / "b", tmp_path / "new")


def test_a_backup_is_of_one_moment_however_much_is_written(
    state: Path, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal, *[300] * 40)
    monkeypatch.setattr(backup, "STEP_PAGES", 16)
    seen: list[tuple[int, int]] = []
    before, ending, started = journal.last_id, threading.Event(), threading.Event()

    def write() -> None:
        while not ending.is_set():
            journal.commit(next_group(journal, 20))
            started.set()

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        started.clear()  # at least one commit for each step of the copy
        started.wait(10)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made, _ = backup.make(
            state, state.parent / "stethos.toml", tmp_path / "b", release="1", now_ms=NOW_MS, progress=progress
        )
    finally:
        ending.set()
        writer.join()
    done = [pages for pages, _ in seen]
    assert len(seen) > 10 and done == sorted(set(done)) and seen[-1][0] == seen[-1][1]  # it never began anew
    assert before <= made.head < journal.last_id
    put_back(tmp_path / "b", tmp_path / "new")
    assert audit(tmp_path / "new" / "state").ok
    with closing(Reader.open(tmp_path / "new" / "state")) as copy:
        assert copy.read(0, made.head + 1) == journal.read(0, made.head)


def test_a_folder_with_a_life_in_it_is_refused_and_left_alone(state: Path, journal: Journal, tmp_path: Path) -> None:
    make(state, tmp_path / "b")
    there = tmp_path / "there" / "state"
    there.mkdir(parents=True)
    (there / "something").write_text("x")
    with pytest.raises(BackupBroken, match=r"there/state: not empty \(something"):
        put_back(tmp_path / "b", tmp_path / "there")
    assert contents(tmp_path / "there") == {"state/something": b"x"}


def test_an_empty_folder_is_taken_and_a_configuration_that_differs_is_kept(
    state: Path, journal: Journal, tmp_path: Path
) -> None:
    make(state, tmp_path / "b")
    (tmp_path / "new" / "state").mkdir(parents=True)
    config = tmp_path / "new" / "stethos.toml"
    config.write_text("sample")
    config.chmod(0o640)
    done = put_back(tmp_path / "b", tmp_path / "new")
    assert done.kept_config and done.kept_config.read_text() == "sample"
    assert (config.read_text(), stat.S_IMODE(config.stat().st_mode)) == (CONFIG, 0o640)
    shutil.rmtree(tmp_path / "new" / "state")
    assert put_back(tmp_path / "b", tmp_path / "new").kept_config is None


def test_what_was_cut_short_leaves_nothing_half_and_can_be_done_again(
    state: Path, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for left in (tmp_path / ".b.partial", tmp_path / "new" / "state.restoring"):  # as kill -9 leaves them
        left.mkdir(parents=True)
        (left / "half").write_text("x")
    make(state, tmp_path / "b")
    assert not (tmp_path / ".b.partial").exists()
    with monkeypatch.context() as broken:
        broken.setattr(restore, "_make_config", lambda *_, **__: Path("/no/such/file").stat())
        with pytest.raises(BackupBroken, match="No such file"):
            put_back(tmp_path / "b", tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    put_back(tmp_path / "b", tmp_path / "new")
    assert audit(tmp_path / "new" / "state").ok
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["state", "stethos.toml"]


STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "sqlite3.connect"}


def killed_before_step(step: int, file: Path, box: Path) -> bool:
    """A process of its own restores, and is killed before its so-maniest step on the disk; False: it had fewer."""
    if (child := os.fork()) == 0:
        left = step

        def look(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS and any(str(box) in str(argument) for argument in arguments):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        with suppress(BaseException):
            put_back(file, box)
            os._exit(0)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def test_wherever_a_restore_is_killed_no_gateway_starts_on_half_of_it_and_the_same_again_completes_it(
    state: Path, journal: Journal, key: NodeKey, tmp_path: Path
) -> None:
    make(state, tmp_path / "b")
    seen, step = set(), 1
    while killed_before_step(step, tmp_path / "b", box := box_with_the_sample(tmp_path / f"box-{step}")):
        there = {path.name for path in (box / "state").iterdir()}
        config = (box / "stethos.toml").read_text()
        whole = "gateway.key" in there
        seen.add((bool(there), config, whole))
        if not whole:
            if there:
                with pytest.raises(JournalBroken, match=r"gateway\.key: No such file"):
                    Journal.open(box / "state")
            put_back(tmp_path / "b", box, NOW_MS + 60_000)
            assert {path.name for path in box.iterdir()} == {"state", "stethos.toml", "stethos.toml.before-restore"}
        assert (box / "stethos.toml").read_text() == CONFIG
        assert (box / "stethos.toml.before-restore").read_text() == "sample"
        with closing(Registry.open(box / "state")) as registry, closing(Journal.open(box / "state")) as restored:
            assert registry.list() == (key,) and restored.head() == journal.head()
        step += 1
    assert seen == {(False, "sample", False), (True, "sample", False), (True, CONFIG, False), (True, CONFIG, True)}


def box_with_the_sample(folder: Path) -> Path:
    (folder / "state").mkdir(parents=True)
    (folder / "stethos.toml").write_text("sample")
    return folder


def test_what_another_restore_has_begun_is_not_gone_on_with(state: Path, journal: Journal, tmp_path: Path) -> None:
    for at in (0, 1):
        make(state, tmp_path / f"b{at}", NOW_MS + at)
    begun = tmp_path / "new" / "state"
    begun.mkdir(parents=True)
    (begun / f"gateway.key.restoring-{NOW_MS}").touch()
    with pytest.raises(BackupBroken, match="another backup was being restored here"):
        put_back(tmp_path / "b1", tmp_path / "new")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_harmless(
    state: Path, journal: Journal, key: NodeKey, tmp_path: Path, at: float, bit: int
) -> None:
    file, new = tmp_path / "b", tmp_path / "new"
    if not file.exists():
        make(state, file)
        put_back(file, tmp_path / "good")
    data = bytearray(file.read_bytes())
    data[int(at * len(data))] ^= 1 << bit
    (tmp_path / "bad").write_bytes(data)
    shutil.rmtree(new, ignore_errors=True)
    try:
        put_back(tmp_path / "bad", new)
    except BackupBroken:
        assert not (new / "state").exists()
        return
    good = contents(tmp_path / "good" / "state")
    assert {name: data for name, data in contents(new / "state").items() if "sqlite3" not in name} == {
        name: data for name, data in good.items() if "sqlite3" not in name
    }
    with closing(Reader.open(new / "state")) as one, closing(Reader.open(tmp_path / "good" / "state")) as other:
        assert (one.head(), one.marks(), one.windows()) == (other.head(), other.marks(), other.windows())


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.9])  # at its end there are zeros that nobody misses
def test_a_backup_that_is_cut_off_is_refused(state: Path, journal: Journal, tmp_path: Path, kept: float) -> None:
    make(state, tmp_path / "b")
    data = (tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(data[: int(kept * len(data))])
    with pytest.raises(BackupBroken, match="not a backup, or cut off"):
        put_back(tmp_path / "b", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_no_plain_file_is_left_out_and_named(state: Path, journal: Journal, tmp_path: Path) -> None:
    (state / "elsewhere").symlink_to(tmp_path)
    (state / "pki" / "link").symlink_to(state / "opcua-users")
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(state / "control.sock"))
    control.close()
    made, left_out = make(state, tmp_path / "b")
    assert sorted(left_out) == [state / "elsewhere", state / "pki" / "link"]
    assert not any("elsewhere" in name or "control" in name for name in made.files)


def test_a_damaged_journal_makes_no_backup(state: Path, journal: Journal, tmp_path: Path) -> None:
    fill(journal, *[300] * 20)
    journal.close()
    file = state / "journal.sqlite3"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = os.urandom(4096)
    file.write_bytes(data)
    (tmp_path / "b").write_text("the one of yesterday")
    with pytest.raises(JournalBroken, match=r"damaged|malformed"):
        make(state, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "the one of yesterday"


def test_without_a_journal_there_is_nothing_to_back_up(state: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="no journal here"):
        make(state, tmp_path / "b")
    assert not (tmp_path / "b").exists()
