"""The command line: commands and flags -> Settings -> pipeline. Every flag is made from the one declaration."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from model_dockerize import __version__, licenses, pipeline, sandbox
from model_dockerize.cancel import Cancelled, cancellable
from model_dockerize.errors import InputError
from model_dockerize.report import Recorder, Report, concluded, ended, to_json
from model_dockerize.report.console import ConsoleDisplay
from model_dockerize.settings import OPTIONS, Kind, Option, Settings, to_settings
from model_dockerize.settings.declaration import BY_NAME
from model_dockerize.settings.sources import from_environment, from_flags, program_file

Command = Callable[..., None]


_TITLES = {
    "program": "The model's program",
    "image": "The image",
    "registry": "Amazon ECR",
    "aws": "The AWS account",
    "batch": "AWS Batch",
    "service": "The ECS service",
    "smoke": "The smoke test",
    "run": "This run",
}


class _Stage(click.Command):
    """A command whose help shows the flags under the headings of the declaration's groups."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--sandbox FOLDER`: a word that is neither true nor false is not the flag's value."""
        flags = {f"--{option.name}" for option in OPTIONS if option.kind is Kind.FLAG}
        following = [*args[1:], ""]
        return super().parse_args(
            ctx,
            [
                f"{word}=true" if word in flags and after.lower() not in ("true", "false") else word
                for word, after in zip(args, following, strict=True)
            ],
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in (*_TITLES.values(), "Help")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                option = BY_NAME.get((parameter.name or "").replace("_", "-"))
                sections[_TITLES[option.group] if option else "Help"].append(record)
        for title, records in ((title, records) for title, records in sections.items() if records):
            with formatter.section(title):
                formatter.write_dl(records)


class _Commands(click.Group):
    """Lists the commands in the order in which a model goes through them."""

    command_class = _Stage

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does, but with whole sentences."""
        rows = [(name, self.commands[name].get_short_help_str(limit=300)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="model-dockerize")
def cli() -> None:
    """Takes a model's program folder to a container in production that has proved it works.

    \b
    Try it without an AWS account:
      model-dockerize run examples/iris-classifier --sandbox

    Every command takes a program folder or a model-dockerize.yml; flags override what stands in it.
    """


def _flags(*groups: str) -> Callable[[Command], Command]:
    """Adds the flags of these groups of the declaration, and the argument."""

    def decorate(command: Command) -> Command:
        for option in reversed(OPTIONS):
            if option.group in groups:
                command = click.option(f"--{option.name}", **_click(option))(command)
        return click.argument("target", required=False, type=click.Path(path_type=Path), metavar="[FOLDER|FILE.yml]")(
            command
        )

    return decorate


def _click(option: Option) -> dict[str, Any]:
    default = f" [default: {option.default}]" if option.default else ""
    return {"metavar": option.kind.value, "help": option.help + default}


_PROGRAM = ("program", "image", "smoke", "run")


@cli.command()
@_flags("program", "image", "registry", "aws", "batch", "service", "smoke", "run")
def run(target: Path | None, **flags: str | None) -> None:
    """Everything: Dockerfile, image, smoke test, ECR, Batch job definition, ECS service, smoke test of the service."""
    _execute(target, flags, pipeline.run)


@cli.command()
@_flags("program", "image", "registry", "aws", "batch", "service", "smoke", "run")
def plan(target: Path | None, **flags: str | None) -> None:
    """Say what `run` would make, change or leave in AWS, and change nothing."""
    _execute(target, flags, pipeline.plan)


@cli.command()
@_flags("program", "image")
def dockerfile(target: Path | None, **flags: str | None) -> None:
    """Write the Dockerfile into the program's folder, and nothing else. Needs no Docker Engine."""
    _execute(target, {**flags, "push_to_ecr": "false"}, pipeline.dockerfile)


@cli.command()
@_flags(*_PROGRAM)
def build(target: Path | None, **flags: str | None) -> None:
    """Build the image and prove it by the smoke test."""
    _execute(target, {**flags, "push_to_ecr": "false"}, pipeline.run)


@cli.command()
@_flags(*_PROGRAM)
def save(target: Path | None, **flags: str | None) -> None:
    """Build the image and write it as an archive for `docker load -i` (to --archive, else here)."""
    flags["archive"] = flags["archive"] or "."
    _execute(target, {**flags, "push_to_ecr": "false"}, pipeline.run)


@cli.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def load(archive: Path) -> None:
    """Load an image archive into Docker Engine and say its name."""
    _execute(None, {}, lambda _settings, environment, recorder: pipeline.load(archive, environment, recorder))


@cli.command()
@_flags("program", "image", "registry", "aws", "smoke", "run")
def push(target: Path | None, **flags: str | None) -> None:
    """Build and prove the image, and push it to Amazon ECR."""
    _execute(target, {**flags, "create_job_def": "false", "deploy_service": "false"}, pipeline.run)


@cli.command()
@_flags("program", "image", "registry", "aws", "batch", "service", "smoke", "run")
def batch(target: Path | None, **flags: str | None) -> None:
    """Push the image if needed, and register its AWS Batch job definition."""
    _execute(target, {**flags, "create_job_def": "true", "deploy_service": "false"}, pipeline.run)


@cli.command()
@_flags("program", "image", "registry", "aws", "service", "smoke", "run")
def deploy(target: Path | None, **flags: str | None) -> None:
    """Push the image if needed, make or roll its ECS service, and prove the service."""
    _execute(target, {**flags, "create_job_def": "false", "deploy_service": "true"}, pipeline.run)


@cli.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="A file of your data.")
@click.option("--mime-type", default="", help="Its MIME type. [default: the model's own]")
@click.option("--output", type=click.Path(path_type=Path), default=Path("mapping.json"), show_default=True)
@_flags("program", "image", "smoke", "run")
def mapping(target: Path | None, *, data: Path, mime_type: str, output: Path, **flags: str | None) -> None:
    """Write the mapping file for a data set whose fields have other names than the model's.

    Asks the model at --smoke-url, else the image of the folder, which is built if the engine does not hold it.
    """
    write = partial(pipeline.mapping, data=data, mime_type=mime_type, target=output)
    _execute(target, {**flags, "push_to_ecr": "false"}, write)


