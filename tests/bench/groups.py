"""The groups of a bench, one after the other: what each finds out goes into build/figures.json."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence

from tests.bench.figures import Figure, merge, read, show
from tests.bench.progress import say


def parser(module: str, text: str | None, groups: Iterable[str]) -> argparse.ArgumentParser:
    """Of the command line `python -m MODULE [GROUP ...]`."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=text)
    made.add_argument("group", nargs="*", choices=[*groups, []], help="what to measure; default: all")
    return made


def each(groups: Iterable[str], measured: Callable[[str], bool]) -> int:
    """Measures them, and shows all figures. Returns 1 if a group came to nothing; the others are run all the same."""
    failed = []
    for group in groups:
        say(f"== {group}")
        if not measured(group):
            failed.append(group)
    show(read())
    for group in failed:
        say(f"{group} came to nothing")
    return bool(failed)


def run(
    module: str,
    text: str | None,
    groups: Mapping[str, Callable[[], Mapping[str, Figure]]],
    arguments: Sequence[str] | None,
    faults: tuple[type[Exception], ...] = (AssertionError, OSError),
) -> int:
    """A whole bench whose groups take nothing. `faults`: with which a group comes to nothing."""

    def measured(group: str) -> bool:
        try:
            merge(groups[group]())
        except faults as error:
            say(f"{group}: {error}")
            return False
        return True

    return each(parser(module, text, groups).parse_args(arguments).group or groups, measured)
