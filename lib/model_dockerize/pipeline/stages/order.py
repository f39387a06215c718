"""Refuses early what is not this run's to change."""

from model_dockerize.aws import batch, ecs
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.progress import Progress
from model_dockerize.settings.fargate import check_size


def _is_wanted(release: Release) -> bool:
    return release.settings.registry.push_to_ecr


def take_turn(release: Release) -> Release:
    """Refuse a service that is not this release's."""
    names, service = release.names, release.settings.service
    if service.deploy_service:
        ecs.check_service(release.account, service, names.service, names.task_definition)
    return release


def check(release: Release) -> Release:
    """Check service and jobs."""
    if release.settings.batch.create_job_def:
        _check_jobs(release)
    return take_turn(release)


def _check_jobs(release: Release) -> None:
    account, name, settings = release.account, release.names.job_definition, release.settings
    batch.check_job_definition(account, name, settings.service.adopt)
    # Half a size may fit what the definition has, which nobody knew when the inputs were read.
    if len(settings.service.given & {"cpu", "memory"}) == 1 and not settings.batch.file:
        jobs, service = batch.as_defined(account, name, batch.place_of_jobs(account, settings.batch), settings.service)
        if jobs.compute_type.startswith("FARGATE"):
            check_size(service.cpu, service.memory)


def _ask(release: Release, _: Progress) -> Release:
    return check(release)


def _finding(release: Release) -> str:
    number = release.settings.service.run_number
    return f"no newer run than {number} has deployed" if number else "runs are not ordered here"


ORDER = Stage("order", _is_wanted, check, _ask, _finding)
