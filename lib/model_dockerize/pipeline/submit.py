"""Sends and follows jobs of AWS Batch."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

from model_dockerize.aws.batch import JobDefinition, ensure_bucket, latest_job_definition
from model_dockerize.aws.batch.job_files import JobFiles, name_of
from model_dockerize.aws.batch.jobs import Job, end_jobs, follow_to_end, log_of, send_jobs, underway
from model_dockerize.aws.client import Aws
from model_dockerize.errors import BatchError, InputError
from model_dockerize.log_lines import of_job
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import batch, work
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.pipeline.work import Work
from model_dockerize.progress import Progress, counted
from model_dockerize.report.facts import Headline, Jobs

#: The queue of people who named none.
QUEUE = "model-dockerize"
_LOGS = 5  # of how many failures of a list the log is told: the others fail for the same reason, or for none better
_LISTED = 20


@dataclass(frozen=True)
class Sending:
    """Jobs' inputs and output."""

    inputs: tuple[str, ...]
    output: str
    shown: Mapping[str, str]  # input -> what people call it
    files: JobFiles | None = None  # None: nothing of this computer is sent, or no result comes back
    names: tuple[str, ...] = ()  # of the files of this computer in S3, in their order
    done: int = 0  # inputs that had a result before this run
    jobs: list[Job] = field(default_factory=list)  # sent, by this run or a former one


def submit(run: Run, prepared: Prepared, account: Aws, asked: Work) -> Outcome:
    """Run stages `submit` and `jobs`."""
    settings, model = run.settings, prepared.program.name
    queue, total = settings.batch.job_queue or QUEUE, len(asked.files) + len(asked.inputs)
    sending = Sending((), "", {})
    with run.recorder.stage("submit") as stage:
        definition = latest_job_definition(account, settings.batch.definition(model))
        work.check_places(asked, definition)
        for line in asked.folders:
            stage.info(line)
        batch.ensure_queue(run, account, queue, prepared.platform, stage)
        stage.found(Jobs(definition.arn, definition.revision))
        sending = _by_bucket(account, asked, definition, stage) if asked.files else _as_they_are(asked)
        with _cancelled(run, account, sending):
            once = sending.files is not None
            for job in send_jobs(
                account, queue, definition.arn, model, sending.inputs, sending.output, stage, once=once
            ):
                sending.jobs.append(job)  # one by one: what is sent must be known if the next cannot be
                if sending.files:
                    sending.files.note(job)
    with _cancelled(run, account, sending), run.recorder.stage("jobs") as stage:
        failed = _follow(account, queue, definition, model, sending, stage)
        fetched = _fetch(sending, asked, stage)
        if failed:
            raise _failure(failed, total, sending, fetched)
    run.recorder.found(Headline(f"{total} of {total} jobs; {fetched or _where(asked, definition)}"))
    return Outcome.SUCCEEDED


def _as_they_are(asked: Work) -> Sending:
    return Sending(asked.inputs, asked.output, {path: path for path in asked.inputs})


def _by_bucket(account: Aws, asked: Work, definition: JobDefinition, stage: Progress) -> Sending:
    if not definition.role:
        raise InputError(
            f"The jobs of {definition.name} have no role, so they can read no file from S3.",
            "Give them one: task-role, then model-dockerize batch FOLDER.",
        )
    bucket = asked.bucket or ensure_bucket(account, definition.name, definition.role, stage)
    files = JobFiles(account, bucket, f"{definition.name}/{definition.revision}")
    names = tuple(map(name_of, asked.files))
    paths = dict(zip(names, asked.files, strict=True))
    comes_back = asked.folder is not None
    done = files.results().keys() & paths.keys() if comes_back else set[str]()
    going = _under_way(account, files, paths.keys() - done) if comes_back else []
    covered = {path.rpartition("/")[2] for job in going for path in job.inputs}
    todo = {name: path for name, path in paths.items() if name not in done and name not in covered}
    if done or covered:
        left = f"{len(todo)} of {len(paths)} files are left to do"
        stage.info(f"{left}: {len(done)} have a result, {len(covered & paths.keys())} are under way")
    sent = files.send(todo, stage)
    stage.info(f"{sent} of {len(paths)} files sent to s3://{bucket}/{files.prefix}")
    return Sending(
        inputs=tuple(map(files.source, todo)),
        output=files.output if comes_back else "-",
        shown={files.source(name): str(path) for name, path in paths.items()},
        files=files if comes_back else None,
        names=names,
        done=len(done),
        jobs=going,
    )


