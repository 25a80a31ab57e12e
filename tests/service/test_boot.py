"""The package and its service on a machine that boots with systemd: each test is a thing an administrator does."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.detectors.signing import TRUSTED
from tests.service.installed import CONFIG, NEW, OLD, SAMPLE, UNIT, Installed
from tests.service.packages import BUNDLE, NEWER

pytestmark = pytest.mark.timeout(600)  # the first of them builds the package and the machine

STATE = "/var/lib/stethos"
_LOOP = "asyncio/base_events.py"
PAGE = Path(__file__).parents[2] / "deploy" / "README.md"
SPACE = "gateway/gateway/journal_space"
SHORT_OF_DISK = SAMPLE.replace("#reserve_mb = 256 ", "reserve_mb = 100000000 ")  # the gateway itself raises an alarm
ANOTHER = """
[[asset]]
name = "fan-2"
area = "hall-1"
line = "line-1"
nodes = ["fan-2-hub", "fan-2-motor"]
"""


@pytest.fixture
def service(installed: Installed) -> Installed:
    installed.ready()
    return installed


def test_it_installs_without_a_network_and_runs_with_the_sample(installed: Installed) -> None:
    assert not installed.version()
    assert "lo" in (interfaces := installed.shell("ls /sys/class/net")) and "eth" not in interfaces
    installed.install(OLD)
    installed.until_active()
    assert installed.show("UnitFileState") == "enabled"
    assert "accepting; 0 of 3 nodes heard; 0 alarms active, 0 unacknowledged" in installed.show("StatusText")
    assert "modbus, opcua up; mqtt DOWN" in installed.show("StatusText")  # there is no broker in here
    installed.run("systemd-analyze", "verify", UNIT)
    assert "good (1 assets, 3 nodes, 1 links)" in installed.run("stethos", "check")


def test_it_runs_as_its_own_user_in_its_sandbox(service: Installed) -> None:
    status = dict(line.split(":\t", 1) for line in service.shell(f"cat /proc/{service.pid()}/status").splitlines()
                  if ":\t" in line)  # fmt: skip
    user = service.run("id", "--user", "stethos").strip()
    assert user != "0" and set(status["Uid"].split()) == {user}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 10  # CAP_NET_BIND_SERVICE
    assert "dialout" in service.run("id", "--groups", "--name", "stethos").split()
    assert service.shell(f"stat --format '%U %a' {STATE}").strip() == "stethos 700"
    assert not service.shell(f"find {STATE} ! -user stethos")


def test_nothing_in_it_tells_where_it_was_built(service: Installed) -> None:
    checkout = Path(__file__).parents[2]
    assert not service.shell(
        f"grep --recursive --files-with-matches --fixed-strings {checkout} /usr/lib/stethos || true"
    )


def test_its_log_is_found_by_field(service: Installed) -> None:
    assert any(line.startswith("running ") for line in service.said("STETHOS_SITE=example-works"))
    assert any(line.startswith("output up") for line in service.said("STETHOS_OUTPUT=opcua"))
    assert service.said("STETHOS_OUTPUT=mqtt", "PRIORITY=4", f"_SYSTEMD_UNIT={UNIT}")
    assert not service.said("STETHOS_OUTPUT=none-such")


def test_a_process_that_stands_still_is_replaced(service: Installed) -> None:
    service.shell(
        f"mkdir -p /run/systemd/system/{UNIT}.d && cd /run/systemd/system/{UNIT}.d && "
        "printf '[Service]\\nWatchdogSec=4\\n' > quick.conf && systemctl daemon-reload"
    )
    service.run("systemctl", "restart", UNIT)
    service.until_active()
    pid = service.pid()
    service.machine.until(
        "the watchdog has been fed for longer than its patience",
        lambda: int(service.show("ActiveEnterTimestampMonotonic")) + 9_000_000 < _now_us(service),
    )
    assert service.pid() == pid
    told = _told_when_stopped(service)
    assert any("Watchdog timeout" in line for line in service.said(f"UNIT={UNIT}"))
    # CPython 3.11 can fail in telling it, where the process was stopped just as it made a frame: that is rare.
    assert _LOOP in told or any(_LOOP in _told_when_stopped(service) for _ in range(3))
    service.shell(f"rm -r /run/systemd/system/{UNIT}.d && systemctl daemon-reload")


def test_what_is_killed_comes_back_with_its_journal(service: Installed) -> None:
    pid, (gateway, last) = service.pid(), _journal(service)
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)
    service.until_restarted(pid)
    same, now = _journal(service)
    assert same == gateway and now > last  # its start is an entry


def test_a_reload_takes_over_a_good_configuration_and_refuses_a_bad_one(service: Installed) -> None:
    pid = service.pid()
    service.configure(SAMPLE + ANOTHER)
    service.run("systemctl", "reload", UNIT)
    service.machine.until("the new asset is there", lambda: "of 5 nodes" in service.show("StatusText"))
    service.configure(SAMPLE.replace('area = "hall-1"', 'area = "Hall 1"'))
    assert "failed" in service.run("systemctl", "reload", UNIT, check=False)
    assert any("asset[0].area: " in line for line in service.said(f"_SYSTEMD_UNIT={UNIT}"))
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=HUP", UNIT)
    refusal = "the changed configuration is refused: asset[0].area"
    service.machine.until("the refusal shows", lambda: service.show("StatusText").startswith(refusal))
    service.until_active()
    assert service.pid() == pid
    service.machine.until("the rest of the status is back", lambda: "of 5 nodes" in service.show("StatusText"))


def test_a_bad_configuration_stops_it_for_good_and_says_why(service: Installed) -> None:
    restarts = service.restarts()
    service.configure(SAMPLE.replace("[gateway]", "[gateways]"))
    service.run("systemctl", "restart", UNIT, check=False)
    service.machine.until("it has given up", lambda: service.show("ActiveState") == "failed")
    assert service.show("ExecMainStatus") == "78" and service.restarts() in (0, restarts)
    assert any(
        "gateways: unknown key; did you mean 'gateway'?" in line for line in service.said(f"_SYSTEMD_UNIT={UNIT}")
    )


def test_a_start_on_a_full_disk_is_tried_until_there_is_room(service: Installed) -> None:
    service.run("systemctl", "stop", UNIT)
    service.shell(f"mount -t tmpfs -o size=8m,mode=700,uid=stethos,gid=stethos none {STATE}")
    service.shell(f"cat /dev/zero > {STATE}/ballast", check=False)
    service.run("systemctl", "start", UNIT, check=False)
    service.machine.until("it is tried again", lambda: service.restarts() >= 2)
    assert any("status=75/TEMPFAIL" in line for line in service.said(f"UNIT={UNIT}"))
    assert any(" KiB are free on this disk)" in line for line in service.said(f"_SYSTEMD_UNIT={UNIT}"))
    service.shell(f"rm {STATE}/ballast")
    service.until_active()
    service.shell(f"systemctl stop {UNIT} && umount {STATE} && systemctl start {UNIT}")
    service.until_active()


def test_a_password_is_handed_over_as_a_credential(service: Installed) -> None:
    service.shell("echo secret > /etc/stethos/credentials/broker-password")
    with_password = 'user = "stethos"\npassword_file = "$CREDENTIALS_DIRECTORY/stethos_broker-password"\n'
    service.configure(SAMPLE.replace("[output.mqtt]\n", f"[output.mqtt]\n{with_password}"))
    service.run("systemctl", "restart", UNIT)
    service.until_active()
    assert "good" in service.run("stethos", "check")
    (found,) = service.shell(f"nsenter --target {service.pid()} --mount find /run/credentials -type f").split()
    assert found == f"/run/credentials/{UNIT}/stethos_broker-password"
    service.shell("rm /etc/stethos/credentials/broker-password")


def test_models_run_in_the_sandbox(service: Installed) -> None:
    service.configure(
        SAMPLE.replace("[rescoring]\n", f'[rescoring]\nbundles = "/shared/bundles"\ntrusted_keys = ["{TRUSTED}"]\n')
        .replace("[[asset]]\n", f'[[asset]]\nmodel = "{BUNDLE}"\n')
    )  # fmt: skip
    service.run("systemctl", "restart", UNIT)
    service.until_active()
    assert "libpywrap_litert" in service.shell(f"cat /proc/{service.pid()}/maps")
    assert not service.said(f"STETHOS_BUNDLE={BUNDLE}")  # nothing to complain of
    service.configure(SAMPLE.replace("[rescoring]\n", '[rescoring]\nbundles = "/shared/none"\n').replace(
        "[[asset]]\n", f'[[asset]]\nmodel = "{BUNDLE}"\n'))  # fmt: skip
    service.run("systemctl", "restart", UNIT)
    service.until_active()
    assert service.said(f"STETHOS_BUNDLE={BUNDLE}", "PRIORITY=3")


def test_backed_up_and_restored_by_the_book_it_is_the_same_gateway_on_a_new_box(service: Installed) -> None:
    back_up, put_back = _commands_of("Back up, move to another box")
    service.configure(SHORT_OF_DISK)
    service.run("systemctl", "restart", UNIT)
    service.until_active()
    node = service.stethos("node", "add", "pump-1-inlet").split()
    service.machine.until("the alarm is raised", lambda: SPACE in service.stethos("alarm", "list"))
    service.stethos("alarm", "ack", SPACE, "-m", "seen before the move")
    service.shell(back_up)
    before, (gateway, last) = _events(service), _journal(service)
    service.purge()
    service.install(OLD)
    service.until_active()
    assert _journal(service)[0] != gateway and not _events(service)
    service.shell(f"set -e\n{put_back}")
    service.until_active()
    assert not service.shell(f"find {STATE} ! -user stethos -o ! -group stethos -o -perm /077")
    assert service.shell(f"stat --format '%U %a' {CONFIG}").strip() == "root 644"
    assert service.shell(f"cat {CONFIG}") == SHORT_OF_DISK
    same, now = _journal(service)
    assert same == gateway and now > last
    assert len(before) >= 2 and _events(service)[: len(before)] == before
    assert node[1] in service.stethos("node", "show", "pump-1-inlet", "--secret")
    assert "1 alarms active, 0 unacknowledged" in service.show("StatusText")
    service.shell("rm /root/stethos.backup")
    service.purge()


def test_an_upgrade_keeps_the_journal_and_the_configuration(service: Installed) -> None:
    service.configure(SAMPLE + ANOTHER)
    service.run("systemctl", "restart", UNIT)
    service.until_active()
    service.stethos("node", "add", "fan-2-hub")
    pid, (gateway, last) = service.pid(), _journal(service)
    service.install(NEW)
    assert service.version() == NEWER
    service.until_restarted(pid)
    same, now = _journal(service)
    assert same == gateway and now > last
    assert "fan-2-hub" in service.stethos("node", "list")
    assert service.shell(f"cat {CONFIG}") == SAMPLE + ANOTHER


def test_what_the_administrator_has_switched_off_stays_off(service: Installed) -> None:
    service.run("systemctl", "disable", "--now", UNIT)
    service.install(NEW)
    assert service.show("ActiveState") == "inactive" and service.show("UnitFileState") == "disabled"
    service.purge()


def test_removed_it_keeps_what_is_yours_and_purged_it_leaves_nothing(service: Installed) -> None:
    service.run("dpkg", "--remove", "stethos")
    assert service.show("ActiveState") == "inactive"
    assert not service.shell("ls -d /usr/lib/stethos /usr/bin/stethos 2>&- || true")
    service.shell(f"test -f {CONFIG} && test -f {STATE}/journal.sqlite3 && id stethos")
    service.purge()
    left = service.shell("find / -xdev -path /proc -prune -o -path /sys -prune -o -iname '*stethos*' -print")
    assert not left
    assert not service.shell(
        "getent passwd stethos; getent group stethos; grep stethos /etc/group || true", check=False
    )


def _commands_of(section: str) -> list[str]:
    """The blocks of commands in a section of the page that tells an administrator what to do."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def _events(service: Installed) -> list[str]:
    """Every event in the journal, one a line."""
    look = (
        "from pathlib import Path; from gateway.store.reader import Reader; "
        f"print(*Reader.open(Path({STATE!r})).events(0, 1000), sep='\\n', end='')"
    )
    return service.run("/usr/lib/stethos/bin/python3", "-I", "-c", look).splitlines()


def _journal(service: Installed) -> tuple[str, int]:
    """The id of the gateway that keeps it and its last entry; the chain holds from the first one."""
    found = re.search(r"gateway (\w+), entries 1 to (\d+)", service.stethos("audit"))
    assert found
    return found[1], int(found[2])


def _told_when_stopped(service: Installed) -> str:
    """Where a process that is stopped says that it stands, when the watchdog ends it."""
    pid = service.pid()
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
    service.until_restarted(pid)

    def told() -> str:
        return "\n".join(service.said(f"_PID={pid}"))

    service.machine.until("where it stood is told", lambda: "Fatal Python error: Aborted" in told())
    # The journal reads what it said when it can.
    service.machine.until("down to the loop", lambda: _LOOP in told() or "Segmentation fault" in told())
    return told()


def _now_us(service: Installed) -> int:
    return int(float(service.shell("cut -d ' ' -f 1 /proc/uptime")) * 1e6)
