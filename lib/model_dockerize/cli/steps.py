"""Commands for the single AWS steps of `deploy`."""

from pathlib import Path

from model_dockerize.cli.execute import execute
from model_dockerize.cli.group import cli, takes

_NETWORK = ("zones", "vpc-cidr", "assign-public-ip", "aws-region", "role-to-assume", "sandbox")


@cli.command()
@takes("aws", "run")
def login(target: Path | None, **flags: str | None) -> None:
    """Sign the docker command in to the account's ECR registry. `push` needs no such login; `docker push` does."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.login)


@cli.command()
@takes("aws", "service", "run", common=_NETWORK)
def bootstrap(target: Path | None, **flags: str | None) -> None:
    """Make once, as an administrator, what all models of a region share, and the role by which others make models."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.bootstrap)


@cli.command()
@takes("aws", "service", "run", common=_NETWORK)
def network(target: Path | None, **flags: str | None) -> None:
    """Make the VPC and subnets of the services where they are missing, and say their ids."""
    from model_dockerize import pipeline

    execute(target, flags, pipeline.network)


@cli.command("task-definition")
@takes("program", "image", "registry", "aws", "service", "smoke", "run")
def task_definition(target: Path | None, **flags: str | None) -> None:
    """Push the image if needed, and register the ECS task definition that runs it. No service is made or rolled."""
    from model_dockerize import pipeline

    execute(target, {**flags, "create_job_def": "false", "deploy_service": "true"}, pipeline.task_definition)