def _under_way(account: Aws, files: JobFiles, names: Set[str]) -> list[Job]:
    known = files.noted()
    going = underway(account, [Job(identity, (), "SUBMITTED") for identity in known]) if known else ()
    inputs = files.noted({job.id for job in going})
    return [
        Job(job.id, inputs[job.id], "SUBMITTED")
        for job in going
        if names & {path.rpartition("/")[2] for path in inputs[job.id]}
    ]


def _called(sending: Sending, job: Job) -> str:
    # A former run may have sent other inputs.
    return sending.shown.get(job.inputs[0], job.inputs[0])


def _follow(
    account: Aws, queue: str, definition: JobDefinition, model: str, sending: Sending, stage: Progress
) -> list[str]:
    """Return why jobs failed, a text each; of the first ones with their logs."""

    def again(inputs: Sequence[str]) -> Iterator[Job]:
        for job in send_jobs(account, queue, definition.arn, model, inputs, sending.output, stage):
            if sending.files:
                sending.files.note(job)
            yield job

    failed: list[str] = []
    for job in follow_to_end(account, queue, sending.jobs, again, stage, done=sending.done):
        if job.status == "FAILED":
            log = of_job(log_of(account, definition.log_group, job)) if len(failed) < _LISTED else []
            reason, *lines = _why(_called(sending, job), job, log)
            if len(failed) < _LOGS:
                stage.output(reason)
            failed.append("\n".join((reason, *lines)) if len(failed) < _LOGS else reason)
        elif sending.output == "-":
            for line in log_of(account, definition.log_group, job):
                stage.output(f"{_called(sending, job)}: {line}")
    return failed


def _fetch(sending: Sending, asked: Work, stage: Progress) -> str:
    folder = asked.folder
    if not sending.files or folder is None:
        return ""
    results = sending.files.results()
    moved = counted("fetching results", sum(results[name] for name in results.keys() & set(sending.names)), stage)
    ready = [(name, path) for name, path in zip(sending.names, asked.files, strict=True) if name in results]
    try:
        for name, path in ready:
            target = asked.target(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            sending.files.fetch(name, target, moved)
    except OSError as error:
        raise InputError(
            f"A result cannot be written to {asked.output}: {error.strerror or error}.",
            "Make room there, and run the same command again: nothing is computed twice.",
        ) from error
    text = f"{len(ready)} results in {asked.output}"
    stage.info(text)
    return text


def _where(asked: Work, definition: JobDefinition) -> str:
    if asked.output == "-":
        return f"the results are in the jobs' logs, in {definition.log_group}"
    return f"the results are at {asked.output}"


def _failure(failed: Sequence[str], total: int, sending: Sending, fetched: str) -> BatchError:
    more = len(failed) - _LISTED
    logs = "Their logs are below." if len(failed) <= _LOGS else f"The logs of the first {_LOGS} are below."
    again = "run the same command again: only what has no result is sent" if sending.files else "submit those again"
    return BatchError(
        f"{len(failed)} of {total} jobs failed{f'; {fetched}' if fetched else ''}.",
        f"{logs} Correct the inputs or the program, then {again}.",
        (*failed[:_LISTED], *((f"and {more} more",) if more > 0 else ())),
    )


def _why(name: str, job: Job, log: Sequence[str]) -> tuple[str, ...]:
    code = "" if job.exit_code is None else f", exit code {job.exit_code}"
    said = [line for line in log if line.strip()]
    reason = f"{name}: {said[-1].strip() if said else job.reason or 'no reason given'}{code} (job {job.id})"
    return (reason, *(said if len(said) > 1 else ()))


@contextmanager
def _cancelled(run: Run, account: Aws, sending: Sending) -> Iterator[None]:
    try:
        yield
    except BatchError:
        raise
    except BaseException:
        if sending.jobs:
            with run.recorder.stage("cancel") as stage:
                _leave_or_end(account, sending, run.settings.service.on_cancel, stage)
        raise


def _leave_or_end(account: Aws, sending: Sending, on_cancel: str, stage: Progress) -> None:
    left = going = underway(account, sending.jobs)
    if on_cancel == "rollback":
        left = end_jobs(account, going, "model-dockerize submit was cancelled")
        stage.info(f"{len(going) - len(left)} of {len(going)} jobs that were under way were told to end.")
    for job in left:
        many = f" for {len(job.inputs)} inputs" if len(job.inputs) > 1 else ""
        stage.warning(
            f"Job {job.id}{many} goes on. End it: aws batch terminate-job --reason cancelled --job-id {job.id}"
        )
    if sending.files:
        stage.info("The same command follows what goes on, and fetches the results. Nothing is sent twice.")
