"""`stethos demo`."""

import click


@click.command()
def demo() -> None:
    """Placeholder until the demo lands in this working tree."""
