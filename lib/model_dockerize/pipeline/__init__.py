"""Everything that can be done with a model, a function each: stages, whose findings become the Report.

Stages take and give values. The order of those that take a model into AWS is in `stages`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from model_dockerize import image
from model_dockerize.aws.client import Aws
from model_dockerize.errors import DeployedSmokeError, InputError, ProgramError
from model_dockerize.pipeline import account as sign_in
from model_dockerize.pipeline import deployed, download, everything, listing, make, named, operate, policy, steps
from model_dockerize.pipeline import destroy as removal
from model_dockerize.pipeline import doctor as doctoring
from model_dockerize.pipeline import environment as places
from model_dockerize.pipeline import mapping as proposal
from model_dockerize.pipeline import plan as planning
from model_dockerize.pipeline import serve as local
from model_dockerize.pipeline import submit as jobs
from model_dockerize.pipeline.context import Prepared, Run
from model_dockerize.pipeline.destroy import Question
from model_dockerize.pipeline.release import names_of
from model_dockerize.pipeline.work import Work, sort_out
from model_dockerize.report import Recorder, Report
from model_dockerize.settings import Settings

__all__ = [
    "Question",
    "Work",
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
    "smoke_service",
    "smoke_url",
    "sort_out",
    "status",
    "stop_serving",
    "submit",
    "task_definition",
]


def run(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Do everything that the settings ask for, from the folder to the verified service.

    Never raises a ModelDockerizeError: `report.failure` holds it, beside what was found out before.
    """
    return Run(settings, environment, recorder).report_of(
        _planned if settings.run.dry_run else everything.from_folder_to_service
    )


