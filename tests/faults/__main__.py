"""python -m tests.faults [kill9|powerloss|outage|disk] ... [--runs N] [--seed N]: break it, count, keep the figures."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.faults import kill9, outage, powerloss, storage
from tests.faults.accountant import Account
from tests.faults.figures import merge

RUNS = {"kill9": 100, "powerloss": 30, "outage": 5, "disk": 3}


async def _kill9(folder: Path, runs: int, seed: int) -> Account:
    return await kill9.kill_again_and_again(folder, runs, seed)


async def _powerloss(folder: Path, runs: int, seed: int) -> Account:
    clean, _ = await powerloss.cut_again_and_again(folder / "clean", runs - runs // 2, seed)
    torn, _ = await powerloss.cut_again_and_again(folder / "torn", runs // 2, seed, torn=True)
    return Account.sum([clean, torn])


async def _outage(folder: Path, runs: int, _seed: int) -> Account:
    return await outage.all_of_them(folder, runs)


async def _disk(folder: Path, runs: int, _seed: int) -> Account:
    accounts = [await storage.read_only(folder / "read-only"), await storage.slow(folder / "slow", runs)]
    try:
        accounts.append(await storage.full(folder / "full"))
    except PermissionError as error:
        print(error.strerror, file=sys.stderr)
    return Account.sum(accounts)


FAMILIES: dict[str, tuple[Callable[[Path, int, int], Awaitable[Account]], str]] = {
    "kill9": (_kill9, "kills (-9) of the gateway at random moments in one journal, 8 C nodes on motors that go wrong"),
    "powerloss": (_powerloss, "losses of power: writes not synced are gone, in half of the runs torn by sectors"),
    "outage": (_outage, "kills of the output's broker; it hangs; it is away until the journal was cut"),
    "disk": (_disk, "slow syncs; writes refused; disk full"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("family", nargs="*", choices=[*FAMILIES, []], help="all, unless named")
    parser.add_argument("--runs", type=int, help=", ".join(f"{name}: {runs}" for name, runs in RUNS.items()))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{'family':12}{'runs':>6}{'messages':>10}{'events':>8}{'lost':>6}{'doubled':>9}{'s':>7}")
    clean = True
    for name in asked.family or FAMILIES:
        clean &= _run(name, asked.runs or RUNS[name], asked.seed)
    return 0 if clean else 1


def _run(name: str, runs: int, seed: int) -> bool:
    family, how = FAMILIES[name]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"stethos-{name}-") as folder:
        account = asyncio.run(family(Path(folder), runs, seed))
    took = time.monotonic() - began
    lost, doubled = account.lost_count, account.doubled_count
    print(f"{name:12}{runs:6}{account.messages:10}{account.events:8}{lost:6}{doubled:9}{took:7.0f}", flush=True)
    if not account.is_clean:
        print(account)
    events = f"{account.events} events ({account.incidents} of incidents)"
    told = f"{how}; {account.messages} messages, {events}, over MQTT, Modbus and OPC UA; seed {seed}"
    merge(
        {
            f"{name}_runs": {"value": runs, "unit": "faults", "how": how},
            f"{name}_lost": {"value": lost, "unit": "messages and events", "how": told},
            f"{name}_doubled": {"value": doubled, "unit": "messages and events", "how": told},
        }
    )
    return account.is_clean


if __name__ == "__main__":
    sys.exit(main())
