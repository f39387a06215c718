"""The smoke test as a command."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from model_dockerize import answer
from model_dockerize.errors import DeployedSmokeError, InputError
from model_dockerize.inside import write_bytes
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import deployed, make, unexpected
from model_dockerize.pipeline.context import FromFolder, Prepared, Run
from model_dockerize.report.facts import Address, Headline
from model_dockerize.smoke import SmokeResult

#: How a smoke test says that what answers is not the folder's build.
_OTHER_BUILD = "build-id: another build answers"
_SUFFIXES = {"CSV": ".csv", "JSON": ".json", "text": ".txt", "PNG image": ".png", "JPEG image": ".jpg"}


def test(run: Run) -> Outcome:
    """Test the model at `smoke-url`, else the folder's image."""
    _ask(run, make.prepare(run))
    return Outcome.ANSWERS


def keep(run: Run) -> Outcome:
    """Keep its answer as the expected one."""
    prepared = make.prepare(run)
    if not isinstance(prepared, FromFolder) or prepared.program.sample is None:
        is_folder = isinstance(prepared, FromFolder)
        remedy = prepared.expectation.without_sample if is_folder else "Give the model's folder."
        raise InputError("There is no sample whose answer could be kept.", remedy)
    result = _ask(run, replace(prepared, expectation=replace(prepared.expectation, sample_expected=None)))
    content = result.result or b""
    path = prepared.program.sample.expected or _place(prepared.program.path, content)
    with run.recorder.stage("keep") as stage:
        if any(check.name == "repeat" and "differ" in check.detail for check in result.checks):
            stage.warning("It answers the same sample differently from job to job, so no answer can be expected.")
        try:
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, content)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}.", "Correct its place.") from error
        stage.info(f"{path}: {answer.read(content, path.name).title}. Check it, then commit it.")
        stage.found(Headline(f"{path}: check it, then commit it"))
    return Outcome.WRITTEN


def _place(folder: Path, content: bytes) -> Path:
    return folder / "smoke" / f"expected{_SUFFIXES.get(answer.read(content).what, '.bin')}"


def _ask(run: Run, prepared: Prepared) -> SmokeResult:
    url = run.settings.smoke.smoke_url
    if not url:
        engine = make.engine_for(run)
        make.check(run, prepared, engine)
        built = make.obtain(run, prepared, engine, make.cache(run, prepared, engine, pushes=False))
        with run.recorder.stage("smoke-local") as stage:
            return make.smoke_local(run, prepared, engine, built, stage)
    with run.recorder.stage("smoke-deployed") as stage:
        stage.found(Address(url))
        result = deployed.from_here(run, prepared, url, stage)
        if not result.passed:
            remedy = unexpected.remedy(result.failures, run.settings) or _of_another_build(result.failures, url)
            raise DeployedSmokeError(f"The model at {url} does not answer as it must.", remedy, result.failures)
        return result


def _of_another_build(failures: Iterable[str], url: str) -> str:
    if not any(each.startswith(_OTHER_BUILD) for each in failures):
        return ""
    return (
        "Deploy the build that you mean: model-dockerize run FOLDER. Or test what runs, whatever its build, by its "
        f"name: model-dockerize smoke --service NAME; or only ask it: model-dockerize ask {url} FILE."
    )
