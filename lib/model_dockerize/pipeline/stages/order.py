"""Ends a run, before anything is built, for a service that cannot be rolled or that a newer run has rolled."""

from model_dockerize.aws import ecs
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.progress import Progress


def _is_wanted(release: Release) -> bool:
    return release.settings.service.deploy_service and release.settings.registry.push_to_ecr


def take_turn(release: Release) -> Release:
    """Return the release, whose turn it is.

    Raises:
        InputError: the service is of a kind that we cannot roll.
        SupersededError: a newer run deployed it.
    """
    names = release.names
    ecs.check_service(release.account, release.settings.service, names.service, names.task_definition)
    return release


def _ask(release: Release, _: Progress) -> Release:
    return take_turn(release)


def _finding(release: Release) -> str:
    number = release.settings.service.run_number
    return f"no newer run than {number} has deployed" if number else "runs are not ordered here"


ORDER = Stage("order", _is_wanted, take_turn, _ask, _finding)
