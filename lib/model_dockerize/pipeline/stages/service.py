"""Rolls the service to the image."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from model_dockerize.aws import ecs, ground
from model_dockerize.aws.client import Aws, short_arn
from model_dockerize.aws.ecs import Action, Pause, Verdict
from model_dockerize.aws.model import Foundations, Service, TaskDefinition
from model_dockerize.errors import (
    DeployedSmokeError,
    ModelDockerizeError,
    PausedError,
    RolloutError,
    SupersededError,
    TimedOutError,
)
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed, memory, own_queues, unexpected
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.pipeline.stages.order import take_turn
from model_dockerize.progress import Progress
from model_dockerize.report import StageProgress, facts
from model_dockerize.settings import ServiceSettings

#: A role made moments ago cannot be assumed yet, and ECS gives a rollout up at once that moves traffic by it.
_NEW_ROLE_TRIES, _NEW_ROLE_SECONDS = 12, 5.0


def _is_wanted(release: Release) -> bool:
    return isinstance(release.runtime, Foundations) and release.settings.registry.push_to_ecr


def deploy(release: Release) -> Release:
    """Run stages `deploy`, `smoke-deployed`, `shift` and `scaling`.

    Where ECS moves traffic, a version is tested before it has any.
    """
    run, account, settings = release.run, release.account, release.settings.service
    with run.recorder.stage("deploy") as stage:
        if release.changed:
            take_turn(release)  # the build may have taken long
        definition, service = _ensure(release, stage)
        own_queues.tell(release.prepared, service, settings, stage)
        stage.found(facts.Rolled(service.arn, definition.arn))
        if not settings.wait:
            stage.info("wait is false: ECS goes on by itself, and this run does not know how it ends.")
            ecs.ensure_scaling(account, settings, service, stage)
            return _with(release, service)
        with _cancelled(settings.on_cancel, account, service, stage):
            service, verdict = _followed(release, service, stage)
        if verdict.outcome is not Outcome.DEPLOYED and not verdict.pause:
            raise _not_deployed(release, service, verdict, stage)
        if not service.changed and not verdict.pause:
            stage.unchanged(f"The service runs {definition.short} already.")
        if service.desired == 0:
            stage.info("No task is wanted (desired-count is 0), so there is nothing to test.")
    with _cancelled(settings.on_cancel, account, service, stage):
        verdict = _proved(release, service, verdict)
    run.recorder.found(_traffic(settings, service, verdict))
    ecs.mark_proved(account, service, deployed.answered_sample(run))
    _scale(release, service)
    return _with(release, service)


def _followed(release: Release, service: Service, stage: StageProgress) -> tuple[Service, Verdict]:
    settings = release.settings.service
    for again in range(_NEW_ROLE_TRIES, -1, -1):
        verdict = ecs.follow(release.account, service, settings.wait_timeout, stage, skip_bake=settings.skip_bake)
        if not (again and _foundations(release).fresh_roles and verdict.lacks_role):
            break
        stage.info("ECS does not see its new role yet: the rollout is started again.")
        release.pause(_NEW_ROLE_SECONDS)
        _, service = _ensure(release, stage)
    return service, verdict


def _proved(release: Release, service: Service, verdict: Verdict) -> Verdict:
    run = release.run
    if service.desired == 0:
        return _shifted(release, service, verdict.pause) if verdict.pause else verdict
    with run.recorder.stage("smoke-deployed") as stage:
        try:
            failed_checks = _test(release, service, verdict, stage)
        except ModelDockerizeError:
            if verdict.pause:
                stage.warning("The new version still waits for its test, without traffic. Run again to test it.")
            raise
        if failed_checks:
            # Tasks that died on the way often say why the one that is left does not answer.
            died = verdict.details() if verdict.stopped_tasks else ()
            raise _put_back(release, service, (*failed_checks, *died), verdict, stage)
    if verdict.pause:
        verdict = _shifted(release, service, verdict.pause)
    return verdict


def _test(release: Release, service: Service, verdict: Verdict, stage: StageProgress) -> tuple[str, ...]:
    run, account, prepared = release.run, release.account, release.prepared
    if verdict.pause:
        where = deployed.test_address(account, service, stage)
    else:
        where = deployed.address(run, account, service, stage)
    failed: tuple[str, ...] = ()
    if not run.settings.smoke.of_service:
        stage.skipped(f"{run.settings.smoke.left_out}: nobody has seen the service answer.")
        stage.found(facts.Untested("service"))
    elif verdict.pause:
        failed = deployed.smoke_waiting(run, prepared, account, service, where, stage)
    elif service.changed or service.proving:
        failed = deployed.smoke_deployed(run, prepared, account, service, where, stage)
    else:
        failed = deployed.smoke_again(run, prepared, where, stage)
    waiting = prepared.expectation.build_id if verdict.pause else ""
    return failed or deployed.own_check(run, where, waiting, stage)


def _shifted(release: Release, service: Service, pause: Pause) -> Verdict:
    run, account, settings = release.run, release.account, release.settings.service
    with run.recorder.stage("shift") as stage:
        verdict = ecs.end_pause(
            account, service, pause, Action.CONTINUE, settings.wait_timeout, stage, skip_bake=settings.skip_bake
        )
        if verdict.outcome is not Outcome.DEPLOYED:
            raise _not_deployed(release, service, verdict, stage)
        if service.desired:
            deployed.address(run, account, service, stage)
    return verdict


def _traffic(settings: ServiceSettings, service: Service, verdict: Verdict) -> facts.Traffic:
    bake = settings.bake_minutes if service.shifts else 0
    strategy = service.strategy.lower().replace("_", "-")
    return facts.Traffic(strategy, bake, verdict.is_baking and settings.skip_bake)


def _scale(release: Release, service: Service) -> None:
    run, account, settings = release.run, release.account, release.settings.service
    if not (settings.max_count or service.scaled):
        return
    with run.recorder.stage("scaling") as stage:
        before = len(account.changes)
        ecs.ensure_scaling(account, settings, service, stage)
        if not account.has_changed(since=before):
            stage.unchanged("It is as asked for.")


def _ask(release: Release, progress: Progress) -> Release:
    _, service = _ensure(release, progress)
    settings = release.settings.service
    own_queues.tell(release.prepared, service, settings, progress)
    ecs.ensure_scaling(release.account, settings, service, progress)
    return release


def define(release: Release, progress: Progress) -> TaskDefinition:
    """Make the image's task definition."""
    settings, foundations, prepared = release.settings.service, _foundations(release), release.prepared
    container = ground.container_of(release.account, settings, release.uri, prepared.platform, foundations)
    container = container.with_queue(settings.queue_url).with_volume(foundations.volume)
    # Only our server has a command that asks for its health.
    container = container.with_access(settings) if prepared.made_here else replace(container, health_command=())
    return ecs.ensure_task_definition(release.account, release.names.task_definition, container, progress)


