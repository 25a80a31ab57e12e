import os
import re
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

from gateway.store.reader import Reader
from tests.cli import test_cli
from tests.cli.test_cli import good, running, stethos, until

config = test_cli.config  # the fixture


@pytest.fixture
def backup(config: Path, tmp_path: Path) -> Path:
    """A backup of a gateway that runs while it is made."""
    good("node", "add", "n1", config=config)
    (config.parent / "state" / "pki").mkdir()
    (config.parent / "state" / "pki" / "own.der").write_bytes(b"certificate")
    (config.parent / "bundles").mkdir()
    text = config.read_text().replace("k = 1", 'k = 1\nmodel = ""') + '[rescoring]\nbundles = "bundles"\n'
    config.write_text(text, encoding="utf-8")
    with running(config), closing(Reader.open(config.parent / "state")) as reader:
        until(reader.head_id)
        told = good("backup", tmp_path / "b", config=config)
    assert re.search(r"gateway [0-9a-f]{16}, entries up to [1-9]\d*, .* MiB, verified", told)
    assert "guard it" in told and f"not in it: {config.parent / 'bundles'}" in told
    return tmp_path / "b"


def test_a_running_gateway_is_backed_up_and_restored_elsewhere(config: Path, backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "box" / "stethos.toml"
    told = good("restore", backup, config=new)
    assert "epoch 2" in told and "Never start the old box again" in told
    assert new.read_text() == config.read_text()
    assert (tmp_path / "box" / "state" / "pki" / "own.der").read_bytes() == b"certificate"
    secret = good("node", "show", "n1", "--secret", config=config)
    assert good("node", "show", "n1", "--secret", config=new) == secret
    assert "entries hold" in good("audit", config=new)
    assert "byte-identical" in good("replay", config=new)
    assert "good (1 assets" in good("check", config=new)


def test_a_state_that_is_there_is_not_overwritten(config: Path, backup: Path) -> None:
    before = sorted(path.name for path in (config.parent / "state").iterdir())
    refused = stethos("restore", backup, config=config)
    assert refused.exit_code == 1 and f"{config.parent / 'state'}: not empty" in refused.stderr
    assert sorted(path.name for path in (config.parent / "state").iterdir()) == before


def test_a_configuration_that_differs_is_kept(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "box" / "stethos.toml"
    new.parent.mkdir()
    new.write_text("# the sample\n")
    assert f"what was there is kept as {new}.before-restore" in good("restore", backup, config=new)
    assert Path(f"{new}.before-restore").read_text() == "# the sample\n"


def test_a_large_journal_shows_its_progress(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(config):
        pass
    assert stethos("backup", tmp_path / "b", config=config).stderr == ""
    monkeypatch.setattr(import_module("gateway.cli.backup"), "SHOWN_FROM_PAGES", 1)
    assert stethos("backup", tmp_path / "b", config=config).stderr == "journal: 100 %\n"


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"something else" * 1000)
    refused = stethos("restore", tmp_path / "b", config=tmp_path / "stethos.toml")
    assert refused.exit_code == 1 and "not a backup" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_where_nothing_can_be_written_it_is_said_so(config: Path) -> None:
    with running(config):
        refused = stethos("backup", "/proc/b", config=config)
    assert refused.exit_code == 1 and "/proc/" in refused.stderr


def test_a_reload_tells_what_it_has_changed_or_every_fault(config: Path) -> None:
    assert stethos("reload", config=config).exit_code == os.EX_TEMPFAIL
    with running(config):
        assert good("reload", config=config) == "nothing to change\n"
        text = config.read_text()
        config.write_text(text.replace("k = 1", "k = 2").replace('name = "wifi"', 'name = "wlan"'), encoding="utf-8")
        told = good("reload", config=config)
        assert told.splitlines() == ["link wifi: stopped", "link wlan: started", "asset pump-1: changed"]
        config.write_text(text.replace('site = "works"', 'site = "other"\nlog = "debug"'), encoding="utf-8")
        refused = stethos("reload", config=config)
        assert refused.exit_code == os.EX_CONFIG
        for key in ("gateway.site", "gateway.log"):
            assert f"{config}: {key}: cannot change while the gateway runs" in refused.stderr
        config.write_text(text.replace("k = 1", "k = 3").replace("site =", "sight ="), encoding="utf-8")
        refused = stethos("reload", config=config)
        assert refused.exit_code == os.EX_CONFIG and "k: 3 of 2" in refused.stderr and "did you mean" in refused.stderr
