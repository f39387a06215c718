"""The second half: from the image to ECR, AWS Batch and an ECS service that has proved itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from model_dockerize import aws, image
from model_dockerize.errors import (
    DeployedSmokeError,
    ModelDockerizeError,
    PausedError,
    PushError,
    RolloutError,
    SupersededError,
)
from model_dockerize.pipeline import access, batch, deployed, make
from model_dockerize.pipeline.aside import Aside, LeftError
from model_dockerize.pipeline.context import FromFolder, Prepared, Run
from model_dockerize.progress import Progress
from model_dockerize.report import StageProgress
from model_dockerize.settings import ServiceSettings


def ground(
    run: Run, prepared: Prepared, engine: image.Engine, account: aws.Aws
) -> tuple[aws.PushedImage, bool, aws.Runtime | None]:
    """The image in ECR, whether that changed anything, and what the service and the job stand on, made meanwhile.

    What no input says of the service is from here on as it is. A build that fails waits for nothing.
    """
    # What a service stands on needs nothing of the image.
    underway = Aside(lambda pause: foundations(run, prepared, account, pause))
    try:
        pushed, changed = push(run, prepared, engine, account, underway)
        made, is_new = underway.result()
    except BaseException:
        underway.leave()
        raise
    if isinstance(made, aws.Foundations):
        run.settings = replace(run.settings, service=made.settings)
    return pushed, changed or is_new, made


def push(
    run: Run, prepared: Prepared, engine: image.Engine, account: aws.Aws, underway: Aside[Any]
) -> tuple[aws.PushedImage, bool]:
    """The image in ECR: found there by its build id, or built, proved and pushed. Whether that changed anything.

    Nothing is pushed where the foundations, which are `underway`, have failed while the image was built.
    """
    model, registry = prepared.program, run.settings.registry
    name, version = registry.repository or model.name, registry.version or model.version
    tags = (version, aws.build_tag(prepared.build_id))
    found = aws.find_build(account, name, prepared.build_id)
    if found and not run.settings.image.archive:
        for skipped in ("build" if isinstance(prepared, FromFolder) else "load", "smoke-local"):
            with run.recorder.stage(skipped) as stage:
                stage.unchanged("The registry holds this build already.")
    else:
        if not found:
            aws.check_tag(account, name, version)
        cache = make.cache(run, prepared, engine, pushes=True)
        built = _build(run, prepared, engine, account, name, cache)
        underway.check()
    with run.recorder.stage("push") as stage:
        if found:
            digest = found.digest
            if not aws.tag_image(account, name, digest, tags):
                stage.unchanged(f"{name}:{version} is this build already.")
        else:
            repository = aws.ensure_repository(account, name, stage)
            # Before the push: ECR scans what is pushed while scanning is on.
            aws.ensure_rules(account, name, registry, stage)
            login = partial(_login, account)
            # By its id: what was proved is pushed, whatever bears its name by now.
            digest = image.push(engine, built.id, f"{repository.uri}:{tags[1]}", login, stage)
            aws.tag_image(account, name, digest, tags)
            if cache.kind == "inline":
                _keep(account, name, digest, stage)
        pushed = aws.verify(account, name, digest, tags)
        stage.info(pushed.uri)
        if found:
            aws.ensure_rules(account, name, registry, stage)
        changed = stage.status != "unchanged"
    run.learn(image_uri=pushed.uri, digest=pushed.digest)
    if registry.scan_gate:
        with run.recorder.stage("scan") as stage:
            aws.check_findings(account, name, pushed.digest, registry.scan_gate, stage)
    return pushed, changed


def take_turn(run: Run, prepared: Prepared, account: aws.Aws) -> None:
    """End here, before anything is built or changed, for what cannot be rolled, is not ours, or is a newer run's."""
    settings = run.settings.service
    if settings.deploy_service:
        name = prepared.program.name
        aws.check_service(account, settings, settings.service or name, settings.task_definition or name)
    if wants_jobs(run, prepared):
        aws.check_job_definition(account, run.settings.batch.definition(prepared.program.name), settings.adopt)


def _build(
    run: Run, prepared: Prepared, engine: image.Engine, account: aws.Aws, name: str, cache: image.Cache
) -> image.Image:
    """The image, built with the cache that the repository keeps, where that is the one."""
    if cache.kind not in ("registry", "inline"):
        return make.build(run, prepared, engine, cache)
    with run.recorder.stage("cache") as stage:
        repository = aws.ensure_repository(account, name, stage)
        auth = _login(account)
    with image.signed_in(engine, auth) as builder:
        return make.build(run, prepared, builder, cache, repository.uri)


def _login(account: aws.Aws) -> image.RegistryAuth:
    login = aws.login(account)
    return image.RegistryAuth(login.username, login.password, login.registry, login.expires_at)


def _keep(account: aws.Aws, name: str, digest: str, stage: StageProgress) -> None:
    """An image that holds its own cache is found by the next build under a tag that moves."""
    try:
        aws.tag_image(account, name, digest, (image.CACHE_TAG,))
    except PushError as error:
        stage.warning(f"The next build will not find this one's cache: {error}")


