"""Looks at a service and rolls it back."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from model_dockerize.aws import ecr, ecs, ground
from model_dockerize.aws.client import TAG, Aws, short_arn
from model_dockerize.aws.ecs import Action, Pause, Verdict, endpoint, history
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.aws.ecs.history import Revision, Running
from model_dockerize.aws.ecs.service_log import follow_log, log_lines
from model_dockerize.aws.model import Service
from model_dockerize.errors import DeployedSmokeError, InputError, ModelDockerizeError, RolloutError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed
from model_dockerize.pipeline.access import how_long
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.pipeline.release import names_of
from model_dockerize.report import StageProgress, facts
from model_dockerize.report.listing import ANSWERS, PROVED, RevisionRow, moment
from model_dockerize.settings import to_settings

NOT_COMPARED = (
    "It answers. What it must answer is not known here; where its image has that, each task compared it (self-proof)."
)
LOOK = "Look at what it says: model-dockerize logs; go back: model-dockerize rollback."


def status(run: Run, account: Aws, prepared: Prepared) -> Outcome:
    """Run stage `status`."""
    with run.recorder.stage("status") as stage:
        now = _running(run, account, prepared)
        _tell(account, now, stage)
        stage.info(f"task definition {short_arn(now.service.task_definition_arn)}, rollout {now.state.lower()}")
        for name, value in sorted(now.tags.items()):
            if name.startswith(f"{TAG}:"):
                stage.info(f"{name.removeprefix(f'{TAG}:')} {value}")
        if now.running and not run.settings.smoke.smoke_url:
            url = endpoint.address_of(account, now.service, stage).url
            lasts = "" if now.service.target_groups else how_long(run.settings.service)
            stage.found(facts.Address(url, _who(run, account, now), lasts))
        back = history.previous(account, now)
        stage.found(facts.Revisions(tuple(_row(account, each, now, back) for each in history.revisions(account, now))))
        since = f" since {moment(now.since)}" if now.since else ""
        tasks = f"{now.running} of {now.desired} tasks{since}"
        who = "".join(
            f", {word} {now.tags[f'{TAG}:{word}']}" for word in ("commit", "run") if f"{TAG}:{word}" in now.tags
        )
        stage.found(facts.Headline(f"{short_arn(now.service.task_definition_arn)}, {tasks}{who}"))
    return Outcome.RUNNING if now.running else Outcome.STOPPED


def _who(run: Run, account: Aws, now: Running) -> str:
    # Of what is deployed, whatever the folder says by now; empty where that may not be looked at.
    plain = replace(to_settings([]).service, cluster=run.settings.service.cluster)
    with suppress(ModelDockerizeError):
        return deployed.who(run, ground.as_deployed(account, plain, now.service.name))
    return ""


def _row(account: Aws, revision: Revision, now: Running, back: str | None) -> RevisionRow:
    current = revision.arn == now.service.task_definition_arn
    state = revision.state or (now.state.lower() if current else "")
    if current and now.state == "COMPLETED":
        state = PROVED if now.is_sampled else ANSWERS if now.is_proved else "not proved"
    elif not current and history.is_sampled(now, revision.arn):
        state = PROVED
    version, build = ecr.version_and_build(account, revision.image)
    return RevisionRow(
        revision=revision.number,
        version=version,
        build=build,
        since=revision.since,
        state=state or "not known",
        running=revision.running,
        current=current,
        rollback=revision.arn == back,
    )


def logs(run: Run, account: Aws, prepared: Prepared, lines: int, follow: bool, show: Callable[[str], None]) -> Outcome:
    """Give `show` the log's lines."""
    service = _running(run, account, prepared).service
    read = follow_log if follow else log_lines
    for line in read(account, service, lines):
        show(line)
    run.recorder.found(facts.Headline(f"the log of service {service.name}"))
    return Outcome.READ


def smoke(run: Run, account: Aws, prepared: Prepared) -> Outcome:
    """Run stage `smoke-deployed`."""
    now = _running(run, account, prepared)
    with run.recorder.stage("smoke-deployed") as stage:
        _tell(account, now, stage)
        address = deployed.address(run, account, now.service, stage)
        if failed := deployed.smoke_deployed(run, prepared, account, now.service, address, stage):
            raise DeployedSmokeError(f"The model at {address.url} does not answer as it must.", LOOK, failed)
    return Outcome.ANSWERS


def rollback(run: Run, account: Aws, prepared: Prepared, to: str) -> Outcome:
    """Run stages `rollback`, `smoke-deployed` and `shift`.

    While both versions run, the traffic goes back at once. Else, where ECS moves it, the former is tested first.

    Args:
        to: a revision (`3`); empty: the last verified one.
    """
    with run.recorder.stage("rollback") as stage:
        now = _running(run, account, prepared)
        # Asked before, because going back makes a deployment of its own.
        ran = {each.arn: each for each in history.revisions(account, now)}
        if run.settings.run.dry_run:
            stage.found(facts.Planned((_would_go_back(account, now, to, ran),)))
            stage.found(facts.Headline(now.service.name))
            return Outcome.PLANNED
        seconds = run.settings.service.wait_timeout
        if to or (verdict := ecs.back_from_bake(account, now.service, seconds, stage)) is None:
            service, verdict = _asked_back(run, account, now, _target(account, now, to), stage)
        else:
            service = now.service
            _check_back(verdict, Outcome.ROLLED_BACK)
        former = _running(run, account, prepared)
        here, there = (_revision(each.service.task_definition_arn) for each in (now, former))
        name = names_of(run.settings, prepared.program.name).service
        run.settings = replace(run.settings, service=ground.as_deployed(account, run.settings.service, name))
        _tell(account, former, stage)
        if history.is_sampled(former, former.service.task_definition_arn):
            stage.found(facts.Sampled())
        when = _deployed(ran.get(former.service.task_definition_arn))
        stage.found(facts.Headline(f"{now.service.name} went back from {here} to {there}{when}"))
        is_tested = former.desired != 0 and run.settings.smoke.of_service
        if is_tested and verdict.pause:
            address = deployed.test_address(account, former.service, stage)
        elif former.desired != 0:
            address = deployed.address(run, account, former.service, stage)
    if is_tested:
        _prove(run, account, prepared, former, address, verdict.pause, here)
    elif former.desired != 0:
        run.recorder.found(facts.Untested("service"))
    if verdict.pause:
        with run.recorder.stage("shift") as stage:
            ended = ecs.end_pause(account, service, verdict.pause, Action.CONTINUE, seconds, stage, skip_bake=True)
            _check_back(ended, Outcome.DEPLOYED)
            if former.desired != 0:
                deployed.address(run, account, former.service, stage)
    ecs.mark_proved(account, former.service, deployed.answered_sample(run))
    return Outcome.DEPLOYED


