"""`stethos model`: models from datasets, and what a gateway and a node are given of them.

One file per group of commands, as in `gateway.cli`.
"""

from __future__ import annotations

import click

from gateway.cli.commands import Commands

FILE_OF = {
    "train": "model_train", "calibrate": "model_train", "evaluate": "evaluate", "inspect": "model_inspect",
    "keygen": "model_sign", "sign": "model_sign", "verify": "model_sign", "export": "model_export",
    "compare": "compare", "spectrogram": "model_spectrogram",
}  # fmt: skip
"""Command -> the file that has it, by the same name."""


@click.group(cls=Commands, file_of=FILE_OF)
def model() -> None:
    """Train, judge, sign and hand out models."""