def foundations(
    run: Run, prepared: Prepared, account: aws.Aws, pause: Callable[[float], None] = time.sleep
) -> tuple[aws.Runtime | None, bool]:
    """Stage `foundations`: what the service and the job stand on, and whether that changed anything."""
    settings = run.settings
    if not (settings.service.deploy_service or settings.batch.create_job_def):
        return None, False
    with run.recorder.stage("foundations") as stage:
        own = account.apart()  # the push beside us makes changes of its own
        try:
            made = stand(run, prepared, own, stage, aws.Pace(sleep=pause))
        except LeftError:
            stage.info("The run ends. CloudFormation goes on by itself; the next run finds what it makes.")
            raise
        except ModelDockerizeError as error:
            stage.warning(f"{error} This ends the run, when the build beside it is over.")
            raise
        finally:
            account.changes.extend(own.changes)
        is_new = any(change.action != "leave" for change in own.changes)
        if not is_new:
            stage.unchanged("All of it is there.")
        return made, is_new


def stand(
    run: Run, prepared: Prepared, account: aws.Aws, progress: Progress, pace: aws.Pace | None = None
) -> aws.Runtime:
    """What the service stands on, else what a job alone does."""
    settings = run.settings
    if not settings.service.deploy_service:
        return batch.ensure_runtime(run, account, prepared.program.name, progress, pace)
    model = aws.Model(settings.service.service or prepared.program.name, repository_of(run, prepared))
    made = aws.ensure_foundations(account, settings.service, model, progress, pace)
    access.warn_of_the_internet(made.settings, progress)
    return made


def repository_of(run: Run, prepared: Prepared) -> str:
    """The repository of the model's image."""
    return run.settings.registry.repository or prepared.program.name


def job_definition(
    run: Run, prepared: Prepared, account: aws.Aws, pushed: aws.PushedImage | None, runtime: aws.Runtime
) -> bool:
    """Stage `batch`: the job definition of the pushed image, else of the one that is named, and what sends its jobs."""
    with run.recorder.stage("batch") as stage:
        uri = batch.image_of(run, account, pushed, stage)
        made, changed = batch.ensure_jobs(run, account, prepared.program.name, uri, prepared.platform, runtime, stage)
        if not changed:
            stage.unchanged(f"Revision {made.revision} is this build already.")
    run.learn(job_definition_arn=made.arn, job_definition_revision=made.revision)
    return changed


def wants_jobs(run: Run, prepared: Prepared) -> bool:
    """Whether there is to be a Batch job definition: somebody else's image has no command but BatchConfig.yml's."""
    batch = run.settings.batch
    written = batch.file.job_definition if batch.file else None
    return batch.create_job_def and (prepared.made_here or bool(written and written.command))


def serving(run: Run, prepared: Prepared, account: aws.Aws, uri: str, ground: aws.Foundations) -> aws.Container:
    """The container of the service's tasks. Only our server has a command that asks for its health."""
    settings = run.settings.service
    container = aws.container_of(account, settings, uri, prepared.platform, ground)
    container = container.with_queue(settings.queue_url).with_volume(ground.volume)
    return container.with_access(settings) if prepared.made_here else replace(container, health_command=())


def service(
    run: Run, prepared: Prepared, account: aws.Aws, pushed: aws.PushedImage, foundations: aws.Foundations
) -> bool:
    """Stages `deploy`, `smoke-deployed` and `scaling`: the service runs this build, and it answers. Whether it changed.

    Without `wait` it is only told to.
    """
    settings, model = run.settings.service, prepared.program
    with run.recorder.stage("deploy") as stage:
        family = settings.task_definition or model.name
        take_turn(run, prepared, account)  # the build may have taken long
        container = serving(run, prepared, account, pushed.uri, foundations)
        definition = aws.ensure_task_definition(account, family, container, stage)
        service = aws.ensure_service(account, settings, settings.service or model.name, definition, foundations, stage)
        run.learn(service_arn=service.arn, task_definition_arn=definition.arn)
        if not settings.wait:
            stage.info("wait is false: ECS goes on by itself, and this run does not know how it ends.")
            aws.ensure_scaling(account, settings, service, stage)
            return service.changed
        with _cancelled(settings.on_cancel, account, service, stage):
            verdict = aws.follow(account, service, settings.wait_timeout, stage)
        if verdict.outcome != "deployed":
            raise _not_deployed(run, account, service, verdict, stage)
        if not service.changed:
            stage.unchanged(f"The service runs {definition.short} already.")
        if service.desired == 0:
            stage.info("No task is wanted (desired-count is 0), so there is nothing to test.")
            aws.mark_proved(account, service)
            aws.ensure_scaling(account, settings, service, stage)
            return service.changed
        where = deployed.address(run, account, service, stage)
    with run.recorder.stage("smoke-deployed") as stage:
        if run.settings.smoke.of_service:
            if service.changed or service.proving:
                failed_checks = deployed.smoke_deployed(run, prepared, account, service, where, stage)
            else:
                failed_checks = deployed.smoke_again(run, prepared, where, stage)
            if failed_checks:
                raise _put_back(run, account, service, failed_checks, stage)
        else:
            stage.skipped(f"{run.settings.smoke.left_out}: nobody has seen the service answer.")
            run.learn(untested=(*run.report.untested, "service"))
        aws.mark_proved(account, service)
    if settings.max_count or service.scaled:
        with run.recorder.stage("scaling") as stage:
            before = len(account.changes)
            aws.ensure_scaling(account, settings, service, stage)
            if all(change.action == "leave" for change in account.changes[before:]):
                stage.unchanged("It is as asked for.")
    return service.changed


