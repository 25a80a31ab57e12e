"""`stethos run` and `stethos check`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import structlog

from gateway import app, extensions
from gateway.cli.options import config_option, faults_to_shell
from gateway.config import Settings, split_endpoint
from gateway.runtime import checks, logs
from gateway.runtime.metrics import Metrics

log = structlog.get_logger()


@click.command()
@config_option
def run(config_file: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT."""
    with faults_to_shell():
        settings = app.load_settings(config_file)
        metrics = Metrics()
        logs.set_up(settings.gateway.log, metrics.library)
        _serve_metrics(metrics, settings)
        try:
            asyncio.run(_serve(settings, metrics))
        finally:
            metrics.close()


async def _serve(settings: Settings, metrics: Metrics) -> None:
    await app.Gateway(settings, metrics).run()


def _serve_metrics(metrics: Metrics, settings: Settings) -> None:
    if not settings.gateway.metrics:
        return
    try:
        metrics.serve(*split_endpoint(settings.gateway.metrics))
    except OSError as error:  # who watches the machines goes on without being watched
        log.error("metrics cannot be served", endpoint=settings.gateway.metrics, reason=str(error))


@click.command()
@config_option
def check(config_file: Path) -> None:
    """Check a configuration and everything it names; exit 78 with every fault if it is not good."""
    with faults_to_shell():
        settings = app.load_settings(config_file)
        plant = app.configured_plant(settings)
        faults = [
            *app.check(settings),
            *map(str, checks.unreachable(settings)),
            *map(str, checks.missing_files(settings)),
            *map(str, checks.unaddressable(settings, extensions.output_modules(), plant)),
        ]
        for fault in faults:
            click.echo(f"{config_file}: {fault}", err=True)
        if faults:
            raise SystemExit(os.EX_CONFIG)
        registered = {name for name, node in plant.nodes.items() if node.kid}
        for node in checks.unregistered(settings, registered):
            click.echo(f"{config_file}: warning: node {node!r} is not registered (stethos node add {node})")
        assets, nodes = len(settings.asset), sum(len(a.nodes) for a in settings.asset)
        click.echo(f"{config_file}: good ({assets} assets, {nodes} nodes, {len(settings.link)} links)")