def _would_go_back(account: Aws, now: Running, to: str, ran: Mapping[str, Revision]) -> str:
    here = _revision(now.service.task_definition_arn)
    if not to and ecs.is_under_way(account, now.service):
        return f"~ service {now.service.name}: from revision {here}, whose rollout is under way, to the one before"
    target = _target(account, now, to)
    here, there = (_revision(arn) for arn in (now.service.task_definition_arn, target))
    of_target = ran[target].image if target in ran else ""
    version, build = ecr.version_and_build(account, of_target)
    what = f" ({of_target}, version {version or 'unknown'}, build {build or 'unknown'})" if of_target else ""
    return f"~ service {now.service.name}: from revision {here} to {there}{what}{_deployed(ran.get(target))}"


def _deployed(revision: Revision | None) -> str:
    return f", deployed {moment(revision.since)}" if revision and revision.since else ""


def _asked_back(run: Run, account: Aws, now: Running, target: str, stage: StageProgress) -> tuple[Service, Verdict]:
    marked = ecs.mark_proving(account, now.service, now.tags, target)
    stage.info(f"service {marked.name}: rolling back {short_arn(marked.task_definition_arn)} -> {short_arn(target)}")
    service = ecs.put_back(account, marked, target)
    verdict = ecs.follow(account, service, run.settings.service.wait_timeout, stage, skip_bake=True)
    is_over = verdict.outcome is not Outcome.DEPLOYED and not verdict.pause
    if is_over and not now.service.proving and verdict.running_task_definition_arn == marked.task_definition_arn:
        ecs.mark_proved(account, marked)  # it is as it was
    if not verdict.pause:
        _check_back(verdict, Outcome.DEPLOYED, short_arn(target))
    return service, verdict


def _check_back(verdict: Verdict, wanted: Outcome, target: str = "the former version") -> None:
    if verdict.outcome is not wanted:
        raise RolloutError(
            f"Going back to {target} ended as {verdict.outcome}: {verdict.reason}",
            "Read why above; model-dockerize status says what runs now.",
            verdict.details(),
        )


def _prove(
    run: Run, account: Aws, prepared: Prepared, former: Running, address: Address, pause: Pause | None, left: str
) -> None:
    # The folder's expected result is that of its present program, which is not what runs now.
    _, build = ecr.version_and_build(account, former.image)
    asked = replace(prepared, expectation=replace(prepared.expectation, build_id=build, sample_expected=None))
    test = deployed.smoke_waiting if pause else deployed.smoke_deployed
    name, seconds = short_arn(former.service.task_definition_arn), run.settings.service.wait_timeout
    with run.recorder.stage("smoke-deployed") as stage:
        failed = test(run, asked, account, former.service, address, stage)
        if not failed:
            stage.info(NOT_COMPARED)
        if failed and pause:
            back = ecs.end_pause(account, former.service, pause, Action.ROLLBACK, seconds, stage)
            raise DeployedSmokeError(
                f"{name} does not answer as a model must, and no user has met it: {back.reason}",
                "Go further back with model-dockerize rollback --to, or deploy a corrected program.",
                failed,
            )
        if failed:
            raise DeployedSmokeError(
                f"The service is back at {name}, but it does not answer as a model must.",
                f"Return with model-dockerize rollback --to {left}, go further back with model-dockerize rollback, or "
                "deploy a corrected program.",
                failed,
            )


def _running(run: Run, account: Aws, prepared: Prepared) -> Running:
    names = names_of(run.settings, prepared.program.name)
    return history.running(account, names.cluster, names.service)


def _target(account: Aws, now: Running, to: str) -> str:
    here = now.service.task_definition_arn
    if to:
        return history.named(account, now, int(to))
    target = history.previous(account, now)
    if target is None:
        raise InputError(
            f"Service {now.service.name} has nothing to go back to: {short_arn(here)} is the first that it ran.",
            "Deploy a corrected program, or name a revision: model-dockerize rollback --to N",
        )
    return target


def _revision(task_definition_arn: str) -> str:
    return task_definition_arn.rpartition(":")[2]


def _tell(account: Aws, now: Running, stage: StageProgress) -> None:
    definition = now.service.task_definition_arn
    stage.found(facts.Rolled(now.service.arn, definition))
    stage.found(facts.Pushed(now.image, now.digest))
    _, build = ecr.version_and_build(account, now.image)
    stage.found(facts.Identity(short_arn(definition), build))
