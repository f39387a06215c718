"""Commands from a folder to a service."""

import ipaddress
import re
from functools import partial
from pathlib import Path

import click

from model_dockerize.cli.execute import FOLDER_OR_NAME, execute
from model_dockerize.cli.group import NAMED, cli, takes
from model_dockerize.cli.named import answers_in_json, asked
from model_dockerize.settings import is_batch_file
from model_dockerize.settings.load import batch_environment

PROGRAM = ("program", "image", "smoke", "run")
#: What nothing of AWS is asked for.
LOCAL = {"push_to_ecr": "false", "create_job_def": "false", "deploy_service": "false"}


@cli.command()
@takes("program", "image", "registry", "aws", "batch", "service", "smoke", "run", "dry-run")
def run(target: Path | None, **flags: str | None) -> None:
    """Do it all: Dockerfile, image, smoke test, ECR, Batch job definition, ECS service, smoke test of the service."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.run)


@cli.command()
@answers_in_json
@takes("program", "image", "registry", "aws", "batch", "service", "smoke", "run")
def plan(target: Path | None, *, as_json: bool, **flags: str | None) -> None:
    """Say what `run` would make, change or leave in AWS, and change nothing."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.plan, as_json=as_json)


@cli.command()
@takes("program", "image")
def dockerfile(target: Path | None, **flags: str | None) -> None:
    """Write the Dockerfile into the program's folder, and nothing else. Needs no Docker Engine."""
    from model_dockerize import pipeline

    execute(target, {**flags, **LOCAL}, pipeline.dockerfile)


@cli.command()
@takes(*PROGRAM)
def build(target: Path | None, **flags: str | None) -> None:
    """Build the image and prove it by the smoke test."""
    from model_dockerize import pipeline

    execute(target, {**flags, **LOCAL}, pipeline.run)


@cli.command()
@takes(*PROGRAM)
def save(target: Path | None, **flags: str | None) -> None:
    """Build the image and write it as an archive for `docker load -i` (to --archive, else here)."""
    from model_dockerize import pipeline

    flags["archive"] = flags["archive"] or "."
    execute(target, {**flags, **LOCAL}, pipeline.run)


@cli.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def load(archive: Path) -> None:
    """Load an image archive into Docker Engine and say its name."""
    from model_dockerize import pipeline

    execute(None, {}, partial(pipeline.load, archive=archive))


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=9090, show_default=True, help="Port of this computer.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of this computer to answer at.")
@click.option("--data-volume", default="", metavar="NAME", help="Docker volume that keeps its data, made if missing.")
@click.option("--stop", is_flag=True, help="Stop it instead. The data volume stays.")
@takes(*PROGRAM, "allowed-hosts")
def serve(target: Path | None, *, port: int, address: str, data_volume: str, stop: bool, **flags: str | None) -> None:
    """Run the model on this computer, prove it, and leave it running.

    Builds the image of the folder, or loads that of --from-archive, if the engine does not hold it. Does nothing where
    the same image runs there already; another build of the model is replaced.
    """
    from model_dockerize import pipeline
    from model_dockerize.image import Place

    flags["push_to_ecr"] = "false"
    if stop:
        execute(target, flags, partial(pipeline.stop_serving, is_named=bool(target or flags["program_path"])))
        return
    if data_volume and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", data_volume):
        raise click.BadParameter("a volume's name has letters, digits, _ . -", param_hint="--data-volume")
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise click.BadParameter("an IP address, e.g. 127.0.0.1 or 0.0.0.0", param_hint="--address") from error
    execute(target, flags, partial(pipeline.serve, place=Place(address, port, data_volume)))


@cli.command()
@takes("program", "image", "registry", "aws", "smoke", "run", "dry-run")
def push(target: Path | None, **flags: str | None) -> None:
    """Build and prove the image, and push it to Amazon ECR."""
    from model_dockerize import pipeline

    only = {"push_to_ecr": flags["push_to_ecr"] or "true", "create_job_def": "false", "deploy_service": "false"}
    execute(target, {**flags, **only}, pipeline.run)


@cli.command()
@takes("program", "image", "registry", "aws", "batch", "service", "smoke", "run", "dry-run")
@click.argument("aws-config", required=False, type=click.Path(path_type=Path), metavar="[AwsConfig.ini]")
def batch(target: Path | None, aws_config: Path | None, **flags: str | None) -> None:
    """Push the image if needed, and register its AWS Batch job definition.

    Of a BatchConfig.yml: make or update the compute environment, the queue and the job definition that it describes,
    and send its job where it has one.
    """
    from model_dockerize import pipeline

    if target and (aws_config or is_batch_file(target)):
        read = partial(batch_environment, aws_config=aws_config)
        execute(target, flags, pipeline.batch_environment, read=read)
    else:
        execute(target, {**flags, "create_job_def": "true", "deploy_service": "false"}, pipeline.run)


@cli.command()
@takes("program", "image", "registry", "aws", "service", "smoke", "run", "dry-run")
def deploy(target: Path | None, **flags: str | None) -> None:
    """Push the image if needed, make or roll its ECS service, and prove the service."""
    from model_dockerize import pipeline

    execute(target, {**flags, "create_job_def": "false", "deploy_service": "true"}, pipeline.run)


@cli.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="A file of your data.")
@click.option("--mime-type", default="", help="Its MIME type. [default: the model's own]")
@click.option("--output", type=click.Path(path_type=Path), default=Path("mapping.json"), show_default=True)
@takes("program", "image", "smoke", "run")
def mapping(target: Path | None, *, data: Path, mime_type: str, output: Path, **flags: str | None) -> None:
    """Write the mapping file for a data set whose fields have other names than the model's.

    Asks the model at --smoke-url, else the image of the folder, which is built if the engine does not hold it.
    """
    from model_dockerize import pipeline

    write = partial(pipeline.mapping, data=data, mime_type=mime_type, target=output)
    execute(target, {**flags, **LOCAL}, write)


@cli.command()
@click.option("--keep", is_flag=True, help="Write what it answers as smoke/expected.*: check it, then commit it.")
@takes(
    *("program", "image", "aws", "service", "smoke", "run"),
    argument=FOLDER_OR_NAME,
    common=(*NAMED, "smoke-url", "smoke-api-key"),
)
def smoke(target: Path | None, *, keep: bool, **flags: str | None) -> None:
    """Run the smoke test against the model at --smoke-url, a service by its NAME, or the folder's image."""
    from model_dockerize import pipeline

    model = asked(target, flags)
    if model.by_name:
        if keep:
            raise click.BadParameter("it writes into the model's folder: name that, too", param_hint="--keep")
        execute(model.target, model.flags, pipeline.smoke_service, read=model.read)
    execute(model.target, {**model.flags, **LOCAL}, partial(pipeline.smoke, keep=keep))
