"""All actions on a model."""

from collections.abc import Callable
from pathlib import Path

from model_dockerize import image
from model_dockerize.aws.client import Aws
from model_dockerize.errors import InputError, ProgramError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import account as sign_in
from model_dockerize.pipeline import ask as asking
from model_dockerize.pipeline import batch_file, download, listing, make, named, operate, steps
from model_dockerize.pipeline import destroy as removal
from model_dockerize.pipeline import doctor as doctoring
from model_dockerize.pipeline import mapping as proposal
from model_dockerize.pipeline import policy as policies
from model_dockerize.pipeline import serve as local
from model_dockerize.pipeline import smoke as testing
from model_dockerize.pipeline import submit as jobs
from model_dockerize.pipeline.context import FromFolder, Prepared, Run
from model_dockerize.pipeline.destroy import Question
from model_dockerize.pipeline.everything import plan, run, task_definition
from model_dockerize.pipeline.release import names_of
from model_dockerize.pipeline.work import Work, sort_out
from model_dockerize.report.facts import Headline, Identity

#: What helps where no folder is.
_BY_NAME = "Without the folder, give the model's name in its place (model-dockerize list shows them)."

__all__ = [
    "Question",
    "Run",
    "Work",
    "ask",
    "batch_environment",
    "bootstrap",
    "destroy",
    "destroy_environment",
    "dockerfile",
    "doctor",
    "iam_policy",
    "list_models",
    "load",
    "login",
    "logs",
    "mapping",
    "network",
    "plan",
    "rollback",
    "run",
    "serve",
    "smoke",
    "smoke_service",
    "sort_out",
    "status",
    "stop_serving",
    "submit",
    "task_definition",
]


def doctor(run: Run) -> Outcome:
    """Check everything that could stop `run`."""
    sign_in.start_sandbox(run)
    return doctoring.examine(run)


def batch_environment(run: Run) -> Outcome:
    """Make what the BatchConfig.yml describes."""
    return batch_file.update(run, batch_file.read(run))


def destroy(run: Run, agreed: Callable[[Question], bool], delete_data: bool = False, by_name: bool = False) -> Outcome:
    """Remove the model from AWS.

    Args:
        by_name: no folder is read, here and below.
    """
    account, prepared = _service(run, by_name)
    name = prepared.program.name
    folder = prepared.program.path if isinstance(prepared, FromFolder) else None
    local = removal.on_this_computer(run, name, folder)
    return removal.destroy(run, names_of(run.settings, name), account, agreed, delete_data, local)


def destroy_environment(run: Run, agreed: Callable[[Question], bool]) -> Outcome:
    """Remove the BatchConfig.yml's job definition."""
    names = batch_file.names_of(run, batch_file.read(run))
    return removal.destroy(run, names, _account(run), agreed)


def list_models(run: Run) -> Outcome:
    return listing.list_models(run, _account(run))


def rollback(run: Run, to: str, by_name: bool = False) -> Outcome:
    """Roll back to revision `to`; empty: the last verified one."""
    return operate.rollback(run, *_service(run, by_name), to)


def status(run: Run, by_name: bool = False) -> Outcome:
    """Report what the service runs and ran."""
    return operate.status(run, *_service(run, by_name))


def logs(run: Run, lines: int, follow: bool, show: Callable[[str], None], by_name: bool = False) -> Outcome:
    """Give `show` the service's log lines."""
    return operate.logs(run, *_service(run, by_name), lines, follow, show)


def iam_policy(run: Run, show: Callable[[str], None], after_bootstrap: bool = False) -> Outcome:
    """Give `show` the policies, without AWS."""
    return policies.show(run, show, after_bootstrap)


def submit(run: Run, asked: Work, by_name: bool = False) -> Outcome:
    """Run a Batch job for each input."""
    run.refuse_dry_run()
    account, prepared = _service(run, by_name)
    return jobs.submit(run, prepared, account, asked)


def dockerfile(run: Run) -> Outcome:
    """Write only the folder's Dockerfile."""
    if run.settings.image.from_archive:
        raise InputError("A finished image (from-archive) has no Dockerfile to write.", "Leave from-archive out.")
    make.prepare(run)
    return Outcome.DOCKERFILE


def mapping(run: Run, data: Path, mime_type: str, target: Path) -> Outcome:
    """Write a mapping file."""
    run.refuse_dry_run()
    return proposal.write(run, data, mime_type, target)


def load(run: Run, archive: Path) -> Outcome:
    """Load an image archive into the engine."""
    with run.recorder.stage("load") as stage:
        engine = image.probe(run.environment)
        contents = download.look(archive, engine.platform, stage)
        loaded = download.load(engine, contents, stage)
        stage.found(Identity(loaded.ref, download.built_here(run.environment, contents)))
        stage.found(Headline(f"{loaded.ref}. Run it: docker run --rm -p 9090:80 {loaded.ref}"))
    return Outcome.UNCHANGED if stage.status == "unchanged" else Outcome.LOADED


def login(run: Run) -> Outcome:
    """Sign docker in to the registry."""
    run.refuse_dry_run()
    return steps.login(run, _account(run))


def bootstrap(run: Run) -> Outcome:
    """Make what all models share, as administrator."""
    run.refuse_dry_run()
    return steps.bootstrap(run, _account(run))


def network(run: Run) -> Outcome:
    run.refuse_dry_run()
    return steps.network(run, _account(run))


def serve(run: Run, place: image.Place) -> Outcome:
    return local.start(run, place)


def stop_serving(run: Run, is_named: bool = False) -> Outcome:
    run.refuse_dry_run()
    return local.stop(run, is_named)


def ask(run: Run, model: str, file: Path, as_json: bool, receive: Callable[[bytes], object]) -> Outcome:
    """Send a file to a model by name or address."""
    return asking.ask(run, None if "://" in model else _account(run), model, file, as_json, receive)


def smoke_service(run: Run) -> Outcome:
    """Test the settings' service."""
    return operate.smoke(run, *_service(run, by_name=True))


def smoke(run: Run, keep: bool = False) -> Outcome:
    """Test the model; `keep`: its answer becomes the expected one."""
    return testing.keep(run) if keep else testing.test(run)


def _service(run: Run, by_name: bool) -> tuple[Aws, Prepared]:
    if by_name:
        account = _account(run)
        return account, named.look_up(run, account)
    try:
        with run.recorder.stage("program") as stage:
            prepared = make.inspect(run, stage)
            # What runs may be another build than that of the folder.
            stage.found(Identity(f"{prepared.program.name}:{prepared.program.version}", ""))
    except ProgramError as error:
        raise ProgramError(str(error), f"{error.remedy} {_BY_NAME}".strip(), error.details) from error
    return _account(run), prepared


def _account(run: Run) -> Aws:
    sign_in.start_sandbox(run)
    with run.recorder.stage("check") as stage:
        return sign_in.connect(run, stage)
