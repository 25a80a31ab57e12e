"""`stethos run` and `stethos check`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway import app
from gateway.cli.options import config_option, faults_to_shell
from gateway.runtime import logs
from gateway.runtime.metrics import Metrics


@click.command()
@config_option
def run(config_file: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT."""
    with faults_to_shell():
        settings = app.load_settings(config_file)
        metrics = Metrics()
        logs.set_up(settings.gateway.log, metrics.library)

        async def serve() -> None:
            gateway = app.Gateway(settings, metrics)
            await gateway.run()

        asyncio.run(serve())


@click.command()
@config_option
def check(config_file: Path) -> None:
    """Check a configuration and everything it names; exit 78 with every fault if it is not good."""
    with faults_to_shell():
        settings = app.load_settings(config_file)
        faults = app.check(settings)
        for fault in faults:
            click.echo(f"{config_file}: {fault}")
        if faults:
            raise SystemExit(78)
        assets, nodes = len(settings.asset), sum(len(a.nodes) for a in settings.asset)
        click.echo(f"{config_file}: good ({assets} assets, {nodes} nodes, {len(settings.link)} links)")
