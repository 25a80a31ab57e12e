"""Puts the recordings of ../shared/data into the dataset layout, below build/datasets: `python -m
tests.bench.shared_data [SET ...]`. One function a set; what its recording is known to mislead with is heeded here.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import decimate

from gateway.training.dataset import Channel, ContextChannel, Dataset, DatasetBroken, Label, Run, Writer, load
from gateway.training.importing import NORMAL, labels_of_rows

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BUILD = ROOT / "build" / "datasets"

Numbers = NDArray[np.float64]


def dataset(name: str) -> Dataset:
    """The set of that name, made unless it is there. FileNotFoundError where the recordings are not."""
    try:
        return load(BUILD / name)
    except DatasetBroken:
        return make(name)


def make(name: str, build: Path = BUILD) -> Dataset:
    """Make the set anew. FileNotFoundError where the recordings are not."""
    licence, source, fill = SETS[name]
    folder = DATA / source
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: the recordings are not here")
    shutil.rmtree(build / name, ignore_errors=True)
    with Writer(build / name, name=name, licence=licence, source=f"{source}/README.md") as writer:
        fill(folder, writer)
    return load(build / name)


def skab(folder: Path, out: Writer) -> None:
    """Rows 0 to 399 of each file are learnt from, whatever their labels (other/2 has faults among them)."""
    columns = ("Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature", "Thermocouple",
               "Voltage", "Volume Flow RateRMS")  # fmt: skip
    units = ("g", "g", "A", "bar", "°C", "°C", "V", "l/min")
    for file in sorted(folder.glob("*/*.csv.gz"), key=_by_number):
        table = _table(file, delimiter=";")
        at_s = _seconds(table["datetime"])
        labelled = "anomaly" in table
        fault = _numbers(table, ["anomaly"])[:, 0] if labelled else np.zeros(len(at_s))
        run = Run(
            file=f"{file.parent.name}-{file.name.split('.')[0]}.npz",
            node="bed",
            asset="water-pump",
            sensor="test bed",
            kind="values",
            channels=tuple(Channel(name=c, unit=u) for c, u in zip(columns, units, strict=True)),
            rate_hz=1.0,
            session=f"{file.parent.name}-{file.name.split('.')[0]}",
            commission_s=float(at_s[400] - at_s[0]),
            breaks=_gaps(at_s, 10.0),
            labels=labels_of_rows(at_s, [file.parent.name if f else NORMAL for f in fault], 1.0),
        )
        out.add(run, _numbers(table, columns), at_s=at_s)


def wsn(folder: Path, out: Writer) -> None:
    """Four motes; the first 1,000 rows are learnt from, as in the README's baselines."""
    table = _table(folder / "singlehop.csv.gz")
    motes, indoor = np.array(table["mote_id"]), np.array(table["indoor"])
    reading, fault = _numbers(table, ["reading"])[:, 0], np.array(table["label"])
    values = _numbers(table, ["humidity", "temperature"])
    for mote in sorted(set(motes)):
        own = motes == mote
        at_s = 5.0 * reading[own]
        run = Run(
            file=f"mote-{mote}.npz",
            node=f"mote-{mote}",
            asset="indoor" if indoor[own][0] == "1" else "outdoor",
            sensor="TelosB",
            kind="values",
            channels=(Channel(name="humidity", unit="%RH"), Channel(name="temperature", unit="°C")),
            rate_hz=0.2,
            session="single-hop",
            commission_s=5000.0,
            labels=labels_of_rows(at_s, ["hot water" if f == "1" else NORMAL for f in fault[own]], 5.0),
        )
        out.add(run, values[own], at_s=at_s)


def occupancy(folder: Path, out: Writer) -> None:
    """An office; who is in it is no fault. The first day is learnt from, and the hour of the day is context."""
    kinds = {"climate": ("Temperature", "Humidity"), "air": ("Light", "CO2")}
    units = {"Temperature": "°C", "Humidity": "%RH", "Light": "lx", "CO2": "ppm"}
    for name in ("datatest", "datatraining"):  # in the order of their dates
        table = _table(folder / f"{name}.csv.gz")
        at_s = _seconds(table["date"])
        states = ["occupied" if o == "1" else "empty" for o in table["Occupancy"]]
        for node, columns in kinds.items():
            run = Run(
                file=f"{name}-{node}.npz",
                node=node,
                asset="office",
                kind="values",
                channels=tuple(Channel(name=c.lower(), unit=units[c]) for c in columns),
                rate_hz=1 / 60,
                session=name,
                commission_s=86_400.0,
                context=(ContextChannel(name="hour_of_day", unit="h"),),
                labels=labels_of_rows(at_s, states, 60.0, normal=("occupied", "empty")),
            )
            out.add(run, _numbers(table, columns), at_s=at_s, context=(at_s % 86_400 / 3600)[:, None])


