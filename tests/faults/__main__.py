"""python -m tests.faults [kill9|powerloss|outage|disk|others] ... [--runs N] [--seed N]: break it, count, keep figures.

Without a name it is the whole fault bench: the four families, each many times over, whose figures are kept, and then
the others once, by pytest: clocks, clients, hostile air, clones, restores, reloads, flipped bits.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.faults import kill9, outage, powerloss, storage
from tests.faults.accountant import Account
from tests.faults.figures import merge

HERE = Path(__file__).parent
RUNS = {"kill9": 100, "powerloss": 30, "outage": 5, "disk": 3}
OTHERS = "others"
OF_FAMILIES = ("test_kill9.py", "test_powerloss.py", "test_outage.py", "test_storage.py")
"""What pytest need not do once more."""

Found = tuple[Account, str]
"""What came of a family, and what was done."""


async def _kill9(folder: Path, runs: int, seed: int) -> Found:
    return await kill9.kill_again_and_again(folder, runs, seed), (
        "kills (-9) of the gateway at random moments in one journal, some of them while a snapshot is taken, in the "
        "second half with entries and events let go meanwhile; 8 C nodes on motors that go wrong"
    )


async def _powerloss(folder: Path, runs: int, seed: int) -> Found:
    clean, _ = await powerloss.cut_again_and_again(folder / "clean", runs - runs // 2, seed)
    torn, _ = await powerloss.cut_again_and_again(folder / "torn", runs // 2, seed, torn=True)
    return Account.sum([clean, torn]), (
        "losses of power: writes not synced are gone, in half of the runs torn by sectors; 8 C nodes on motors that go "
        "wrong"
    )


async def _outage(folder: Path, runs: int, _seed: int) -> Found:
    return await outage.all_of_them(folder, runs), (
        "kills of the output's broker, and as many of the nodes'; the output's hangs; it is away until the journal was "
        "cut"
    )


async def _disk(folder: Path, runs: int, _seed: int) -> Found:
    accounts = [await storage.read_only(folder / "read-only"), await storage.slow(folder / "slow", runs)]
    full = "disk full"
    try:
        accounts.append(await storage.full(folder / "full"))
    except PermissionError as error:
        print(error.strerror, file=sys.stderr)
        full = "a full disk was NOT tried, for a mount is not allowed here"
    return Account.sum(accounts), f"slow syncs; writes refused; {full}"


FAMILIES: dict[str, Callable[[Path, int, int], Awaitable[Found]]] = {
    "kill9": _kill9,
    "powerloss": _powerloss,
    "outage": _outage,
    "disk": _disk,
}


def main() -> int:
    """Entry point. Returns 1 if anything was lost, doubled or disordered, or another of the tests fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("family", nargs="*", choices=[*FAMILIES, OTHERS, []], help="all, unless named")
    parser.add_argument("--runs", type=int, help=", ".join(f"{name}: {runs}" for name, runs in RUNS.items()))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{'family':12}{'runs':>6}{'messages':>10}{'events':>8}{'lost':>6}{'doubled':>9}{'s':>7}")
    failed = []
    for name in asked.family or [*FAMILIES, OTHERS]:
        if not (_others() if name == OTHERS else _run(name, asked.runs or RUNS[name], asked.seed)):
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all is well", flush=True)
    return 1 if failed else 0


def _run(name: str, runs: int, seed: int) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"stethos-{name}-") as folder:
        try:
            account, how = asyncio.run(FAMILIES[name](Path(folder), runs, seed))
        except AssertionError as error:  # it did not get as far as to be counted; the others are tried all the same
            print(f"{name:12}{error}", flush=True)
            return False
    took = time.monotonic() - began
    lost, doubled = account.lost_count, account.doubled_count
    print(f"{name:12}{runs:6}{account.messages:10}{account.events:8}{lost:6}{doubled:9}{took:7.0f}", flush=True)
    if not account.is_clean or account.unseen:
        print(account, flush=True)
    order = f"{account.disordered_count} out of order" if account.disordered_count else "all in order"
    events = f"{account.events} events ({account.incidents} of incidents), {order}"
    told = f"{how}; {account.messages} messages, {events}, over MQTT, Modbus and OPC UA; seed {seed}"
    merge(
        {
            f"{name}_runs": {"value": runs, "unit": "faults", "how": how},
            f"{name}_lost": {"value": lost, "unit": "messages and events", "how": told},
            f"{name}_doubled": {"value": doubled, "unit": "messages and events", "how": told},
        }
    )
    return account.is_clean


def _others() -> bool:
    """The faults that need no repetition; pytest tells of each."""
    left_out = [f"--ignore={HERE / name}" for name in OF_FAMILIES]
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *left_out, str(HERE)]
    return subprocess.run(command, cwd=HERE.parents[1], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
