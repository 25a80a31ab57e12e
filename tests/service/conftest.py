from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import container
from tests.service.installed import Installed
from tests.service.packages import build, bundle, newer

HERE = Path(__file__).parents[2]
KEPT = HERE / "build" / "service"
"""The base system and the package's libraries, so that only the first run takes long."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A machine that has booted, with the package's file and a newer one at hand."""
    if why := container.why_not():
        pytest.skip(why)
    shared = tmp_path_factory.mktemp("shared")
    package = build(HERE, KEPT, shared / "old.deb")
    newer(package, shared / "new.deb")
    bundle(shared / "bundles")
    shared.chmod(0o755)  # the service's user looks in, too
    log = tmp_path_factory.mktemp("console") / "log"
    with container.booted(container.base(KEPT), shared, log) as machine:
        yield Installed(machine)
