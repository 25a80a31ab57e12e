"""Where a file named in stethos.toml lies: in the state folder, or among the service's credentials."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CREDENTIALS_DIRECTORY"
OF_SERVICE = "/run/credentials/stethos.service"
"""Where the running service has its own; `stethos check` at a shell, whose environment has none, looks there."""


def place(path: Path, state_dir: Path) -> Path:
    """The file that a path of links and outputs means: relative ones lie in the state folder, and
    `$CREDENTIALS_DIRECTORY/...` among the credentials that the service manager hands over (systemd.exec(5)).
    """
    first, *rest = path.parts or ("",)
    if first == f"${VARIABLE}":
        return Path(os.environ.get(VARIABLE, OF_SERVICE), *rest)
    return state_dir / path
