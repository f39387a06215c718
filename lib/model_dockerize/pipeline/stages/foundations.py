"""Makes what service and jobs stand on."""

from collections.abc import Sequence
from dataclasses import replace

from model_dockerize.aws import ground, preflight
from model_dockerize.aws.ground import Model, Pace
from model_dockerize.aws.model import Change, Runtime
from model_dockerize.errors import InputError, ModelDockerizeError
from model_dockerize.pipeline import access, batch
from model_dockerize.pipeline.aside import LeftError
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.progress import Progress


def _is_wanted(release: Release) -> bool:
    return release.settings.service.deploy_service or release.settings.batch.create_job_def


def make(release: Release) -> Release:
    """Run stage `foundations`."""
    with release.run.recorder.stage("foundations") as stage:
        own = release.account.apart()  # the push beside us makes changes of its own
        try:
            made = _stand(replace(release, account=own), stage, Pace(sleep=release.pause))
        except LeftError:
            stage.info("The run ends. CloudFormation goes on by itself: the next run takes over, `destroy` removes it.")
            raise
        except ModelDockerizeError as error:
            stage.warning(f"{error} This ends the run, when the build beside it is over.")
            raise
        finally:
            release.account.changes.extend(own.changes)
        is_new = own.has_changed()
        if is_new:
            stage.info(told(own.changes))
        else:
            stage.unchanged("All of it is there.")
        return replace(release, runtime=made, changed=is_new)


def told(changes: Sequence[Change]) -> str:
    """Name what is new and what was changed, as the account has it."""
    words = []
    for action, word in (("make", "new"), ("change", "changed")):
        things = dict.fromkeys(f"{each.kind} {each.name}" for each in changes if each.action == action)
        words += [f"{word}: {', '.join(things)}"] if things else []
    return "; ".join(words)


def _stand(release: Release, progress: Progress, pace: Pace | None = None) -> Runtime:
    settings, account, names = release.settings, release.account, release.names
    if not settings.service.deploy_service:
        return batch.ensure_runtime(release.run, account, names.model, progress, pace)
    # An image of others knows only the old path.
    health_path = "/ready" if release.prepared.made_here else "/health"
    model = Model(names.service, names.repository, health_path, batch.secrets_of(release.run, account, names.model))
    service = replace(settings.service, task_definition=names.task_definition)
    made = ground.ensure_foundations(account, service, model, progress, pace)
    if not release.settings.run.sandbox:
        access.warn_of_the_internet(made.settings, progress)
    return made


def _ask(release: Release, progress: Progress) -> Release:
    return release.standing_on(_stand(release, progress), is_new=False)


def _finding(release: Release) -> str:
    service = release.settings.service
    given = tuple(role for role in (service.execution_role, service.task_role) if role)
    distrusting = preflight.distrusting(release.account, given)
    if distrusting:
        raise InputError(
            f"{', '.join(distrusting)} cannot be handed to a task.",
            "Let its trust policy name the service ecs-tasks.amazonaws.com, or name another role.",
        )
    return ""


FOUNDATIONS = Stage("foundations", _is_wanted, make, _ask, _finding, is_beside=True)
