"""Commands that look after what was deployed."""

import sys
from functools import partial
from pathlib import Path

import click

from model_dockerize.cli.execute import FOLDER_OR_NAME, execute, put
from model_dockerize.cli.group import NAMED, cli, takes
from model_dockerize.cli.named import answers_in_json, asked
from model_dockerize.errors import InputError
from model_dockerize.settings import is_batch_file
from model_dockerize.settings.load import batch_environment


@cli.command("list")
@answers_in_json
@takes("aws", "run")
def list_models(target: Path | None, *, as_json: bool, **flags: str | None) -> None:
    """List the models that are deployed in the region: name, version, since when, proved, URL. Needs no folder."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.list_models, as_json=as_json)


@cli.command()
@answers_in_json
@takes("program", "image", "aws", "service", "smoke", "run", argument=FOLDER_OR_NAME, common=NAMED)
def status(target: Path | None, *, as_json: bool, **flags: str | None) -> None:
    """Say what the service runs, where it answers, and what ran before. By its NAME it needs no folder."""
    from model_dockerize import pipeline

    model = asked(target, flags)
    status = partial(pipeline.status, by_name=model.by_name)
    execute(model.target, model.flags, status, read=model.read, as_json=as_json)


@cli.command()
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many lines at most.")
@click.option("--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@takes("program", "image", "aws", "service", "run", argument=FOLDER_OR_NAME, common=NAMED)
def logs(target: Path | None, *, lines: int, follow: bool, **flags: str | None) -> None:
    """Show the last lines that the service's tasks wrote. By its NAME it needs no folder."""
    from model_dockerize import pipeline

    model = asked(target, flags)
    show = partial(pipeline.logs, lines=lines, follow=follow, show=_show, by_name=model.by_name)
    execute(model.target, model.flags, show, verdict=sys.stderr, read=model.read)


@cli.command()
@click.option("--to", default="", metavar="REVISION", help="Revision to go back to. The one deployed before if empty.")
@takes("program", "image", "aws", "service", "smoke", "run", "dry-run", argument=FOLDER_OR_NAME, common=NAMED)
def rollback(target: Path | None, *, to: str, **flags: str | None) -> None:
    """Run a former revision again, and prove it; `status` shows which. By its NAME it needs no folder."""
    from model_dockerize import pipeline

    if to and not (to.isascii() and to.isdigit() and len(to) < 10):
        raise click.BadParameter("a revision is a number, e.g. 3", param_hint="--to")
    model = asked(target, flags)
    execute(model.target, model.flags, partial(pipeline.rollback, to=to, by_name=model.by_name), read=model.read)


@cli.command()
@answers_in_json
@takes("program", "image", "registry", "aws", "batch", "service", "smoke", "run")
def doctor(target: Path | None, *, as_json: bool, **flags: str | None) -> None:
    """Look in seconds at everything that could stop `run`: Docker, the folder, the account, permissions, quotas."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.doctor, as_json=as_json)


@cli.command("iam-policy")
@click.option("--after-bootstrap", is_flag=True, help="The smaller one, for where an administrator ran bootstrap.")
@takes("program", "image", "registry", "aws", "batch", "service")
def iam_policy(target: Path | None, *, after_bootstrap: bool, **flags: str | None) -> None:
    """Print the least IAM policy that this configuration needs, and who may assume its role. Asks AWS nothing."""
    from model_dockerize import pipeline

    show = partial(pipeline.iam_policy, show=put, after_bootstrap=after_bootstrap)
    execute(target, flags, show, verdict=sys.stderr)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--delete-data", is_flag=True, help="Remove the volume of the model, too, with all that is on it.")
@takes(
    "program", "image", "registry", "aws", "batch", "service", "run", "dry-run", argument=FOLDER_OR_NAME, common=NAMED
)
@click.argument("aws-config", required=False, type=click.Path(path_type=Path), metavar="[AwsConfig.ini]")
def destroy(target: Path | None, aws_config: Path | None, *, yes: bool, delete_data: bool, **flags: str | None) -> None:
    """Remove from AWS what was made for this model, after a question. What others made or use is never touched.

    By its NAME it needs no folder. Of a BatchConfig.yml: what was made for its job definition.
    """
    from model_dockerize import pipeline
    from model_dockerize.report.sheet import printable

    def agreed(question: pipeline.Question) -> bool:
        click.echo("\n".join(map(printable, question.lines())), err=True)
        if yes:
            return True
        if sys.stdin is None or not sys.stdin.isatty():
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
        model = asked(target, flags)
        remove = partial(pipeline.destroy, agreed=agreed, delete_data=delete_data, by_name=model.by_name)
        execute(model.target, model.flags, remove, read=model.read)


def _show(line: str) -> None:
    from model_dockerize.report.sheet import printable

    put(printable(line))
