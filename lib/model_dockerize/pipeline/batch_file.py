"""Makes what a BatchConfig.yml describes."""

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from model_dockerize.aws import ecr, ground
from model_dockerize.aws.batch import (
    ComputeEnvironment,
    JobDefinition,
    JobQueue,
    as_defined,
    check_job_definition,
    ensure_compute_environment,
    existing_environment,
    feed,
)
from model_dockerize.aws.batch.one_job import submit_one
from model_dockerize.aws.client import Aws, rehearse
from model_dockerize.aws.function import ensure_function
from model_dockerize.aws.ground import Model, Names
from model_dockerize.errors import InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import batch
from model_dockerize.pipeline.account import connect, start_sandbox, tell_of_other_region
from model_dockerize.pipeline.context import Run, tell_plan
from model_dockerize.progress import Progress, WarningsOnly
from model_dockerize.report.facts import Headline, Jobs
from model_dockerize.settings import (
    FOR_ENVIRONMENT,
    BatchFile,
    BatchSettings,
    ComputeEnvironmentConfig,
    JobDefinitionConfig,
    JobQueueConfig,
    ServiceSettings,
    read_batch_file,
)

#: Of what is made without the file saying more.
_PRIORITY, _VCPUS = 100, 128


def update(run: Run, file: BatchFile) -> Outcome:
    """Make what each section describes; `job` sends a job."""
    run.settings = replace(run.settings, batch=replace(run.settings.batch, file=file))
    run.recorder.found(Headline(str(file.path)))
    start_sandbox(run)
    with run.recorder.stage("check") as stage:
        account = connect(run, stage)
        tell_of_other_region(file, account, stage)
        if file.job_definition:
            check_job_definition(account, file.job_definition.name, run.settings.service.adopt)
    if run.settings.run.dry_run:
        return _plan(run, file, account)
    made = _ensure(run, account, file, run.recorder.stage)
    if made:
        run.recorder.found(Jobs(made.arn, made.revision))
    if file.job:
        with run.recorder.stage("job") as stage:
            submit_one(account, file.job, stage)
            stage.found(Headline(f"job {file.job.name} of {file.path}"))
        return Outcome.SUBMITTED
    return Outcome.UPDATED if account.has_changed() else Outcome.UNCHANGED


def _ensure(
    run: Run, account: Aws, file: BatchFile, section: Callable[[str], AbstractContextManager[Progress]]
) -> JobDefinition | None:
    renamed, made = False, None
    if file.compute_environment or file.job_queue:
        with section("environment") as progress:
            renamed = ensure_places(run, account, file, progress)
    if file.job_definition:
        with section("batch") as progress:
            made = ensure_definition(run, account, file.job_definition, progress)
            renamed |= not made.existed
    with section("function") as progress:
        _lead_function(run, account, file, renamed, progress)
    return made


def ensure_places(run: Run, account: Aws, file: BatchFile, progress: Progress) -> bool:
    """Make compute environment and queue; tell whether any changed."""
    changed, made = False, None
    if file.compute_environment:
        made = ensure_environment(run, account, file.compute_environment, progress)
        changed |= made.changed
    if file.job_queue:
        changed |= ensure_queue(account, file.job_queue, made, progress).changed
    return changed


def ensure_environment(
    run: Run, account: Aws, written: ComputeEnvironmentConfig, progress: Progress
) -> ComputeEnvironment:
    """Make section comp_env, of EC2 instances."""
    service, settings = _as_inputs(run, written)
    network = ground.ensure_job_network(account, service, progress)
    return ensure_compute_environment(account, settings, network, batch.ANY_PLATFORM, progress)


def ensure_queue(
    account: Aws, written: JobQueueConfig, environment: ComputeEnvironment | None, progress: Progress
) -> JobQueue:
    """Make section job_queue; an environment of another name must exist."""
    if environment is None or environment.name != written.compute_environment:
        environment = existing_environment(account, written.compute_environment)
    # The file names the environment; of a queue that is there, a priority that it does not say stays.
    said = frozenset(("compute_environment", *(("queue_priority",) if written.priority is not None else ())))
    priority = _PRIORITY if written.priority is None else written.priority
    return feed(account, written.name, environment.arn, priority, progress, given=said)


