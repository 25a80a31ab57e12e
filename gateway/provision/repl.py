"""The raw REPL of a MicroPython board at a serial port: mpremote's, with a bound on every wait and faults by name."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, Self, cast

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from gateway.provision.boards import BoardFailed, not_opened

QUIET_S = 10.0
"""For so long a board may say nothing, while it erases flash, say."""
PROMPT_S, SILENCE_S, TRIES = 0.25, 0.05, 5
CHUNK = 512
"""Bytes of a file that are sent at a time: a board has to have them twice in its memory."""
_RAW = b"raw REPL; CTRL-B to exit\r\n>"
_INTERRUPT, _ENTER_RAW, _LEAVE_RAW = b"\x03", b"\x01", b"\x02"
_OSERROR = re.compile(r"^OSError: (?:\[Errno (\d+)\]|(\d+)$)", re.MULTILINE)


class Repl:
    """A board that waits for what is to be executed. All methods raise BoardFailed."""

    def __init__(self, device: str, transport: Any) -> None:
        self.device = device
        self._transport = transport  # mpremote has no types

    @classmethod
    def open(cls, device: str, baud: int, wait_s: float) -> Self | None:
        """None, and the port closed, if there is no MicroPython within `wait_s`. What runs there is interrupted: a
        sleeping node is met when it wakes.
        """
        repl = cls(device, _transport(device, baud))
        try:
            with repl._named():
                if repl._met(time.monotonic() + wait_s) and repl._in_step():
                    return repl
        except BaseException:
            repl.close()
            raise
        repl.close()
        return None

    def run(self, script: str, *, quiet_s: float = QUIET_S) -> str:
        """What it prints."""
        return self._run(script, self.device, quiet_s)

    def value(self, expression: str) -> Any:
        """Of an expression, if it is made of numbers, strings, bytes, lists and such."""
        with self._named():
            return self._transport.eval(expression)

    def write_file(self, name: str, data: bytes) -> None:
        """Not durable, and not whole if it is cut short."""
        parts = (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
        for script in (
            f"p_file = open({name!r}, 'wb')",
            *(f"p_file.write({part!r})" for part in parts),
            "p_file.close()",
        ):
            self._run(script, f"{self.device}: {name}", QUIET_S)

    def run_and_leave(self, script: str) -> None:
        """Starts what does not come to an end, and closes the port."""
        with self._named():
            self._transport.exec_raw_no_follow(script)
            self._transport.serial.flush()
        self.close()

    def close(self) -> None:
        """Leaves the board at the prompt for people."""
        try:
            self._transport.serial.write(b"\r" + _LEAVE_RAW)
            self._transport.close()
        except OSError:
            self._transport.serial.close()

    def _met(self, until: float) -> bool:
        serial = self._transport.serial
        while time.monotonic() < until:
            serial.timeout = PROMPT_S
            serial.write(b"\r" + _INTERRUPT + _INTERRUPT + b"\r" + _ENTER_RAW)
            if self._transport.read_until(1, _RAW, timeout=PROMPT_S, timeout_overall=2 * PROMPT_S).endswith(_RAW):
                return True
        return False

    def _in_step(self) -> bool:
        """Past all answers to what the board was asked while it was busy."""
        serial = self._transport.serial
        for _ in range(TRIES):
            serial.timeout = SILENCE_S
            until = time.monotonic() + TRIES * PROMPT_S
            while time.monotonic() < until and serial.read(4096):
                pass
            serial.timeout = TRIES * PROMPT_S
            try:
                self._transport.use_raw_paste = True
                with redirect_stdout(io.StringIO()):  # mpremote prints what it does not understand
                    self._transport.enter_raw_repl(soft_reset=False, timeout_overall=TRIES * PROMPT_S)
                out, _ = self._transport.exec_raw("print(6 * 7)", timeout=TRIES * PROMPT_S)
            except TransportError:
                continue
            if out.strip() == b"42":
                serial.timeout = QUIET_S
                return True
        return False

    def _run(self, script: str, where: str, quiet_s: float) -> str:
        with self._named():
            out, error = self._transport.exec_raw(script, timeout=quiet_s)
        if error:
            raise BoardFailed(f"{where}: {_reason(error.decode(errors='replace'))}")
        return bytes(out).decode(errors="replace").replace("\r\n", "\n")

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except TransportExecError as error:
            raise BoardFailed(f"{self.device}: {_reason(error.error_output)}") from error
        except (TransportError, ValueError, SyntaxError) as error:  # mpremote's, of what it cannot understand
            raise BoardFailed(f"{self.device}: the board does not answer any more: was it reset?") from error
        except OSError as error:  # pyserial's as well
            raise BoardFailed(f"{self.device}: the line is gone: {error}") from error


def _transport(device: str, baud: int) -> Any:
    path = os.path.realpath(device)  # by which mpremote knows a pseudo-terminal
    try:
        return cast(Any, SerialTransport)(path, baud, timeout=QUIET_S)
    except TransportError as error:
        raise not_opened(device) from error


def _reason(traceback: str) -> str:
    """The last line of what the board says, and an OSError in words."""
    last = traceback.strip().splitlines()[-1] if traceback.strip() else "failed, and does not say why"
    if found := _OSERROR.search(last):
        code = int(found[1] or found[2])
        return f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"
    return last