def nab(folder: Path, out: Writer) -> None:
    """Probation is 15 % of a file, at most 750 rows. Clocks go back once: from there on an hour is added."""
    windows = json.loads((folder / "windows.json").read_text())
    for path, stretches in windows.items():
        table = _table(folder / path)
        told_s = _seconds(table["timestamp"])
        fault = np.zeros(len(told_s), bool)
        for begin, end in (_seconds(w) for w in stretches):
            fault |= (told_s >= begin) & (told_s <= end)
        at_s = told_s + 3600.0 * np.cumsum(np.diff(told_s, prepend=told_s[0]) < 0)
        name = Path(path).stem
        run = Run(
            file=f"{name}.npz",
            node=name,
            asset=name,
            kind="values",
            channels=(Channel(name="temperature", unit="°F") if "temp" in name else Channel(name="cpu", unit="%"),),
            rate_hz=1 / 300,
            session=name,
            commission_s=300.0 * min(750, int(0.15 * len(at_s))),
            breaks=_gaps(at_s, 3600.0),
            labels=labels_of_rows(at_s, ["failure" if f else NORMAL for f in fault], 300.0),
        )
        out.add(run, _numbers(table, ["value"]), at_s=at_s)


def rosa(folder: Path, out: Writer) -> None:
    """Each file is a session of its own: healthy files are of other sessions than those with faults, which begin to be
    faulty after a second, or at once. Force, frequency, damping and mode are no inputs.
    """
    g = 9.80665
    nodes = {
        "imu": (("ax", "ay", "az", "gx_dps", "gy_dps", "gz_dps"), ("m/s²",) * 3 + ("°/s",) * 3,
                (2048 / g,) * 3 + (16.0,) * 3),
        "effort": (("effort",), ("%",), (256.0,)),
        "strain": (("strain",), ("",), (4.0,)),
    }  # fmt: skip
    faults = {"N": "lateral force", "V": "vibration from outside", "D": "more damping"}
    for file in sorted(folder.glob("*.csv.gz"), key=lambda f: ("HNVD".index(f.name[0]), _by_number(f))):
        mode, number = file.name[0], re.sub(r"\D", "", file.name)
        table = _table(file)
        at_s = _numbers(table, ["t_ms"])[:, 0] / 1000
        at_s -= at_s[0]
        names = [faults[mode] if float(a) else NORMAL for a in table["anomaly"]]
        for node, (columns, units, steps) in nodes.items():
            run = Run(
                file=f"{mode}{number}-{node}.npz",
                node=node,
                asset="rotor-rig",
                sensor="IMU on the shaft" if node == "imu" else node,
                kind="samples",
                channels=tuple(
                    Channel(name=c, unit=u, per_unit=s) for c, u, s in zip(columns, units, steps, strict=True)
                ),
                rate_hz=65.0,
                session=f"{mode}{number}",
                commission_s=8.0 if mode == "H" else 1.0,
                context=(ContextChannel(name="rpm_set", unit="1/min"), ContextChannel(name="rpm", unit="1/min")),
                breaks=_gaps(at_s, 0.2),
                labels=labels_of_rows(at_s, names, 1 / 65),
            )
            out.add(run, _numbers(table, columns), at_s=at_s, context=_numbers(table, ["rpm_set", "rpm"]))


def fan(folder: Path, out: Writer) -> None:
    """Recordings of one second each, with a break after each. `moving` is a placement of its own; so is `off`."""
    runs = [("normal", "0_weight", NORMAL, 60.0, "placed"), ("weight", "1_weight", "imbalance", 0.0, "placed"),
            ("moving", "0_weight-moving", NORMAL, 60.0, "moved"), ("off", "", "off", 60.0, "off")]  # fmt: skip
    for name, ending, label, commission_s, session in runs:
        with np.load(folder / (f"fan_0_low_{ending}.npz" if ending else "fan_0_off_0_weight.npz")) as archive:
            recorded = archive["acc_g"]
        pieces, length, _ = recorded.shape
        run = Run(
            file=f"{name}.npz",
            node="fan",
            asset="ceiling-fan",
            sensor="MSA301",
            kind="samples",
            channels=_axes(16384.0),
            rate_hz=200.0,
            session=session,
            commission_s=commission_s,
            breaks=tuple(range(length, pieces * length, length)),
            labels=(Label(start_s=0.0, end_s=float(pieces), label=label, fault=label == "imbalance"),),
        )
        out.add(run, recorded.reshape(-1, 3))


def uci_fan(folder: Path, out: Writer) -> None:
    """Configuration 1 is normal: first the first half of each speed, from which is learnt, then the second halves."""
    table = _table(folder / "speeds_even.csv.gz")
    config, speed = np.array(table["config"]), _numbers(table, ["speed_pct"])[:, 0]
    values = _numbers(table, ["x_g", "y_g", "z_g"])
    names = {"1": NORMAL, "2": "perpendicular magnets", "3": "opposite magnets"}
    for number, label in names.items():
        each = [np.flatnonzero((config == number) & (speed == s)) for s in np.unique(speed)]
        halves = [rows[:1500] for rows in each] + [rows[1500:] for rows in each] if number == "1" else each
        rows = np.concatenate(halves)
        run = Run(
            file=f"config-{number}.npz",
            node="fan",
            asset="fan",
            sensor="MMA8452Q",
            kind="samples",
            channels=_axes(4096.0),
            rate_hz=50.0,
            session="speeds",
            commission_s=30.0 * len(each) if number == "1" else 0.0,
            context=(ContextChannel(name="speed", unit="%"),),
            breaks=tuple(int(b) for b in np.cumsum([len(h) for h in halves])[:-1]),
            labels=(Label(start_s=0.0, end_s=len(rows) / 50, label=label, fault=number != "1"),),
        )
        out.add(run, values[rows], context=speed[rows][:, None])


