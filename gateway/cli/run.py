"""`stethos run`, `stethos check` and `stethos reload`."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from pathlib import Path

import click
import structlog

from gateway import app, configured
from gateway.cli.options import config_option, faults_to_shell
from gateway.config import Settings, split_endpoint
from gateway.runtime import checks, control, logs
from gateway.runtime.metrics import Metrics

log = structlog.get_logger()


@click.command()
@config_option
def run(config_file: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP is `stethos reload`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the gateway listens to it: it must not be the end
    with faults_to_shell():
        settings = configured.load_settings(config_file)
        metrics = Metrics()
        logs.set_up(settings.gateway.log, metrics.library)
        _serve_metrics(metrics, settings)
        faulthandler.enable(2)  # systemd's watchdog ends with SIGABRT what stands still: where it stood is then told
        try:
            asyncio.run(_serve(config_file, settings, metrics))
        finally:
            metrics.close()


async def _serve(config_file: Path, settings: Settings, metrics: Metrics) -> None:
    gateway = app.Gateway(config_file, settings, metrics)
    try:
        await gateway.run()
    finally:
        if gateway.parts.left_behind:  # the journal is closed; the event loop would wait for them for ever
            log.error("ended without waiting for what hangs", parts=gateway.parts.left_behind)
            os._exit(os.EX_SOFTWARE)


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
        settings = configured.load_settings(config_file)
        plant = configured.configured_plant(settings)
        models, broken = configured.load_models(settings)
        _refuse(config_file, list(map(str, configured.faults(settings, plant, broken))))
        registered = {name for name, node in plant.nodes.items() if node.kid}
        for node in checks.unregistered(settings, registered):
            click.echo(f"{config_file}: warning: node {node!r} is not registered (stethos node add {node})")
        for name in configured.on_trust(settings, models):
            click.echo(f"{config_file}: warning: bundle {name!r} is not signed by anybody trusted")
        for asset, waiting in configured.unheard(settings).items():
            said = (
                f'no window yet of {", ".join(waiting)}, which model "learner" waits for: let them send (window_every)'
            )
            click.echo(f"{config_file}: warning: asset {asset!r}: {said}")
        assets, nodes = len(settings.asset), sum(len(a.nodes) for a in settings.asset)
        click.echo(f"{config_file}: good ({assets} assets, {nodes} nodes, {len(settings.link)} links)")


@click.command()
@config_option
def reload(config_file: Path) -> None:
    """Let the running gateway take over its configuration file: print what has changed, or exit 78 with every fault."""
    with faults_to_shell():
        state_dir = configured.load_settings(config_file).gateway.state_dir
        reply = control.ask(state_dir, {"kind": control.RELOAD}, control.RELOAD_PATIENCE_S)
        _refuse(config_file, reply["faults"])
        for line in reply["changed"] or ["nothing to change"]:
            click.echo(line)


def _refuse(config_file: Path, faults: list[str]) -> None:
    for fault in faults:
        click.echo(f"{config_file}: {fault}", err=True)
    if faults:
        raise SystemExit(os.EX_CONFIG)