def plan(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Tell what `run` would make, change and leave in AWS. Change nothing, not even in the folder."""
    return Run(settings, environment, recorder).report_of(_planned)


def doctor(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Look beforehand at everything that would stop `run`. `report.findings` holds one finding a check."""
    return Run(settings, environment, recorder).report_of(_examined)


def batch_environment(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Make what the BatchConfig.yml of `batch-config-file` describes: compute environment, queue, definition, job."""
    return Run(settings, environment, recorder).report_of(lambda run: places.update(run, places.read(run)))


def destroy(
    settings: Settings,
    environment: Mapping[str, str],
    recorder: Recorder,
    agreed: Callable[[Question], bool],
    delete_data: bool = False,
    by_name: bool = False,
) -> Report:
    """Remove what was made in AWS for the model of the folder; with the last model, what all share.

    Args:
        agreed: is shown what runs, what goes and what stays, and decides. What others made or use is not touched.
        by_name: the settings name the model; no folder is read. So in the functions below.
    """
    return Run(settings, environment, recorder).report_of(lambda run: _destroyed(run, agreed, delete_data, by_name))


def destroy_environment(
    settings: Settings, environment: Mapping[str, str], recorder: Recorder, agreed: Callable[[Question], bool]
) -> Report:
    """Remove what was made in AWS for the job definition of `batch-config-file`; with the last, what all share."""
    return Run(settings, environment, recorder).report_of(lambda run: _environment_destroyed(run, agreed))


def list_models(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Tell which models are deployed in the region. `report.models` holds a row a model."""
    return Run(settings, environment, recorder).report_of(lambda run: listing.list_models(run, _account(run)))


def rollback(
    settings: Settings, environment: Mapping[str, str], recorder: Recorder, to: str, by_name: bool = False
) -> Report:
    """Let the service run a former revision again: `to`, or the last that was deployed whole."""
    return Run(settings, environment, recorder).report_of(
        lambda run: operate.rollback(run, *_service(run, by_name), to)
    )


def status(settings: Settings, environment: Mapping[str, str], recorder: Recorder, by_name: bool = False) -> Report:
    """Tell what the service runs now, where it answers, and what ran before."""
    return Run(settings, environment, recorder).report_of(lambda run: operate.status(run, *_service(run, by_name)))


def logs(
    settings: Settings,
    environment: Mapping[str, str],
    recorder: Recorder,
    lines: int,
    follow: bool,
    show: Callable[[str], None],
    by_name: bool = False,
) -> Report:
    """Give `show` the last `lines` lines of the service's log; if `follow`, also new ones."""
    return Run(settings, environment, recorder).report_of(
        lambda run: operate.logs(run, *_service(run, by_name), lines, follow, show)
    )


def iam_policy(
    settings: Settings,
    environment: Mapping[str, str],
    recorder: Recorder,
    show: Callable[[str], None],
    after_bootstrap: bool = False,
) -> Report:
    """Give `show` the least policy for these settings and who may use it, as JSON. Ask AWS nothing."""
    return Run(settings, environment, recorder).report_of(lambda run: policy.show(run, show, after_bootstrap))


def submit(
    settings: Settings, environment: Mapping[str, str], recorder: Recorder, asked: Work, by_name: bool = False
) -> Report:
    """Run the registered job definition on AWS Batch: a job an input, followed to the end."""
    return Run(settings, environment, recorder).report_of(lambda run: _submitted(run, asked, by_name))


def dockerfile(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Inspect the folder and write its Dockerfile, and nothing else."""
    return Run(settings, environment, recorder).report_of(_written)


def mapping(
    settings: Settings, environment: Mapping[str, str], recorder: Recorder, data: Path, mime_type: str, target: Path
) -> Report:
    """Write the mapping file for a data set of this model."""
    return Run(settings, environment, recorder).report_of(lambda run: proposal.write(run, data, mime_type, target))


def load(archive: Path, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Check an image archive and load it into the engine."""
    with recorder.stage("load") as stage:
        engine = image.probe(environment)
        contents = download.look(archive, engine.platform, stage)
        loaded = download.load(engine, contents, stage)
    outcome = "unchanged" if stage.status == "unchanged" else "loaded"
    build_id = download.built_here(environment, contents)
    return Report(outcome=outcome, image=loaded.ref, build_id=build_id, stages=recorder.stages)


def login(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Sign the docker command in to the account's registry."""
    return Run(settings, environment, recorder).report_of(lambda run: steps.login(run, _account(run)))


def bootstrap(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Make what all models of the region share, so that making models needs no administrator."""
    return Run(settings, environment, recorder).report_of(lambda run: steps.bootstrap(run, _account(run)))


def network(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Make the network that services run in."""
    return Run(settings, environment, recorder).report_of(lambda run: steps.network(run, _account(run)))


def task_definition(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Push the image and register a task definition for it."""
    return Run(settings, environment, recorder).report_of(everything.task_definition)


def serve(settings: Settings, environment: Mapping[str, str], recorder: Recorder, place: image.Place) -> Report:
    """Start the model of the folder or archive on this computer, and see it answer."""
    return Run(settings, environment, recorder).report_of(lambda run: local.start(run, place))


def stop_serving(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Stop the model on this computer."""
    return Run(settings, environment, recorder).report_of(local.stop)


def smoke_service(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Test the service that the settings name. No folder is read."""
    return Run(settings, environment, recorder).report_of(lambda run: operate.smoke(run, *_service(run, by_name=True)))


def smoke_url(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Test a model that already runs somewhere, against the sample of the folder."""
    return Run(settings, environment, recorder).report_of(_test_url)


def _written(run: Run) -> None:
    if run.settings.image.from_archive:
        raise InputError("A finished image (from-archive) has no Dockerfile to write.", "Leave from-archive out.")
    make.prepare(run)


def _planned(run: Run) -> None:
    """Ask only the questions of all stages, against AWS as it is."""
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
    _, release = everything.check(run, prepared)
    if release is None:
        raise InputError("Without push-to-ecr nothing is made in AWS.", "There is nothing to plan: see push-to-ecr.")
    planning.plan(release)


def _examined(run: Run) -> None:
    sign_in.start_sandbox(run)
    doctoring.examine(run)


def _service(run: Run, by_name: bool) -> tuple[Aws, Prepared]:
    """Return the account, and the model of the folder or of the name, of what is deployed."""
    if by_name:
        account = _account(run)
        return account, named.look_up(run, account)
    try:
        with run.recorder.stage("program") as stage:
            prepared = make.inspect(run, stage)
    except ProgramError as error:
        raise ProgramError(str(error), f"{error.remedy} {_BY_NAME}".strip(), error.details) from error
    run.learn(outcome="failed", build_id="")
    return _account(run), prepared


#: What helps where no folder is.
_BY_NAME = "Without the folder, name the model: --service NAME (model-dockerize list shows them)."


def _destroyed(run: Run, agreed: Callable[[Question], bool], delete_data: bool, by_name: bool) -> None:
    account, prepared = _service(run, by_name)
    removal.destroy(run, names_of(run.settings, prepared.program.name), account, agreed, delete_data)


def _environment_destroyed(run: Run, agreed: Callable[[Question], bool]) -> None:
    names = places.names_of(run, places.read(run))
    removal.destroy(run, names, _account(run), agreed)


def _submitted(run: Run, asked: Work, by_name: bool) -> None:
    account, prepared = _service(run, by_name)
    jobs.submit(run, prepared, account, asked)


def _account(run: Run) -> Aws:
    """Run stage `check` of what needs AWS only."""
    sign_in.start_sandbox(run)
    with run.recorder.stage("check") as stage:
        return sign_in.connect(run, stage)


def _test_url(run: Run) -> None:
    """Run only the smoke test, against `smoke-url`."""
    prepared = make.prepare(run)
    url = run.settings.smoke.smoke_url
    run.learn(outcome="failed", url=url)
    if not url:
        raise InputError("There is no address to test.", "Say where the model answers: --smoke-url http://HOST:PORT")
    with run.recorder.stage("smoke-deployed") as stage:
        failed_checks = deployed.smoke_from_here(run, prepared, url, stage)
        if failed_checks:
            raise DeployedSmokeError(f"The model at {url} does not answer as it must.", "", failed_checks)
    run.learn(outcome="answers")