def cwru(folder: Path, out: Writer) -> None:
    """The normal file is at 48 kHz, the faults at 12 kHz: it is decimated by 4. Seconds only; half are learnt from."""
    files = sorted(folder.glob("*.npz"), key=lambda f: ("Normal" not in f.name, f.name))
    for file in files:
        with np.load(file) as archive:
            recorded = np.stack([archive["DE"], archive["FE"]], axis=1).astype(np.float64)
            rate = float(archive["fs_hz"])
        if rate == 48_000:
            recorded, rate = decimate(recorded, 4, ftype="fir", axis=0), 12_000.0
        normal = "Normal" in file.name
        part, size = file.stem.split("_")[1:3]
        label = NORMAL if normal else f"{part} {size} mil"
        run = Run(
            file=f"{file.stem}.npz",
            node="bearing",
            asset="motor",
            sensor="accelerometers",
            kind="samples",
            channels=(Channel(name="drive end", unit="g", per_unit=2048.0),
                      Channel(name="fan end", unit="g", per_unit=2048.0)),
            rate_hz=rate,
            session="1797",
            commission_s=round(len(recorded) / rate / 2, 3) if normal else 0.0,
            labels=(Label(start_s=0.0, end_s=len(recorded) / rate, label=label, fault=not normal),),
        )  # fmt: skip
        out.add(run, recorded)


def nicla(folder: Path, out: Writer) -> None:
    """Clips of four kinds of motion, for classifiers: none of them is a fault."""
    columns = ("accX_m/s2", "accY_m/s2", "accZ_m/s2", "gyrX_N/A", "gyrY_N/A", "gyrZ_N/A")
    for file in sorted(folder.glob("*.csv.gz")):
        table = _table(file)
        name = file.name.split(".")[0]
        rows = len(table["t_ms"])
        run = Run(
            file=f"{name}.npz",
            node="board",
            asset="board",
            sensor="Nicla Vision",
            kind="samples",
            channels=tuple(
                Channel(name=c[:4], unit="m/s²" if c[0] == "a" else "", per_unit=512.0 if c[0] == "a" else 16.0)
                for c in columns
            ),
            rate_hz=59.0,
            session=name,
            labels=(Label(start_s=0.0, end_s=rows / 59, label=name.split("_")[0].lower(), fault=False),),
        )
        out.add(run, _numbers(table, columns))


SETS: dict[str, tuple[str, str, Callable[[Path, Writer], None]]] = {
    "skab": ("GPL-3.0", "skab", skab),
    "wsn": ("ODC-BY 1.0, CC BY 4.0", "wsn_temp_humidity", wsn),
    "occupancy": ("CC BY 4.0", "occupancy_temp_humidity", occupancy),
    "nab": ("MIT", "nab", nab),
    "rosa": ("BSD-3-Clause", "rosa_rotor_imu", rosa),
    "fan": ("Beerware", "ceiling_fan_msa301", fan),
    "uci_fan": ("CC BY 4.0", "uci_fan_accelerometer", uci_fan),
    "cwru": ("free for research, not to be passed on", "cwru_bearing", cwru),
    "nicla": ("MIT", "nicla_imu_motion", nicla),
}
"""Name -> licence, folder below ../shared/data, and what fills the dataset."""


def _axes(per_unit: float) -> tuple[Channel, ...]:
    return tuple(Channel(name=name, unit="g", per_unit=per_unit) for name in "xyz")


def _by_number(file: Path) -> tuple[str, int]:
    return str(file.parent), int(re.sub(r"\D", "", file.name) or 0)


def _table(file: Path, delimiter: str = ",") -> dict[str, list[str]]:
    """The columns of a CSV."""
    with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as lines:
        header, *rows = csv.reader(lines, delimiter=delimiter)
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def _numbers(table: dict[str, list[str]], columns: Iterable[str]) -> Numbers:
    return np.stack([np.array(table[c], np.float64) for c in columns], axis=1)


def _seconds(times: Iterable[str]) -> Numbers:
    return np.array([datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() for t in times])


def _gaps(at_s: Numbers, longest_s: float) -> tuple[int, ...]:
    return tuple(int(row) + 1 for row in np.flatnonzero(np.diff(at_s) > longest_s))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.shared_data", description=__doc__)
    parser.add_argument("set", nargs="*", choices=[*SETS, []], help="which; default: all")
    for name in parser.parse_args().set or SETS:
        made = make(name)
        print(f"{made.folder.relative_to(ROOT)}: {len(made.recordings)} runs, {made.sha256()[:16]}")


if __name__ == "__main__":
    main()
