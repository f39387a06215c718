"""Runs all stages in their order."""

from collections.abc import Sequence
from dataclasses import replace

from model_dockerize import image
from model_dockerize.aws.client import rehearse
from model_dockerize.errors import InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import account as sign_in
from model_dockerize.pipeline import make
from model_dockerize.pipeline.aside import Aside
from model_dockerize.pipeline.context import Prepared, Run, tell_plan
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.pipeline.stages import FOUNDATIONS, ORDER, PUSHED, STAGES, service
from model_dockerize.progress import WarningsOnly
from model_dockerize.report.facts import Changed, Task
from model_dockerize.settings import Settings


def run(run: Run) -> Outcome:
    """Do all that the settings ask for."""
    if run.settings.run.dry_run:
        return plan(run)
    prepared = make.prepare(run)
    engine, release = check(run, prepared)
    if release is None:
        make.build(run, prepared, engine, make.cache(run, prepared, engine, pushes=False))
        return Outcome.LOADED if run.settings.image.from_archive else Outcome.BUILT
    try:
        is_new = carry_out(release, STAGES).changed
    finally:
        run.recorder.found(Changed(tuple(map(str, release.account.changes))))
    # Rules of the repository and scaling are no new release, and yet a change.
    return outcome(run.settings, is_new or release.account.has_changed())


def plan(run: Run) -> Outcome:
    """Report what `run` would do; change nothing."""
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
    _, release = check(run, prepared)
    if release is None:
        raise InputError("Without push-to-ecr nothing is made in AWS.", "There is nothing to plan: see push-to-ecr.")
    return plan_release(release)


def plan_release(release: Release) -> Outcome:
    """Run stage `plan`."""
    rehearsal = rehearse(release.account)
    with release.run.recorder.stage("plan") as stage:
        asked = replace(release, account=rehearsal.aws)
        for each in STAGES:
            if each.is_wanted(asked):
                asked = each.ask(asked, WarningsOnly(stage))
        tell_plan((asked.image_line, *map(str, rehearsal.changes)), stage)
    return Outcome.PLANNED


def task_definition(run: Run) -> Outcome:
    """Push the image and register its task definition."""
    prepared = make.prepare(run)
    _, release = check(run, prepared)
    if release is None:
        raise InputError("Without push-to-ecr there is no image for a task definition.", "Leave push-to-ecr out.")
    release = carry_out(release, (ORDER, FOUNDATIONS, PUSHED))
    with run.recorder.stage("task-definition") as stage:
        made = service.define(release, stage)
        stage.info(f"{made.short} runs {release.uri}")
        if not made.changed:
            stage.unchanged("It means the same already.")
        stage.found(Task(made.arn))
    return Outcome.REGISTERED if made.changed else Outcome.UNCHANGED


def check(run: Run, prepared: Prepared) -> tuple[image.Engine, Release | None]:
    """Run stage `check`; None: nothing is released."""
    sign_in.start_sandbox(run)
    with run.recorder.stage("check") as stage:
        engine = make.engine_for(run)
        stage.info(f"Docker Engine {engine.version}, buildx {engine.buildx_version}")
        make.check(run, prepared, engine)
        if not (run.settings.registry.push_to_ecr or run.settings.batch.create_job_def):
            return engine, None
        return engine, Release(run, prepared, sign_in.connect(run, stage), engine)


def carry_out(release: Release, stages: Sequence[Stage]) -> Release:
    """Run the wanted stages, an `is_beside` one along with the next."""
    beside: Aside[Release] | None = None
    try:
        for stage in stages:
            if not stage.is_wanted(release):
                continue
            if stage.is_beside:
                beside = _begin(stage, release)
                release = replace(release, check_beside=beside.check)
                continue
            release, beside = _joined(stage.run(release), beside), None
        return _joined(release, beside)
    except BaseException:
        if beside:
            beside.leave()
        raise


def _joined(release: Release, beside: Aside[Release] | None) -> Release:
    made = beside.result() if beside else release
    return release.standing_on(made.runtime, made.changed) if beside and made.runtime else release


def _begin(stage: Stage, release: Release) -> Aside[Release]:
    return Aside(lambda pause: stage.run(replace(release, pause=pause)))


def outcome(settings: Settings, changed: bool) -> Outcome:
    """Return a finished run's outcome."""
    if settings.service.deploy_service and not settings.service.wait:
        return Outcome.STARTED
    if not changed:
        return Outcome.UNCHANGED
    if not settings.registry.push_to_ecr:
        return Outcome.REGISTERED
    return Outcome.DEPLOYED if settings.service.deploy_service else Outcome.PUSHED