def ensure_definition(run: Run, account: Aws, written: JobDefinitionConfig, progress: Progress) -> JobDefinition:
    """Make section job_def."""
    uri = ecr.pinned(account, written.image, progress)
    model = Model(written.name, ecr.repository_of(written.image) or written.name)
    _, service = as_defined(account, written.name, run.settings.batch, run.settings.service)
    runtime = ground.ensure_runtime(account, service, model, progress, role_of_instance=True)
    # Whose image it is nobody knows here: without a command it does what it does by itself.
    written = replace(written, command=written.command or ())
    return batch.ensure_written(run, account, written, uri, runtime, progress)


def _as_inputs(run: Run, written: ComputeEnvironmentConfig) -> tuple[ServiceSettings, BatchSettings]:
    service = replace(run.settings.service, vpc="", subnets=written.subnets, security_groups=written.security_group_ids)
    said = {
        "max_vcpus": written.max_vcpus,
        "instance_role": written.instance_role,
        "service_role": written.service_role,
    }
    settings = replace(
        run.settings.batch,
        given=frozenset(("compute_type", "subnets", *(name for name, value in said.items() if value))),
        compute_environment=written.name,
        compute_type="EC2",
        instance_types=(),
        max_vcpus=written.max_vcpus or _VCPUS,
        instance_role=written.instance_role,
        service_role=written.service_role,
    )
    return service, settings


def _lead_function(run: Run, account: Aws, file: BatchFile, renamed: bool, stage: Progress) -> None:
    settings = run.settings.batch
    queue = file.job_queue.name if file.job_queue else settings.job_queue
    definition = file.job_definition.name if file.job_definition else file.job.definition if file.job else ""
    if settings.update_function:
        output, source = settings.function_output, settings.function_source
        ensure_function(account, settings.update_function, queue, definition, stage, output=output, source=source)
    elif renamed and queue and (file.job_queue or file.job_definition):
        known = " ".join(
            f"{name}={value}"
            for name, value in (("JOB_QUEUE_NAME", queue), ("JOB_DEFINITION_NAME", definition))
            if value
        )
        files = [str(file.path), *([str(path)] if (path := run.settings.aws.aws_config_file) else [])]
        stage.info(
            f"A function that sends jobs must have {known} among its environment variables. To set them: "
            f"model-dockerize batch {shlex.join(files)} --update-function NAME"
        )


def _plan(run: Run, file: BatchFile, account: Aws) -> Outcome:
    rehearsal = rehearse(account)
    with run.recorder.stage("plan") as stage:
        _ensure(run, rehearsal.aws, file, lambda _: nullcontext(WarningsOnly(stage)))
        job = (f"+ job {file.job.name} in {file.job.queue}",) if file.job else ()
        tell_plan((*map(str, rehearsal.changes), *job), stage)
    return Outcome.PLANNED


def names_of(run: Run, file: BatchFile) -> Names:
    """Return the names of the job definition."""
    if file.job_definition is None:
        raise InputError(
            f"{file.path} describes no job definition (job_def), and what was made for one is found by its name.",
            "Name the file that describes it, or the model's folder.",
        )
    return Names.of_jobs(file.job_definition.name, run.settings.service.cluster, run.settings.batch.update_function)


def read(run: Run) -> BatchFile:
    """Read the file of `batch-config-file`."""
    path = run.settings.batch.batch_config_file
    if path is None:
        raise InputError("No BatchConfig.yml is named.", "Name it: model-dockerize batch BatchConfig.yml AwsConfig.ini")
    return _named(read_batch_file(path, FOR_ENVIRONMENT), run.settings.batch.job_definition_name)


def _named(file: BatchFile, name: str) -> BatchFile:
    if not name:
        return file
    definition, job = file.job_definition, file.job
    if job and (definition is None or job.definition == definition.name):
        job = replace(job, definition=name)
    return replace(file, job_definition=definition and replace(definition, name=name), job=job)
