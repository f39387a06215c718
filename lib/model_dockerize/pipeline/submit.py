"""Jobs on AWS Batch, from the command line: sent, followed, judged."""

from model_dockerize import aws
from model_dockerize.errors import BatchError
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.progress import Progress

#: The queue of people who named none.
QUEUE = "model-dockerize"


def submit(run: Run, prepared: Prepared, account: aws.Aws, inputs: tuple[str, ...], output: str) -> None:
    """Stages `submit` and `jobs`: one job an input. Red unless every job succeeded."""
    settings, model = run.settings, prepared.program.name
    queue = settings.batch.job_queue or QUEUE
    with run.recorder.stage("submit") as stage:
        definition = aws.latest_job_definition(account, settings.batch.definition(model))
        network = aws.ensure_network(account, settings.service, stage)
        aws.ensure_queue(account, settings.batch, queue, network, stage)
        jobs = tuple(
            aws.submit(account, queue, definition.arn, model, {"input": path, "output": _place(output, path)}, stage)
            for path in inputs
        )
    run.learn(job_definition_arn=definition.arn, job_definition_revision=definition.revision)
    with run.recorder.stage("jobs") as stage:
        ended = tuple(_told(account, model, job, stage) for job in aws.follow_jobs(account, queue, jobs, stage))
        failed = [job for job in ended if job.status != "SUCCEEDED"]
        if failed:
            raise BatchError(
                f"{len(failed)} of {len(jobs)} jobs failed.",
                "Their logs are above. Correct the input or the program, then submit those again.",
                tuple(f"{job.input}: {job.reason or 'no reason given'}{_code(job)} (job {job.id})" for job in failed),
            )
        stage.info(f"{len(jobs)} of {len(jobs)} jobs succeeded.")
    run.learn(outcome="succeeded")


def _told(account: aws.Aws, model: str, job: aws.Job, stage: Progress) -> aws.Job:
    for line in aws.log_of(account, aws.log_group_name(model), job):
        stage.output(f"{job.input}: {line}")
    return job


def _place(output: str, path: str) -> str:
    """`{name}` in the output stands for the input's file name without its suffix."""
    return output.replace("{name}", path.rsplit("/", 1)[-1].rsplit(".", 1)[0])


def _code(job: aws.Job) -> str:
    return "" if job.exit_code is None else f", exit code {job.exit_code}"