def _ensure(release: Release, progress: Progress) -> tuple[TaskDefinition, Service]:
    definition, settings = define(release, progress), release.settings.service
    service = ecs.ensure_service(
        release.account,
        settings,
        release.names.service,
        definition,
        _foundations(release),
        progress,
        smoke_seconds=release.settings.smoke.seconds,
    )
    return definition, service


def _foundations(release: Release) -> Foundations:
    assert isinstance(release.runtime, Foundations)  # noqa: S101 - else no service is wanted
    return release.runtime


def _with(release: Release, service: Service) -> Release:
    return replace(release, changed=release.changed or service.changed)


@contextmanager
def _cancelled(on_cancel: str, account: Aws, service: Service, stage: StageProgress) -> Iterator[None]:
    try:
        yield
    except ModelDockerizeError:
        raise
    except BaseException:
        if service.changed or service.proving:
            ecs.leave_or_put_back(account, service, on_cancel, stage)
        raise


def _not_deployed(release: Release, service: Service, verdict: Verdict, stage: StageProgress) -> ModelDockerizeError:
    """Put right what would stay wrong; return the error."""
    rollout, reason = f"The rollout of {_short(service.task_definition_arn)}", verdict.reason
    runs = f"The service runs {_short(verdict.running_task_definition_arn)}."
    if verdict.outcome is Outcome.SUPERSEDED:
        remedy = "Nothing to do if the newer deployment was meant; its own run tells how it ends."
        return SupersededError(f"{rollout} was superseded: {reason} {runs}", remedy)
    if verdict.outcome is Outcome.PAUSED:
        remedy = "Continue or roll back the deployment (ecs:ContinueServiceDeployment, or the console), then run again."
        return PausedError(f"{rollout} is paused: {reason} {runs}", remedy)
    outcome: Outcome = verdict.outcome
    after = runs
    if verdict.outcome is Outcome.FAILED and verdict.stuck:
        outcome, after = _put_right(release, service, verdict, stage)
    remedy = unexpected.remedy((verdict.meaning,), release.settings) or verdict.remedy
    if memory.was_killed(verdict.details()):
        remedy = memory.remedy(release.settings.service)
    return RolloutError(f"{rollout} failed: {verdict.meaning}{reason} {after}", remedy, verdict.details(), outcome)


