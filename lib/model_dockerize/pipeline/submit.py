"""Sends jobs to AWS Batch from the command line, follows and judges them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from model_dockerize.aws.batch import array_jobs, latest_job_definition
from model_dockerize.aws.batch.jobs import Job, end_jobs, follow_to_end, log_of, send_jobs, underway
from model_dockerize.aws.client import Aws
from model_dockerize.errors import BatchError, InputError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import batch
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.progress import Progress
from model_dockerize.report.facts import Jobs

#: The queue of people who named none.
QUEUE = "model-dockerize"
_LOGS = 5  # of how many failures of a list the log is shown: the others fail for the same reason, or for none better
_LISTED = 20


def submit(run: Run, prepared: Prepared, account: Aws, inputs: tuple[str, ...], output: str) -> Outcome:
    """Run stages `submit` and `jobs`: a job for every input, many of them as array jobs. Fail unless all succeeded."""
    settings, model = run.settings, prepared.program.name
    _check(inputs, output)
    queue = settings.batch.job_queue or QUEUE
    sent: list[Job] = []
    over: list[Job] = []
    with _cancelled(run, account, sent):
        with run.recorder.stage("submit") as stage:
            definition = latest_job_definition(account, settings.batch.definition(model))
            batch.ensure_queue(run, account, queue, prepared.platform, stage)
            for job in send_jobs(account, queue, definition.arn, model, inputs, output, stage):
                sent.append(job)  # one by one: what is sent must be known if the next cannot be
            stage.found(Jobs(definition.arn, definition.revision))
        with run.recorder.stage("jobs") as stage:
            group = definition.log_group
            again = partial(send_jobs, account, queue, definition.arn, model, output=output, progress=stage)
            for job in follow_to_end(account, queue, sent, again, stage):
                failures = sum(told.status == "FAILED" for told in over)
                if job.status == "SUCCEEDED" or failures < _LOGS:
                    _show(account, group, job, stage)
                over.append(job)
            failed = [job for job in over if job.status == "FAILED"]
            if failed:
                raise _failure(failed, len(inputs))
            if len(inputs) > 1 and output == "-":
                stage.info(f"What the jobs wrote is in their logs, in {group}.")
            stage.info(f"{len(inputs)} of {len(inputs)} jobs succeeded.")
    return Outcome.SUCCEEDED


def _check(inputs: tuple[str, ...], output: str) -> None:
    """Refuse, before anything is sent, all that is wrong with the list at once.

    Raises:
        InputError: with every problem.
    """
    problems = [
        f"{path[:80]}...: longer than a job can be told" for path in inputs if array_jobs.too_long(path, output)
    ]
    problems += [f"{path!r}: a path of one line" for path in inputs if "\n" in path]
    if output != "-":
        times = Counter(array_jobs.place(output, path) for path in inputs)
        problems += [f"{place}: the output of {n} inputs" for place, n in times.items() if n > 1]
    if problems:
        raise InputError(
            f"{len(problems)} of what should be submitted cannot be.",
            "Every job needs an output of its own: put {name}, the input's file name without suffix, into --output.",
            tuple(problems[:_LISTED]),
        )


def _show(account: Aws, group: str, job: Job, stage: Progress) -> None:
    if job.status == "FAILED":
        stage.warning(_line(job))
    for line in log_of(account, group, job):
        stage.output(f"{job.inputs[0]}: {line}")


def _failure(failed: list[Job], total: int) -> BatchError:
    lines = [_line(job) for job in failed[:_LISTED]]
    more = len(failed) - len(lines)
    logs = "Their logs are above." if len(failed) <= _LOGS else f"The logs of the first {_LOGS} are above."
    return BatchError(
        f"{len(failed)} of {total} jobs failed.",
        f"{logs} Correct the inputs or the program, then submit those again.",
        (*lines, *((f"and {more} more",) if more else ())),
    )


def _line(job: Job) -> str:
    code = "" if job.exit_code is None else f", exit code {job.exit_code}"
    return f"{job.inputs[0]}: {job.reason or 'no reason given'}{code} (job {job.id})"


@contextmanager
def _cancelled(run: Run, account: Aws, sent: list[Job]) -> Iterator[None]:
    """End the jobs, or say that they go on without us, whatever ends us while they are under way."""
    try:
        yield
    except BatchError:
        raise
    except BaseException:
        if sent:
            with run.recorder.stage("cancel") as stage:
                _leave_or_end(account, sent, run.settings.service.on_cancel, stage)
        raise


def _leave_or_end(account: Aws, sent: list[Job], on_cancel: str, stage: Progress) -> None:
    left = going = underway(account, sent)
    if on_cancel == "rollback":
        left = end_jobs(account, going, "model-dockerize submit was cancelled")
        stage.info(f"{len(going) - len(left)} of {len(going)} jobs that were under way were told to end.")
    for job in left:
        many = f" for {len(job.inputs)} inputs" if len(job.inputs) > 1 else ""
        stage.warning(
            f"Job {job.id}{many} goes on. End it: aws batch terminate-job --reason cancelled --job-id {job.id}"
        )
