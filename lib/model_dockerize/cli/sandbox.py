"""`model-dockerize sandbox`: AWS on this computer."""

import sys

import click

from model_dockerize.cli.execute import session
from model_dockerize.cli.group import cli


@cli.group("sandbox")
def sandbox_group() -> None:
    """Run AWS on this computer, with real containers: for trying without an account, and for tests."""


@sandbox_group.command("start")
@click.option(
    "--iam",
    type=click.Choice(["off", "enforced"]),
    default=None,
    help="Whether policies count, as in an account; calls are signed anyway. [default: off, or as it runs already]",
)
def sandbox_start(iam: str | None) -> None:
    """Start the sandbox, and print the settings that point the AWS CLI and SDKs at it."""
    from model_dockerize import sandbox

    with session() as recorder, recorder.stage("sandbox") as stage:
        started = sandbox.start(sandbox.default_home(), stage, iam or "")
    click.echo(f"unset {' '.join(started.unset())}")
    for name, value in started.environment().items():
        click.echo(f"export {name}={value}")


@sandbox_group.command("status")
def sandbox_status() -> None:
    """Say whether the sandbox runs (exit code 0) or not (exit code 1)."""
    from model_dockerize import sandbox

    running = sandbox.status(sandbox.default_home())
    if running is None:
        click.echo("The sandbox is not running. Start it with: model-dockerize sandbox start")
        sys.exit(1)
    where = f"account {running.account_id}, {running.region}, IAM {running.iam}"
    click.echo(f"The sandbox runs at {running.endpoint_url} ({where}).")


@sandbox_group.command("stop")
def sandbox_stop() -> None:
    """Stop the sandbox and remove everything in it: containers, images it pulled, and its state."""
    from model_dockerize import sandbox

    with session() as recorder, recorder.stage("sandbox") as stage:
        sandbox.stop(sandbox.default_home(), stage)
