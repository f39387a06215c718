"""Commands that look after what was deployed."""

import sys
from functools import partial
from pathlib import Path
from typing import TextIO

import click

from model_dockerize.cli.execute import execute
from model_dockerize.cli.group import cli, takes
from model_dockerize.errors import InputError
from model_dockerize.settings import is_batch_file
from model_dockerize.settings.load import batch_environment


@cli.command()
@click.option("--to", default="", metavar="REVISION", help="Revision to go back to. The one deployed before if empty.")
@takes("program", "image", "aws", "service", "smoke", "run")
def rollback(target: Path | None, *, to: str, **flags: str | None) -> None:
    """Let the service run a former task definition again, follow it to its end, and prove it."""
    from model_dockerize import pipeline

    if to and not to.isdigit():
        raise click.BadParameter("a revision is a number, e.g. 3", param_hint="--to")
    execute(target, flags, partial(pipeline.rollback, to=to))


@cli.command()
@takes("program", "image", "aws", "service", "smoke", "run")
def status(target: Path | None, **flags: str | None) -> None:
    """Say what the service runs: revision, image, build, since when, and where it answers."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.status)


@cli.command()
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many lines at most.")
@click.option("--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@takes("program", "image", "aws", "service", "run")
def logs(target: Path | None, *, lines: int, follow: bool, **flags: str | None) -> None:
    """Show the last lines that the service's tasks wrote."""
    from model_dockerize import pipeline

    execute(target, flags, partial(pipeline.logs, lines=lines, follow=follow, show=_show))


@cli.command()
@click.option("--input", "inputs", multiple=True, metavar="PATH", help="What the job reads, as its container sees it.")
@click.option("--inputs-from", type=click.File(encoding="utf-8"), help="A file with one input a line (- for stdin).")
@click.option("--output", default="-", show_default=True, metavar="PATH", help="Where it writes; {name}: of the input.")
@takes("program", "image", "aws", "batch", "service", "run")
def submit(
    target: Path | None, *, inputs: tuple[str, ...], inputs_from: TextIO | None, output: str, **flags: str | None
) -> None:
    """Run the model on AWS Batch, one job an input; follow the jobs and show their logs."""
    from model_dockerize import pipeline

    listed = tuple(line.strip() for line in inputs_from or () if line.strip())
    execute(target, flags, partial(pipeline.submit, inputs=(*inputs, *listed), output=output))


@cli.command()
@takes("program", "image", "registry", "aws", "batch", "service", "smoke", "run")
def doctor(target: Path | None, **flags: str | None) -> None:
    """Look in seconds at everything that could stop `run`: Docker, the folder, the account, permissions, quotas."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.doctor)


@cli.command("iam-policy")
@click.option("--after-bootstrap", is_flag=True, help="The smaller one, for where an administrator ran bootstrap.")
@takes("program", "image", "registry", "aws", "batch", "service")
def iam_policy(target: Path | None, *, after_bootstrap: bool, **flags: str | None) -> None:
    """Print the least IAM policy that this configuration needs, and who may assume its role. Asks AWS nothing."""
    from model_dockerize import pipeline

    show = partial(pipeline.iam_policy, show=click.echo, after_bootstrap=after_bootstrap)
    execute(target, flags, show, verdict=sys.stderr)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--delete-data", is_flag=True, help="Remove the volume of the model, too, with all that is on it.")
@takes("program", "image", "registry", "aws", "batch", "service", "run")
@click.argument("aws-config", required=False, type=click.Path(path_type=Path), metavar="[AwsConfig.ini]")
def destroy(target: Path | None, aws_config: Path | None, *, yes: bool, delete_data: bool, **flags: str | None) -> None:
    """Remove from AWS what was made for this model, after a question. What others made or use is never touched.

    Of a BatchConfig.yml: what was made for its job definition.
    """
    from model_dockerize import pipeline
    from model_dockerize.report.sheet import printable

    def agreed(question: pipeline.Question) -> bool:
        click.echo("\n".join(map(printable, question.lines())), err=True)
        if yes:
            return True
        if not sys.stdin.isatty():
            raise InputError("Nobody can be asked here, so nothing was removed.", "To remove it, add --yes.")
        try:
            return click.confirm("Remove all of it?", err=True)
        except click.Abort:  # Ctrl-D
            click.echo(err=True)
            return False

    if target and (aws_config or is_batch_file(target)):
        read = partial(batch_environment, aws_config=aws_config)
        execute(target, flags, partial(pipeline.destroy_environment, agreed=agreed), read=read)
    else:
        execute(target, flags, partial(pipeline.destroy, agreed=agreed, delete_data=delete_data))


def _show(line: str) -> None:
    """Print a line that a program wrote."""
    from model_dockerize.report.sheet import printable

    click.echo(printable(line))
