"""A ceiling fan: recordings of 200 samples [recording, 200, 3] in g at 200 Hz, made one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.demo.recordings_part import Part, labels, whole
from gateway.detectors.manifest import channels_of
from gateway.training.features import Samples

_FAN_UNIT_PER_G = 16384
_FAN_RATE_HZ = 200
_FAN_SECONDS = (36, 50, 60)  # the first minute: until here the model is fitted, calibrated, checked


def parts(folder: Path) -> list[Part]:
    """The fan where it was commissioned, and, if that is there, while its sensor is moved."""
    normal, weight, moved = (_fan(folder / f"fan_0_low_{n}.npz") for n in ("0_weight", "1_weight", "0_weight-moving"))
    if normal is None or weight is None:
        return []
    learnt = _FAN_SECONDS[-1] * _FAN_RATE_HZ
    played = [(normal[learnt:], ""), (weight, "a coin on one blade")]
    note = "the sensor was touched when the weight went on, so its tilt changes too: the model does not see tilt"
    found = [_fan_part("ceiling-fan", normal, played, note)]
    if moved is not None:
        note = (
            "the same healthy fan while the sensor is moved about, with the model of the first placement: "
            "false alarms are expected until a node learns its place"
        )
        found.append(_fan_part("moved-fan", normal, [(moved, "")], note))
    return found


def _fan_part(asset: str, normal: Samples, played: Sequence[tuple[Samples, str]], note: str) -> Part:
    fit, calibrate, check = (second * _FAN_RATE_HZ for second in _FAN_SECONDS)
    return Part(
        name=f"{asset}-hub",
        asset=asset,
        description=f"ceiling fan, accelerometer, 200 Hz, low speed: first {_FAN_SECONDS[-1]} s of the normal run",
        channels=channels_of(f"{_FAN_UNIT_PER_G}/g", "x", "y", "z"),
        rate_millihz=_FAN_RATE_HZ * 1000,
        window=128,
        level_matters=False,
        fit=[normal[:fit]],
        calibrate=[normal[fit:calibrate]],
        check=[normal[calibrate:check]],
        played=np.concatenate([samples for samples, _ in played]),
        labels=labels([(len(samples), fault) for samples, fault in played]),
        note=note,
    )


def _fan(file: Path) -> Samples | None:
    if not file.is_file():
        return None
    with np.load(file) as archive:
        return whole(archive["acc_g"].reshape(-1, 3) * _FAN_UNIT_PER_G)
