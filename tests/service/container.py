"""A machine with systemd as PID 1: the smallest Debian there is, booted in a container without a network."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BOOT_S = 60.0
PATIENCE_S = 120.0
PACKAGES = "systemd,systemd-sysv,dbus,python3,zlib1g,libsystemd0,libstdc++6"
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "apt-get", "dpkg-shlibdeps", "/usr/bin/python3")


def why_not() -> str:
    """What is missing for a container on this machine; "" if nothing is."""
    if os.geteuid() != 0:
        return "a container needs root"
    if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(absent)} not installed (deploy/system-packages test)"
    if subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
        return "this machine is itself a container that may not make another"
    return ""


def base(folder: Path) -> Path:
    """The root of a small Debian of this machine's own release and sources, made once and kept in `folder`."""
    root = folder / f"base-{_release()}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            fresh = folder / "base.new"
            shutil.rmtree(fresh, ignore_errors=True)
            subprocess.run(
                ["mmdebstrap", "--quiet", "--variant=essential", f"--include={PACKAGES}", _release(), fresh, "-"],
                input=_sources(), check=True, text=True,
            )  # fmt: skip
            fresh.rename(root)
    return root


def _release() -> str:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["VERSION_CODENAME"]


def _sources() -> str:
    """Where this machine has Debian itself from, and nothing else."""
    wanted = ["Created-By: Packages", "Origin: Debian"]
    line = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", line, *wanted], check=True, capture_output=True, text=True
    )
    return listed.stdout


class Machine:
    """A booted container. Everything written in it is gone with it."""

    def __init__(self, process: subprocess.Popen[bytes], leader: int) -> None:
        self._process = process
        self._leader = leader

    def run(self, *command: str, check: bool = True) -> str:
        """What a command says inside, both streams."""
        inside = ["nsenter", "--target", str(self._leader), "--all", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin",
                  "LANG=C.UTF-8", "SYSTEMD_COLORS=0", *command]  # fmt: skip
        done = subprocess.run(inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def shell(self, script: str, check: bool = True) -> str:
        """The same for a line of shell."""
        return self.run("sh", "-c", script, check=check)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        said = self.run("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def until(self, what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait for a condition; on failure say how the service stands."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                said = self.shell("systemctl status --no-pager -l stethos; journalctl --no-pager -n 60", check=False)
                raise AssertionError(f"waited in vain until {what}\n{said}")
            time.sleep(0.2)

    def off(self) -> None:
        """Pull the plug: nothing in it is wanted any more."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.terminate()  # systemd-nspawn ends at once at the second one
            self._process.wait(20)


@contextmanager
def booted(root: Path, shared: Path, log: Path) -> Iterator[Machine]:
    """Boot a throw-away copy of `root` with `shared` as /shared (read-only), and no network but loopback."""
    command = [
        "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--volatile=overlay",
        "--private-network", f"--machine=stethos-test-{os.getpid()}", f"--directory={root}",
        f"--bind-ro={shared}:/shared",
    ]  # fmt: skip
    with log.open("wb") as console:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    machine = None
    try:
        machine = Machine(process, _leader(process, log))
        machine.run("systemctl", "is-system-running", "--wait", check=False)
        yield machine
    finally:
        (machine or Machine(process, 0)).off()


def _leader(process: subprocess.Popen[bytes], log: Path) -> int:
    """PID 1 of the container, as seen from here, once it listens."""
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline and process.poll() is None:
        for child in _children(process.pid):
            if Path(f"/proc/{child}/root/run/systemd/private").exists():
                return child
        time.sleep(0.1)
    raise AssertionError(f"the container does not boot:\n{log.read_text(errors='replace')[-4000:]}")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found