@cli.command()
@_flags("program", "image", "smoke", "run")
def smoke(target: Path | None, **flags: str | None) -> None:
    """Run the smoke test against a model that is already running (--smoke-url)."""
    _execute(target, {**flags, "push_to_ecr": "false"}, pipeline.smoke_url)


@cli.command()
@click.option("--to", default="", metavar="REVISION", help="Revision to go back to. The one deployed before if empty.")
@_flags("program", "image", "aws", "service", "smoke", "run")
def rollback(target: Path | None, *, to: str, **flags: str | None) -> None:
    """Let the service run a former task definition again, follow it to its end, and prove it."""
    if to and not to.isdigit():
        raise click.BadParameter("a revision is a number, e.g. 3", param_hint="--to")
    _execute(target, flags, partial(pipeline.rollback, to=to))


@cli.command()
@_flags("program", "image", "aws", "service", "smoke", "run")
def status(target: Path | None, **flags: str | None) -> None:
    """Say what the service runs: revision, image, build, since when, and where it answers."""
    _execute(target, flags, pipeline.status)


@cli.command()
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many lines at most.")
@click.option("--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@_flags("program", "image", "aws", "service", "run")
def logs(target: Path | None, *, lines: int, follow: bool, **flags: str | None) -> None:
    """Show the last lines that the service's tasks wrote."""
    _execute(target, flags, partial(pipeline.logs, lines=lines, follow=follow, show=click.echo))


@cli.command()
@click.option("--input", "inputs", multiple=True, metavar="PATH", help="What the job reads, as its container sees it.")
@click.option("--inputs-from", type=click.File(encoding="utf-8"), help="A file with one input a line (- for stdin).")
@click.option("--output", default="-", show_default=True, metavar="PATH", help="Where it writes; {name}: of the input.")
@_flags("program", "image", "aws", "batch", "service", "run")
def submit(
    target: Path | None, *, inputs: tuple[str, ...], inputs_from: TextIO | None, output: str, **flags: str | None
) -> None:
    """Run the model on AWS Batch, one job an input; follow the jobs and show their logs."""
    listed = tuple(line.strip() for line in inputs_from or () if line.strip())
    _execute(target, flags, partial(pipeline.submit, inputs=(*inputs, *listed), output=output))


@cli.command("iam-policy")
@_flags("program", "image", "registry", "aws", "batch", "service")
def iam_policy(target: Path | None, **flags: str | None) -> None:
    """Print the least IAM policy that this configuration needs, and who may assume its role. Asks AWS nothing."""
    _execute(target, flags, partial(pipeline.iam_policy, show=click.echo), verdict=sys.stderr)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@_flags("program", "image", "registry", "aws", "batch", "service", "run")
def destroy(target: Path | None, *, yes: bool, **flags: str | None) -> None:
    """Remove from AWS what was made for this model, after a question. What others made is never touched."""

    def agreed(things: tuple[str, ...]) -> bool:
        click.echo("\n".join(("This will be removed:", *(f"  - {thing}" for thing in things))), err=True)
        return yes or click.confirm("Remove all of it?", err=True)

    _execute(target, flags, partial(pipeline.destroy, agreed=agreed))


@cli.group("sandbox")
def sandbox_group() -> None:
    """AWS on this computer, with real containers: for trying without an account, and for tests."""


@sandbox_group.command("start")
def sandbox_start() -> None:
    """Start the sandbox, and print the settings that point the AWS CLI and SDKs at it."""
    with _session() as recorder, recorder.stage("sandbox") as stage:
        started = sandbox.start(sandbox.default_home(), stage)
    click.echo(f"unset {' '.join(started.unset())}")
    for name, value in started.environment().items():
        click.echo(f"export {name}={value}")


@sandbox_group.command("status")
def sandbox_status() -> None:
    """Say whether the sandbox runs (exit code 0) or not (exit code 1)."""
    running = sandbox.status(sandbox.default_home())
    if running is None:
        click.echo("The sandbox is not running. Start it with: model-dockerize sandbox start")
        sys.exit(1)
    click.echo(f"The sandbox runs at {running.endpoint_url} (account {running.account_id}, {running.region}).")


@sandbox_group.command("stop")
def sandbox_stop() -> None:
    """Stop the sandbox and remove everything in it: containers, images it pulled, and its state."""
    with _session() as recorder, recorder.stage("sandbox") as stage:
        sandbox.stop(sandbox.default_home(), stage)


@cli.group("license")
def license_group() -> None:
    """License keys for your customers: make your pair of keys, issue keys, look into one."""


@license_group.command("new-key")
@click.argument("private-key", type=click.Path(path_type=Path))
def license_new_key(private_key: Path) -> None:
    """Make a pair of keys: the private one into a new file, the public one (for the image) is printed."""
    with _session():
        click.echo(licenses.make_pair(private_key))


@license_group.command("issue")
@click.option("--private-key", type=click.Path(path_type=Path), required=True, help="The file that new-key made.")
@click.option("--model", required=True, help="The model's name, as its image has it.")
@click.option("--name", required=True, help="Who the key is for.")
@click.option("--email", required=True, help="Their address.")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How long it holds.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new .gai_key file.")
def license_issue(private_key: Path, model: str, name: str, email: str, days: int, output: Path) -> None:
    """Issue a license key for one customer of one model."""
    with _session():
        text = licenses.issue(private_key, model, name, email, days)
        try:
            output.write_text(text + "\n", encoding="ascii")
        except OSError as error:
            raise click.FileError(str(output), error.strerror or "cannot be written") from error
        click.echo(f"{output}: for {name} - {email}, model {model}, {days} days.")


@license_group.command("inspect")
@click.argument("license-key", type=click.File(encoding="ascii", errors="replace"))
@click.option("--public-key", help="Check that it is signed by this publisher and holds; else exit code 1.")
def license_inspect(license_key: TextIO, public_key: str | None) -> None:
    """Show what a license key says."""
    with _session():
        found = licenses.inspect(license_key.read(), public_key)
    click.echo(licenses.shown(found))
    sys.exit(0 if found.problem is None else 1)


def _execute(
    target: Path | None,
    flags: Mapping[str, str | None],
    function: Callable[[Settings, Mapping[str, str], Recorder], Report],
    verdict: TextIO | None = None,
) -> None:
    """One run of a pipeline function, from flags to the exit code. Whatever ends it, the report is written.

    `verdict`: where the last words go, if not to standard output.
    """
    display = ConsoleDisplay(sys.stderr, verdict or sys.stdout)
    recorder = Recorder(display)
    report, file = Report(), Path(name) if (name := flags.get("report")) else None
    try:
        with display, cancellable():
            named = {name.replace("_", "-"): text for name, text in flags.items()}
            folder = target or Path(flags.get("program_path") or ".")
            settings = to_settings([from_environment(os.environ), program_file(folder), from_flags(named)])
            file = _writable(settings.run.report)
            report = function(settings, dict(os.environ), recorder)
    except (Exception, Cancelled) as error:  # noqa: BLE001 - the last line of defence, as in pipeline.run
        report = concluded(report, recorder, os.environ, error)
    display.finish(report)
    if file:
        with contextlib.suppress(OSError):  # told by _writable, where it is the reason why nothing ran
            file.write_text(to_json(report), encoding="utf-8", errors="backslashreplace")
    sys.exit(report.exit_code)


def _writable(report: Path | None) -> Path | None:
    """The report's file, made empty: better told now than after a long run that nobody can write it.

    Raises:
        InputError: it cannot be written.
    """
    if report:
        try:
            report.parent.mkdir(parents=True, exist_ok=True)
            report.open("a").close()
        except OSError as error:
            raise InputError(f"The report {report} cannot be written: {error.strerror}.", "Name a file.") from error
    return report


@contextlib.contextmanager
def _session() -> Iterator[Recorder]:
    """For what is no run: errors and signals become words and exit codes."""
    display = ConsoleDisplay(sys.stderr, sys.stdout)
    try:
        with display, cancellable():
            yield Recorder(display)
    except (Exception, Cancelled) as error:  # noqa: BLE001 - the last line of defence, as in pipeline.run
        report = ended(Report(), error)
        display.finish(report)
        sys.exit(report.exit_code)


def main() -> None:
    """Entry point of the `model-dockerize` command."""
    cli(prog_name="model-dockerize")
