"""Sound of three machines that hum and hiss, one of them now and then with a bearing that squeals; and vibration of the
simulator's motor at three speeds, now and then with a fault."""

from __future__ import annotations

import numpy as np

from gateway.training import simulator
from gateway.training.features.mel import Form, spectrogram

RATE_HZ = 16_000
ROWS = 32
SOUND = Form.of(RATE_HZ, 512, 32)
MACHINES = ("pump", "fan", "slide rail")
SQUEAL_HZ = 2_900.0

MOTOR_HZ = 200
SHAKEN_ROWS = 16
SHAKEN = Form.of(MOTOR_HZ, 64, 16)
SPEEDS = ("1200", "1800", "2400")
_RADIAL = 0  # the channel


def sounds(machine: int, n: int, seed: int, squeal: float = 0.0) -> np.ndarray:
    """Spectrograms [n, ROWS, bands] of one machine, in other noise, at other loudness and speed each time."""
    random = np.random.default_rng((seed, machine))
    length = SOUND.samples(ROWS)
    t = np.arange(length) / RATE_HZ
    windows = []
    for _ in range(n):
        hum = (95.0, 140.0, 60.0)[machine] * random.uniform(0.97, 1.03)
        x = sum(np.sin(2 * np.pi * hum * k * t + random.uniform(0, 7)) / k for k in range(1, 9))
        hiss = np.convolve(random.normal(0, 1, length + 15), np.ones((16, 6, 2)[machine]) / 4.0)[:length]
        beat = 1.0 + 0.6 * (np.sin(2 * np.pi * (4.0, 0.0, 9.0)[machine] * t + random.uniform(0, 7)) > 0.3)
        x = x + (0.8, 1.5, 1.0)[machine] * hiss * beat
        whistle = SQUEAL_HZ * random.uniform(0.95, 1.05)
        x = x + squeal * np.sin(2 * np.pi * whistle * t) * (np.sin(2 * np.pi * 12.0 * t) > 0)
        windows.append(random.uniform(500, 900) * x)
    return spectrogram(SOUND, np.clip(np.rint(windows), -32768, 32767).astype(np.int16))


def vibration(speed: int, n: int, seed: int, fault: str = "") -> np.ndarray:
    """Spectrograms [n, SHAKEN_ROWS, bands] of the motor at one of the SPEEDS, `fault` being fully there."""
    length = SHAKEN.samples(SHAKEN_ROWS)
    spec = f"sim:motor?speed={SPEEDS[speed]}" + (f"&fault={fault}&at=0&ramp=0" if fault else "")
    with simulator.Simulation(spec, 5) as motor:
        windows = [motor.window((1000 * seed + 7 * i) * 1_000_000, length)[:, _RADIAL] for i in range(n)]
    return spectrogram(SHAKEN, np.ascontiguousarray(windows))
