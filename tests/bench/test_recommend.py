"""docs/recommend.md: its tables have a place, and what it says to run is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench import models, recommend
from tests.bench.figures import Figure


def test_every_command_that_the_page_names_is_there() -> None:
    page = recommend.PAGE.read_text(encoding="utf-8")
    groups = re.findall(r"make bench-models GROUPS=([\w-]+)", page)
    wanted = {"study", "study-plants", "study-drift", "study-length", "study-features", "cores"}
    assert set(groups) == wanted <= set(models.GROUPS)
    assert re.findall(r"<!-- (\w+) -->\n\|", page) == ["study", "plants", "drift", "length", "features", "cost"]
    assert page.count("<!-- end -->") == 6


@pytest.mark.parametrize("head", ["Which way", "How much drift is followed"])
def test_every_figure_in_its_words_stands_in_a_table(head: str) -> None:
    """What is said of a figure must be said again when the tables are made again."""
    page = recommend.PAGE.read_text(encoding="utf-8")
    tables = "".join(re.findall(r"<!-- (?:study|plants|drift) -->\n(.*?)<!-- end -->", page, flags=re.DOTALL))
    words = page.split(f"## {head}\n")[1].split("\n## ")[0]
    words = re.sub(r"<!-- \w+ -->\n.*?<!-- end -->", "", words, flags=re.DOTALL)
    said = set(re.findall(r"(?<![\d.])\d+\.\d(?!\d)", words))
    assert len(said) >= 5 and not said - set(re.findall(r"\d+\.\d+", tables))


def test_a_table_goes_into_its_place_and_nothing_else_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\n")
    recommend.write("one", "| x |\n", page)
    assert page.read_text() == "a\n<!-- one -->\n| x |\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\n"
    with pytest.raises(AssertionError, match="0 places for three"):
        recommend.write("three", "", page)


def test_what_was_not_found_is_a_dash() -> None:
    found = {"study_fan_60s_same_learner_false_alarm_pct": Figure(1.25, "%", "")}
    rows = recommend.length(found).splitlines()
    assert rows[3] == "| 60 s | 1.2 | – | – | – | – | – |" and len(rows) == 6