def _put_right(release: Release, service: Service, verdict: Verdict, stage: StageProgress) -> tuple[Outcome, str]:
    account, former = release.account, service.previous_task_definition_arn
    if former is None:
        if verdict.running_task_definition_arn is None:
            return Outcome.FAILED, ecs.settle_failed_first_deployment(account, service, stage)
        return Outcome.FAILED, f"The service runs {_short(verdict.running_task_definition_arn)}."
    back = ecs.rollback(account, service, former, release.settings.service.wait_timeout, stage)
    if back and back.outcome is Outcome.DEPLOYED:
        ecs.mark_proved(account, service)
        return Outcome.ROLLED_BACK, f"The service was put back to {_short(former)}."
    why = back.reason if back else "nothing runs."
    return Outcome.FAILED, f"Putting it back to {_short(former)} did not work: {why}"


def _put_back(
    release: Release, service: Service, evidence: tuple[str, ...], verdict: Verdict, stage: StageProgress
) -> DeployedSmokeError:
    run, account, former = release.run, release.account, service.previous_task_definition_arn
    outcome = Outcome.FAILED
    if verdict.pause:
        outcome, after = _taken_back(release, service, verdict.pause, stage)
    elif not service.proving or former == service.task_definition_arn:
        after = "It did when it was deployed, so the service is left as it is."
    else:
        back = ecs.rollback(account, service, former, run.settings.service.wait_timeout, stage)
        if back and back.outcome is not Outcome.DEPLOYED:
            after = f"Putting it back to {_short(former)} {back.outcome}: {back.reason}"
        else:
            after = f"The service was put back to {_short(former)}." if former else "It was the first: no task is left."
            outcome = Outcome.SMOKE_FAILED_ROLLED_BACK if former else outcome
            _tell_back(release, service, former, stage)
    if memory.was_killed(evidence):
        remedy = f"{memory.remedy(run.settings.service)} Its last lines: model-dockerize logs"
    elif run.settings.smoke.of_image:
        remedy = "Where the same image passed on this computer, what differs is the environment of the service."
    else:
        before = f"{run.settings.smoke.left_out}: the image was not tested before, so the program itself may be wrong."
        remedy = f"{before} {unexpected.remedy(evidence, run.settings)}".rstrip()
    return DeployedSmokeError(f"The deployed model does not answer as it must. {after}", remedy, evidence, outcome)


def _taken_back(release: Release, service: Service, pause: Pause, stage: StageProgress) -> tuple[Outcome, str]:
    account, timeout = release.account, release.settings.service.wait_timeout
    try:
        back = ecs.end_pause(account, service, pause, Action.ROLLBACK, timeout, stage)
    except (PausedError, TimedOutError) as error:
        return Outcome.FAILED, f"No user has met it, and taking it back is not over: {error}"
    if back.outcome is Outcome.SUPERSEDED:
        # What it answered tells nothing: the newer deployment took the test port, too.
        raise _not_deployed(release, service, back, stage)
    former, proved = back.running_task_definition_arn, service.previous_task_definition_arn
    if back.outcome is Outcome.ROLLED_BACK and (former or proved):
        _tell_back(release, service, former, stage)
        unproved = ", which has not proved itself" if former != proved else ""
        return Outcome.SMOKE_FAILED_ROLLED_BACK, f"No user has met it: the service runs {_short(former)}{unproved}."
    if back.outcome in (Outcome.FAILED, Outcome.ROLLED_BACK) and proved is None:
        ecs.settle_failed_first_deployment(account, service, stage)
        _tell_back(release, service, None, stage)
        return Outcome.FAILED, "It was the first, and no user has met it: no task is left."
    return Outcome.FAILED, f"Taking it back ended as {back.outcome}: {back.reason} It runs {_short(former)}."


def _tell_back(release: Release, service: Service, former: str | None, stage: StageProgress) -> None:
    stage.found(facts.NoAddress())
    if former:
        if former == service.previous_task_definition_arn:
            ecs.mark_proved(release.account, service)
        deployed.address(release.run, release.account, replace(service, task_definition_arn=former), stage)
        stage.found(facts.Rolled(service.arn, former))


def _short(arn: str | None) -> str:
    return short_arn(arn) if arn else "nothing"


SERVICE = Stage("service", _is_wanted, deploy, _ask)
