"""Makes the image's Batch job definition."""

from dataclasses import replace

from model_dockerize.aws.batch import JobDefinition
from model_dockerize.pipeline import batch
from model_dockerize.pipeline.release import Release, Stage
from model_dockerize.progress import Progress
from model_dockerize.report import facts


def _is_wanted(release: Release) -> bool:
    jobs = release.settings.batch
    written = jobs.file.job_definition if jobs.file else None
    # Others' images have a command in BatchConfig.yml only.
    has_command = release.prepared.made_here or bool(written and written.command)
    return jobs.create_job_def and has_command and release.runtime is not None


def define(release: Release) -> Release:
    """Run stage `batch`."""
    run = release.run
    with run.recorder.stage("batch") as stage:
        uri = batch.image_of(run, release.account, release.uri, stage)
        made, changed = _ensure(replace(release, uri=uri), stage)
        if not changed:
            stage.unchanged(f"Revision {made.revision} is this build already.")
        stage.found(facts.Jobs(made.arn, made.revision))
    return replace(release, changed=release.changed or changed)


def _ask(release: Release, progress: Progress) -> Release:
    _ensure(release, progress)
    return release


def _ensure(release: Release, progress: Progress) -> tuple[JobDefinition, bool]:
    assert release.runtime  # noqa: S101 - else it is not wanted
    prepared = release.prepared
    return batch.ensure_jobs(
        release.run, release.account, prepared.program.name, release.uri, prepared.platform, release.runtime, progress
    )


JOBS = Stage("batch", _is_wanted, define, _ask)
