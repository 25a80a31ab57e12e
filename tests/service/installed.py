"""The service inside the container, as its administrator sees it."""

from __future__ import annotations

from pathlib import Path

from tests.service.container import Machine

UNIT = "stethos.service"
CONFIG = "/etc/stethos/stethos.toml"
OLD, NEW = "/shared/old.deb", "/shared/new.deb"
SAMPLE = (Path(__file__).parents[2] / "deploy" / "stethos.toml").read_text(encoding="utf-8")


class Installed:
    """A machine with the package, or about to have it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.run = machine.run
        self.shell = machine.shell

    def ready(self) -> None:
        """Installed in its first version, with the sample for a configuration, and running."""
        if self.version() != self._version_of(OLD):
            self.purge()
            self.install(OLD)
        if self.shell(f"cat {CONFIG}") != SAMPLE:
            self.configure(SAMPLE)
            self.run("systemctl", "restart", UNIT)
        self.until_active()

    def install(self, package: str) -> str:
        """Install or upgrade, as a machine without a network can."""
        return self.shell(f"DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install {package}")

    def purge(self) -> None:
        self.run("dpkg", "--purge", "stethos")

    def version(self) -> str:
        """ "" if it is not installed."""
        said = self.shell("dpkg-query --show --showformat '${db:Status-Status} ${Version}' stethos", check=False)
        return said.removeprefix("installed ") if said.startswith("installed ") else ""

    def configure(self, text: str) -> None:
        """Write the configuration, as an editor would."""
        self.shell(f"cat > {CONFIG} <<'END'\n{text}\nEND\ntruncate --size=-1 {CONFIG}")

    def show(self, name: str) -> str:
        """One property of the unit."""
        return self.machine.show(UNIT, name)[name]

    def pid(self) -> int:
        return int(self.show("MainPID"))

    def active(self) -> bool:
        return (self.show("ActiveState"), self.show("SubState")) == ("active", "running")

    def until_active(self) -> None:
        self.machine.until("the service is ready", self.active)

    def restarts(self) -> int:
        return int(self.show("NRestarts"))

    def until_restarted(self, pid: int) -> None:
        """Wait until another process than `pid` is ready."""
        self.machine.until("it is back", lambda: self.active() and self.pid() not in (0, pid))

    def said(self, *matches: str) -> list[str]:
        """Messages in the journal of this boot that match fields."""
        return self.run("journalctl", "--output=cat", "--no-pager", *matches).splitlines()

    def stethos(self, *arguments: str) -> str:
        """The command as the service's user runs it."""
        return self.run("setpriv", "--reuid=stethos", "--regid=stethos", "--init-groups", "stethos", *arguments)

    def _version_of(self, package: str) -> str:
        return self.run("dpkg-deb", "--field", package, "Version").strip()
