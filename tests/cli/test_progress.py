"""How far a long command is: nothing while it is short, then now and then a line."""

from __future__ import annotations

import pytest

from gateway.cli import progress


def test_what_is_done_soon_is_worth_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown("judging") as tell:
        for share in (0, 0.5, 1):
            tell("pump", share)
    assert capsys.readouterr().err == ""


def test_a_file_has_lines_and_a_terminal_one_that_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_FIRST_S", 0.0)
    monkeypatch.setattr(progress, "_AGAIN_S", {False: 0.0, True: 0.0})
    for terminal, said in (
        (False, "judging pump: 50 %\njudging fan: 75 %\n"),
        (True, "\rjudging pump: 50 %\x1b[K\rjudging fan: 75 %\x1b[K\r\x1b[K"),
    ):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        with progress.shown("judging") as tell:
            tell("pump", 0.5)
            tell("fan", 0.75)
        assert capsys.readouterr().err == said
