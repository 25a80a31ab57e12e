"""What is stuck onto a node's housing: name, id and site, as text and as a QR code. Never the secret."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from typing import Any

from qrcode.constants import ERROR_CORRECT_Q  # a quarter of it may be dirt
from qrcode.main import QRCode

_QUIET = 4  # modules around a code: ISO/IEC 18004
_TEXT = 3  # modules that a line of text is high


@dataclass(frozen=True, slots=True)
class Label:
    """`kid`: the node's id, 4 bytes. `site`: the gateway's."""

    name: str
    kid: bytes
    site: str

    @property
    def code(self) -> str:
        """What the QR code says."""
        return f"stethos:{self.site}/{self.name}?id={self.kid.hex()}"

    def lines(self) -> tuple[str, ...]:
        """For people."""
        return self.name, f"id {self.kid.hex()}", f"site {self.site}"

    def terminal(self) -> str:
        """As blocks of a terminal, text below."""
        out = io.StringIO()
        self._code().print_ascii(out=out, invert=True)
        return out.getvalue().rstrip("\n") + "\n" + "\n".join(self.lines())

    def svg(self) -> str:
        """As a drawing, one unit a module, 30 mm wide."""
        rows = self._code().get_matrix()
        width = len(rows)
        height = width + _TEXT * len(self.lines()) + 1
        path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
        text = "".join(
            f'<text x="{width / 2}" y="{width + _TEXT * n + 1.5}" textLength="{min(width - 2, 1.3 * len(line)):g}"'
            f' lengthAdjust="spacingAndGlyphs">{escape(line)}</text>'
            for n, line in enumerate(self.lines())
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="30mm" height="{30 * height / width:g}mm"'
            f' viewBox="0 0 {width} {height}"><rect width="100%" height="100%" fill="#fff"/><path d="{path}"/>'
            f'<g font-family="monospace" font-size="2.2" text-anchor="middle">{text}</g></svg>\n'
        )

    def _code(self) -> Any:
        code: Any = QRCode(error_correction=ERROR_CORRECT_Q, border=_QUIET)
        code.add_data(self.code)
        code.make(fit=True)
        return code
