"""`stethos node battery`: how long a node's battery lasts, and what the node itself has counted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from gateway import configured
from gateway.cli.options import config_option, faults_to_shell
from gateway.core import entry as entries
from gateway.core.entry import EntryBroken, Report
from gateway.energy import Battery, Board, EnergyUnknown, Figure, Forecast, Radio, Schedule, Sensor, forecast, names
from gateway.energy.forecast import DAY_MS, STATES
from gateway.store.reader import Reader
from gateway.wire.messages import Health

PAGE = 1000


def _choice(folder: str) -> click.Choice[str]:
    return click.Choice(names(folder))


@click.command()
@click.option("--board", type=_choice("boards"), default="stm32l475", show_default=True)
@click.option("--sensor", type=_choice("sensors"), default="lis2dw12", show_default=True)
@click.option("--radio", type=_choice("radios"), default="lpuart", show_default=True)
@click.option("--battery", "cell", type=_choice("batteries"), default="cr123a", show_default=True)
@click.option("--window-ms", type=click.FloatRange(min=0), default=640, show_default=True, help="One window.")
@click.option("--every-s", type=click.FloatRange(min=0, min_open=True), default=60, show_default=True)
@click.option("--report-s", type=click.FloatRange(min=0, min_open=True), default=3600, show_default=True)
@click.option("--compute-ms", type=click.FloatRange(min=0), help="Awake for one window; of the table unless given.")
@click.option("--answer-ms", type=click.FloatRange(min=0), help="From a report to its Ack; of the table unless given.")
@click.option("--sources", is_flag=True, help="Print where each figure comes from.")
@click.option("--node", "name", help="Set beside it what this node has counted, from the journal.")
@config_option
def battery(
    board: str, sensor: str, radio: str, cell: str, window_ms: float, every_s: float, report_s: float,
    compute_ms: float | None, answer_ms: float | None, sources: bool, name: str | None, config_file: Path,
) -> None:  # fmt: skip
    """Forecast how long a battery lasts, from the table of currents that the node's own ledger counts with.

    Charge is current times time, for each state of a node; the arithmetic is printed. No figure of the table has been
    measured unless --sources says so.
    """
    schedule = Schedule(window_ms, every_s, report_s, compute_ms, answer_ms)
    try:
        chosen = Board.load(board), Sensor.load(sensor), Radio.load(radio), Battery.load(cell)
        found = forecast(chosen[0], chosen[1], chosen[2], schedule, chosen[3])
    except (EnergyUnknown, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for entry in chosen:
        click.echo(f"{entry.name}: {entry.title}")
    for line in found.lines:
        click.echo(line)
    if sources:
        for part in chosen:
            for key, figure in part.figures.items():
                click.echo(_source(part.name, key, figure))
    if name is not None:
        with faults_to_shell():
            folder = configured.load_settings(config_file).gateway.state_dir
            with closing(Reader.open(folder)) as reader:
                health = newest_health(reader, name)
        if health is None:
            raise click.ClickException(f"{name}: the journal holds no Health of this node")
        for line in beside(found, health):
            click.echo(line)


def _source(name: str, key: str, figure: Figure) -> str:
    return f"{name}.{key} = {figure.value}: {figure.source}{' (measured)' if figure.measured else ' (not measured)'}"


def beside(found: Forecast, health: Health) -> list[str]:
    """What the node has counted since its reset, as a day's, beside the forecast. Lines of text."""
    lines = [f"the node's own ledger over {health.uptime_s / 3600:.4g} h, as a day, beside the forecast:"]
    if health.uptime_s == 0:
        return [*lines, "nothing yet: it has just started"]
    days = health.uptime_s * 1000 / DAY_MS
    counted = dict(zip(STATES, health.energy_uc, strict=True))
    for state, uc in [*counted.items(), ("all", sum(counted.values()))]:
        expected = found.total_uc_per_day if state == "all" else found.uc_per_day[state]
        ratio = f"{uc / days / expected - 1:+8.1%}" if expected else "        "
        lines.append(f"{state:7} {uc / days / 1000:11.2f} mC   forecast {expected / 1000:11.2f} mC  {ratio}")
    return lines


def newest_health(reader: Reader, node: str) -> Health | None:
    """The newest Health of the node that the journal still holds."""
    head = reader.head_id()
    while head >= reader.first_id:
        after = max(head - PAGE, reader.first_id - 1)
        for row in reversed(reader.read(after, head - after)):
            try:
                body = entries.decode(row.kind, row.version, row.body)
            except EntryBroken:
                continue  # `stethos audit` is who complains of it
            if isinstance(body, Report) and body.node == node and isinstance(body.message, Health):
                return body.message
        head = after
    return None
