"""machine.UART, over a device file. For MicroPython alone."""

import select


class Line:
    def __init__(self, path):
        self._file = open(path, "r+b", 0)  # noqa: SIM115 (the file is the device)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def any(self):
        return bool(self._poll.poll(0))

    def read(self):
        return self._file.read(1)

    def write(self, data):
        return self._file.write(data)
