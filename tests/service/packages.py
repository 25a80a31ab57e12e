"""The Debian package, and one that differs in its version alone."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from gateway.detectors.manifest import DataSource, channels_of
from gateway.training import bundle_writer
from gateway.training.commission import Normal, Purpose, host_bundle
from tests.detectors.signing import KEY

NEWER = "9.0"
BUNDLE = "pump-host"


def build(checkout: Path, folder: Path, package: Path) -> Path:
    """Build the package of this checkout as `package`; what takes long is kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run(
            [checkout / "deploy" / "debian" / "build", folder], check=True, stdout=subprocess.PIPE, text=True
        )
        shutil.move(built.stdout.splitlines()[-1], package)
    return package


def newer(package: Path, made: Path) -> None:
    """The same package with a higher version, packed in a hurry."""
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
        control = tree / "DEBIAN" / "control"
        lines = control.read_text().splitlines()
        control.write_text(
            "".join(f"Version: {NEWER}\n" if line.startswith("Version:") else f"{line}\n" for line in lines)
        )
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def bundle(folder: Path) -> None:
    """A real Bundle in a folder of its name, trained on noise, signed by KEY."""
    windows = np.random.default_rng(7).normal(1600, 16, (400, 3)).astype(np.int64)
    source = DataSource(description="noise", sha256=hashlib.sha256(windows.tobytes()).hexdigest())
    normal = Normal(windows[:200], windows[200:300], windows[300:], (source,))
    host_bundle(folder / BUNDLE, Purpose(BUNDLE, channels_of("mg", "x"), 64, 100_000, "tests"), normal)
    bundle_writer.sign(folder / BUNDLE, KEY)
