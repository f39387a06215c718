"""What a run would do in AWS: its stages, with a connection that only asks."""

from dataclasses import replace
from pathlib import Path

from model_dockerize.aws import ecr, ecs
from model_dockerize.aws.client import TO_COME, Aws, rehearse
from model_dockerize.aws.model import Foundations, Runtime
from model_dockerize.pipeline import batch
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.pipeline.ship import serving, stand, wants_jobs
from model_dockerize.progress import Progress, Silent


class _WarningsOnly(Silent):
    """Stages speak as if it had happened: of what they say, only warnings are true before it has."""

    def __init__(self, stage: Progress) -> None:
        self._stage = stage

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self._stage.warning(text, file, line)

    def secret(self, value: str) -> None:
        self._stage.secret(value)


def plan(run: Run, prepared: Prepared, account: Aws) -> None:
    """Stage `plan`: every resource with what would happen to it, in the order of the run."""
    settings, model = run.settings, prepared.program
    rehearsal = rehearse(account)
    only_asking = rehearsal.aws
    with run.recorder.stage("plan") as stage:
        quiet = _WarningsOnly(stage)
        if settings.registry.push_to_ecr:
            image_line, uri = _image(run, prepared, only_asking, quiet)
        else:
            uri = batch.image_of(run, only_asking, None, quiet)
            image_line = f"= image {uri}"
        ground: Runtime | None = None
        if settings.service.deploy_service or settings.batch.create_job_def:
            ground = stand(run, prepared, only_asking, quiet)
        if wants_jobs(run, prepared) and ground:
            batch.ensure_jobs(run, only_asking, model.name, uri, prepared.platform, ground, quiet)
        if isinstance(ground, Foundations):
            run.settings = settings = replace(settings, service=ground.settings)
            family, name = settings.service.task_definition or model.name, settings.service.service or model.name
            served = serving(run, prepared, only_asking, uri, ground)
            definition = ecs.ensure_task_definition(only_asking, family, served, quiet)
            service = ecs.ensure_service(only_asking, settings.service, name, definition, ground, quiet)
            ecs.ensure_scaling(only_asking, settings.service, service, quiet)
        lines = tuple(map(str, rehearsal.changes))
        changes = sum(change.action != "leave" for change in rehearsal.changes)
        stage.info(f"{changes} things would be made or changed.")
        if not changes and image_line.startswith("="):
            stage.unchanged("Everything is as it should be.")
    run.learn(outcome="planned", plan=(image_line, *lines))


def _image(run: Run, prepared: Prepared, account: Aws, quiet: Silent) -> tuple[str, str]:
    """The image's line of the plan, and the address under which definitions would name it."""
    registry, model = run.settings.registry, prepared.program
    name, version = registry.repository or model.name, registry.version or model.version
    found = ecr.find_build(account, name, prepared.build_id)
    if found:
        ecr.ensure_rules(account, name, registry, quiet)
        missing = ecr.tag_image(account, name, found.digest, (version, ecr.build_tag(prepared.build_id)))
        tagged = f"~ image {name} (tag {', '.join(missing)})" if missing else f"= image {name}:{version}"
        return tagged, found.uri
    ecr.check_tag(account, name, version)
    repository = ecr.ensure_repository(account, name, quiet)
    ecr.ensure_rules(account, name, registry, quiet)
    return f"+ image {name}:{version} (build, smoke test, push)", f"{repository.uri}@{TO_COME}"
