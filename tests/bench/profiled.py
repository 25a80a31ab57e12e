"""The gateway under a sampling profiler: `python -m tests.bench.profiled run -c FILE`.

The first SIGUSR1 begins, the second ends and writes profile.json beside the configuration: CPU seconds by stage.
Between two samples of the main thread's stack, the CPU time that it has used goes to the stage it is in: so waiting
counts nothing. Threads that do one thing are stages of their own.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

from gateway.__main__ import main
from tests.bench.profile import FILE, PER_S

# The innermost frame that a row fits gives the stage. (part of the file's path, function or "" for all, stage)
STAGES = (
    ("gateway/wire/", "", None),  # whoever asks for it
    ("gateway/links/", "", "link"),
    ("gateway/runtime/outbox", "", "answer"),
    ("gateway/runtime/admission", "seal", "answer"),
    ("gateway/runtime/admission", "", "open"),
    ("gateway/runtime/intake", "session", "link"),
    ("gateway/runtime/intake", "", "answer"),
    ("gateway/core/entry", "", "encode"),
    ("gateway/core/update", "", "encode"),
    ("gateway/core/", "", "engine"),
    ("gateway/store/", "", "journal"),
    ("gateway/detectors/", "", "rescore"),
    ("gateway/runtime/rescoring", "", "rescore"),
    ("gateway/outputs/opcua", "", "opcua"),
    ("/asyncua/", "", "opcua"),
    ("gateway/outputs/modbus", "", "modbus"),
    ("/pymodbus/", "", "modbus"),
    ("gateway/outputs/mqtt", "", "mqtt"),
    ("/paho/", "", "mqtt"),
    ("/aiomqtt/", "", "mqtt"),
    ("gateway/runtime/pump", "", "pump"),
    ("gateway/runtime/feed", "", "pump"),
    ("gateway/runtime/tail", "", "pump"),
    ("gateway/runtime/metrics", "", "metrics"),
    ("/prometheus_client/", "", "metrics"),
    ("/structlog/", "", "log"),
    ("gateway/runtime/chronicle", "", "log"),
    ("gateway/runtime/decider", "", "decide"),
    ("gateway/runtime/decided", "", "decide"),
)
THREADS = (("journal", "journal_thread"), ("asyncio", "rescore"), ("output", "pump"), ("MainThread", None))


def stage_of(frame: FrameType | None) -> str:
    """The stage of a stack; "loop" where nobody here is at work."""
    while frame is not None:
        code = frame.f_code
        for path, function, stage in STAGES:
            if path in code.co_filename and function in ("", code.co_name):
                if stage:
                    return stage
                break
        frame = frame.f_back
    return "loop"


class Sampler:
    """Counts CPU seconds by stage between two signals."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # None is left out for being fast.
        self._spent = defaultdict(float, {stage: 0.0 for *_, stage in STAGES if stage})
        self._threads: dict[str, float] | None = None
        self._last_s = 0.0

    def toggle(self, _number: int, _frame: FrameType | None) -> None:
        """Begin, or end and write down."""
        if self._threads is None:
            self._threads, self._last_s = threads_s(), time.thread_time()
            signal.setitimer(signal.ITIMER_REAL, 1 / PER_S, 1 / PER_S)
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        for stage, spent_s in threads_s().items():
            self._spent[stage] += spent_s - self._threads.get(stage, 0.0)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._spent), encoding="utf-8")
        fresh.replace(self._file)

    def sample(self, _number: int, frame: FrameType | None) -> None:
        """Put down what the main thread has used since the last time."""
        now_s = time.thread_time()
        self._spent[stage_of(frame)] += now_s - self._last_s
        self._last_s = now_s


def threads_s() -> dict[str, float]:
    """CPU seconds so far of the other threads by stage (schedstat of the kernel's scheduler, in ns)."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    spent: dict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        name = names.get(int(task.name), "")
        stage = next((stage for start, stage in THREADS if name.startswith(start)), "other_threads")
        if stage:
            spent[stage] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return dict(spent)


if __name__ == "__main__":
    sampler = Sampler(Path(sys.argv[sys.argv.index("-c") + 1]).with_name(FILE))
    signal.signal(signal.SIGUSR1, sampler.toggle)
    signal.signal(signal.SIGALRM, sampler.sample)
    main()
