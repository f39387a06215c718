"""Makes a model's Batch job definition."""

from dataclasses import replace

from model_dockerize.aws import batch, ecr, ground
from model_dockerize.aws.batch import JobDefinition, JobQueue
from model_dockerize.aws.client import Aws
from model_dockerize.aws.function import ensure_function
from model_dockerize.aws.ground import Model, Pace
from model_dockerize.aws.model import Runtime
from model_dockerize.pipeline.account import tell_of_other_region
from model_dockerize.pipeline.context import Run
from model_dockerize.progress import Progress
from model_dockerize.settings import JobDefinitionConfig

# What a Batch job of the image runs: one input, one output, through the same runner as the server's jobs.
BATCH_COMMAND = ("run", "Ref::input", "Ref::output")
#: Instances run what fits their own architecture; only Fargate would have to be told.
ANY_PLATFORM = "linux/amd64"


def ensure_jobs(
    run: Run, account: Aws, model: str, image_uri: str, platform: str, runtime: Runtime, progress: Progress
) -> tuple[JobDefinition, bool]:
    """Make definition, queue and function; tell whether any changed."""
    jobs = run.settings.batch
    made = ensure_definition(run, account, model, image_uri, platform, runtime, progress)
    changed = made.changed
    if jobs.job_queue:
        changed |= ensure_queue(run, account, jobs.job_queue, platform, progress).changed
    if jobs.update_function:
        function = ensure_function(
            account,
            jobs.update_function,
            jobs.job_queue,
            made.name,
            progress,
            output=jobs.function_output,
            source=jobs.function_source,
        )
        changed |= function.changed
    return made, changed


def ensure_queue(run: Run, account: Aws, queue: str, platform: str, progress: Progress) -> JobQueue:
    """Make our queue, or return another's."""
    if theirs := batch.others_queue(account, queue, progress):
        return theirs
    network = ground.ensure_job_network(account, run.settings.service, progress)
    return batch.ensure_queue(account, run.settings.batch, queue, network, platform, progress)


def ensure_definition(
    run: Run, account: Aws, model: str, image_uri: str, platform: str, runtime: Runtime, progress: Progress
) -> JobDefinition:
    """Make the job definition of `model`."""
    jobs = run.settings.batch
    if jobs.file and jobs.file.job_definition:
        return ensure_written(run, account, jobs.file.job_definition, image_uri, runtime, progress)
    name, jobs = jobs.definition(model), batch.place_of_jobs(account, jobs)
    jobs, service = batch.as_defined(account, name, jobs, run.settings.service, runtime.roles)
    container = ground.container_of(account, service, image_uri, platform, batch.with_roles(runtime, service))
    return batch.ensure_job_definition(account, jobs, name, container, BATCH_COMMAND, {}, progress)


def ensure_written(
    run: Run,
    account: Aws,
    written: JobDefinitionConfig,
    image_uri: str,
    runtime: Runtime,
    progress: Progress,
) -> JobDefinition:
    """Make section job_def, for EC2 instances."""
    service, jobs = run.settings.service, run.settings.batch
    sized = replace(
        service,
        cpu=written.vcpus * 1024 if written.vcpus else service.cpu,
        memory=written.memory or service.memory,
        environment=tuple({**dict(service.environment), **dict(written.environment)}.items()),
        given=service.given | written.given,
    )
    # Without a role of its own a job has the rights of the instance, on which programs of these files rely.
    stands_on = runtime if service.task_role else replace(runtime, task_role_arn="")
    on_instances = replace(jobs, compute_type="EC2", given=jobs.given | {"compute_type"})
    name = jobs.job_definition_name or written.name
    jobs, sized = batch.as_defined(account, name, on_instances, sized, stands_on.roles)
    container = ground.container_of(account, sized, image_uri, ANY_PLATFORM, batch.with_roles(stands_on, sized))
    command = BATCH_COMMAND if written.command is None else written.command
    return batch.ensure_job_definition(account, jobs, name, container, command, dict(written.parameters), progress)


def ensure_runtime(run: Run, account: Aws, model: str, progress: Progress, pace: Pace | None = None) -> Runtime:
    """Make a job's roles and log group."""
    definition = run.settings.batch.definition(model)
    jobs, service = batch.as_defined(account, definition, run.settings.batch, run.settings.service)
    if jobs.file and (written := jobs.file.job_definition):
        repository = run.settings.registry.repository or model
        if not run.settings.registry.push_to_ecr:
            repository = ecr.repository_of(written.image) or repository
        # The log is named as where the same file is used without a model.
        name = Model(definition, repository)
        return ground.ensure_runtime(account, service, name, progress, pace, role_of_instance=True)
    name = Model(service.service or model, run.settings.registry.repository or model)
    return ground.ensure_runtime(account, service, name, progress, pace)


def secrets_of(run: Run, account: Aws, model: str) -> tuple[str, ...]:
    """Return the secrets that jobs start with: another service of the model may have brought them."""
    jobs = run.settings.batch
    return batch.secrets_of(account, jobs.definition(model), run.settings.service) if jobs.create_job_def else ()


def image_of(run: Run, account: Aws, pushed: str, progress: Progress) -> str:
    """Return the image `pushed` by this run, else job_def's."""
    file = run.settings.batch.file
    named = file.job_definition.image if file and file.job_definition else ""
    if file:
        tell_of_other_region(file, account, progress)
    if not pushed:
        return ecr.pinned(account, named, progress)
    repository = pushed.partition("@")[0]
    if file and named and named != repository and not named.startswith((f"{repository}:", f"{repository}@")):
        progress.warning(f"job_def.image {named} is not used: the definition runs what was just pushed.", file.path)
    return pushed
