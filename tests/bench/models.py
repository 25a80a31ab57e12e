"""`python -m tests.bench.models [GROUP ...]`: the figures of models and learners, into build/figures.json.

Each file `models_*.py` beside this one offers GROUPS: by name, a function that returns figures. Recordings of
../shared/data are needed; without them a group comes to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tests.bench import groups
from tests.bench.figures import Figure

GROUPS: Mapping[str, Callable[[], Mapping[str, Figure]]] = {
    name: group
    for file in sorted(Path(__file__).parent.glob("models_*.py"))
    for name, group in import_module(f"tests.bench.{file.stem}").GROUPS.items()
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the groups. Returns 1 if one came to nothing."""
    return groups.run("tests.bench.models", __doc__, GROUPS, arguments)


if __name__ == "__main__":
    sys.exit(main())