def outcome(settings: ServiceSettings, changed: bool) -> str:
    """How a run that nothing stopped has ended. Without `wait`, whether it changed anything or not, nobody knows."""
    if settings.deploy_service and not settings.wait:
        return "started"
    if not changed:
        return "unchanged"
    return "deployed" if settings.deploy_service else "pushed"


@contextmanager
def _cancelled(on_cancel: str, account: aws.Aws, service: aws.Service, stage: StageProgress) -> Iterator[None]:
    """Ctrl-C or SIGTERM while this run's rollout is under way: told what goes on without us, or put back."""
    try:
        yield
    except ModelDockerizeError:
        raise
    except BaseException:
        if service.changed:
            aws.leave_or_put_back(account, service, on_cancel, stage)
        raise


def _not_deployed(
    run: Run, account: aws.Aws, service: aws.Service, verdict: aws.Verdict, stage: StageProgress
) -> ModelDockerizeError:
    """The error of this outcome, after putting right what would stay wrong; it says what runs now."""
    rollout, reason = f"The rollout of {_short(service.task_definition_arn)}", verdict.reason
    runs = f"The service runs {_short(verdict.running_task_definition_arn)}."
    if verdict.outcome == "superseded":
        remedy = "Nothing to do if the newer deployment was meant; its own run tells how it ends."
        return SupersededError(f"{rollout} was superseded: {reason} {runs}", remedy)
    if verdict.outcome == "paused":
        remedy = "Continue or roll back the deployment (ecs:ContinueServiceDeployment, or the console), then run again."
        return PausedError(f"{rollout} is paused: {reason} {runs}", remedy)
    outcome, after = str(verdict.outcome), runs
    if outcome == "failed" and verdict.stuck:
        outcome, after = _put_right(run, account, service, verdict, stage)
    run.learn(outcome=outcome)
    remedy = "Correct what the stopped task says and run again."
    return RolloutError(f"{rollout} failed: {reason} {after}", remedy, verdict.details())


def _put_right(
    run: Run, account: aws.Aws, service: aws.Service, verdict: aws.Verdict, stage: StageProgress
) -> tuple[str, str]:
    """ECS gave up and leaves it there: back to what ran before, or to no task. The outcome, and what runs now."""
    former = service.previous_task_definition_arn
    if former is None:
        if verdict.running_task_definition_arn is None:
            return "failed", aws.settle_failed_first_deployment(account, service, stage)
        return "failed", f"The service runs {_short(verdict.running_task_definition_arn)}."
    back = aws.rollback(account, service, former, run.settings.service.wait_timeout, stage)
    if back and back.outcome == "deployed":
        return "rolled-back", f"The service was put back to {_short(former)}."
    return "failed", f"Putting it back to {_short(former)} did not work: {back.reason if back else 'nothing runs.'}"


def _put_back(
    run: Run, account: aws.Aws, service: aws.Service, evidence: tuple[str, ...], stage: StageProgress
) -> DeployedSmokeError:
    """The service runs again what proved itself last, or nothing; what has proved itself before is left alone."""
    former = service.previous_task_definition_arn
    if not service.proving or former == service.task_definition_arn:
        after = "It did when it was deployed, so the service is left as it is."
    else:
        verdict = aws.rollback(account, service, former, run.settings.service.wait_timeout, stage)
        if verdict and verdict.outcome != "deployed":
            after = f"Putting it back to {_short(former)} {verdict.outcome}: {verdict.reason}"
        else:
            after = f"The service was put back to {_short(former)}." if former else "It was the first: no task is left."
            run.learn(outcome="smoke-failed-rolled-back")
            if former:
                deployed.address(run, account, replace(service, task_definition_arn=former), stage)
                run.learn(task_definition_arn=former)
    remedy = (
        "Where the same image passed on this computer, what differs is the environment of the service."
        if run.settings.smoke.of_image
        else f"{run.settings.smoke.left_out}: the image was not tested before, so the program itself may be wrong."
    )
    return DeployedSmokeError(f"The deployed model does not answer as it must. {after}", remedy, evidence)


def _short(arn: str | None) -> str:
    """`iris:3` of a task definition's ARN, for a sentence."""
    return aws.short_arn(arn) if arn else "nothing"
