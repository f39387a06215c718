"""Checks everything that could stop a run."""

from concurrent.futures import ThreadPoolExecutor

from model_dockerize import image
from model_dockerize.errors import EngineError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import make
from model_dockerize.pipeline.checks import Checks, Said
from model_dockerize.pipeline.context import FromFolder, Prepared, Run
from model_dockerize.pipeline.doctor_aws import check_account, check_registry
from model_dockerize.report import StageProgress
from model_dockerize.report.facts import Examined

#: Bytes. A build of a common model with its base and its layers takes two to five; a push packs the layers once more.
_DISK_LITTLE, _DISK_ENOUGH = 2 * 10**9, 10 * 10**9


def examine(run: Run) -> Outcome:
    """Run stage `doctor`."""
    with run.recorder.stage("doctor") as stage:
        checks, here, there = Checks(), Checks(), Checks()
        prepared = checks.look("folder", lambda: _folder(run, stage))
        if prepared:
            checks.look("sample", lambda: _sample(run, prepared))
        with ThreadPoolExecutor(1, thread_name_prefix="doctor") as side:
            # AWS and the engine know nothing of each other, and both take their time.
            in_aws = run.settings.registry.push_to_ecr or run.settings.batch.create_job_def
            asked = side.submit(check_account, there, run, prepared, stage) if in_aws else None
            engine = _check_engine(here, run, prepared)
            account = asked.result() if asked else None
        checks.add((here, there))
        if engine and account and run.settings.registry.push_to_ecr:
            check_registry(checks, engine, account)
        stage.found(Examined(tuple(checks.findings)))
        if checks.errors:
            names = ", ".join(finding.name for finding in checks.findings if finding.status == "failed")
            raise type(checks.errors[0])(
                f"{len(checks.errors)} of {len(checks.findings)} checks failed: {names}.",
                "Do what stands beside each, then run doctor again.",
                outcome=Outcome.NOT_READY,
            )
    return Outcome.READY


def _folder(run: Run, stage: StageProgress) -> Said[Prepared]:
    prepared = make.inspect(run, stage)
    if not isinstance(prepared, FromFolder):
        return Said(f"{prepared.program.name}:{prepared.program.version}, a finished image", prepared)
    model = prepared.program
    return Said(f"{model.name}, called as {' '.join(model.command)}, on {model.base_image}", prepared)


def _sample(run: Run, prepared: Prepared) -> Said[None]:
    smoke = run.settings.smoke
    serves = smoke.of_service and run.settings.service.deploy_service
    if not smoke.of_image and not serves:
        return Said(f"{smoke.left_out}: nobody will have seen this model answer", None, "warning", "Leave it on.")
    proof = prepared.expectation
    if not proof.sample_input:
        untested = "none: the server would be tested, the model's program would not"
        return Said(untested, None, "warning", proof.without_sample)
    if not proof.sample_expected:
        remedy = "Add smoke/expected.* with what the model must answer."
        return Said(f"{proof.sample_input.name}, whose result nobody compares", None, "warning", remedy)
    return Said(f"{proof.sample_input.name} must give {proof.sample_expected.name}", None)


def _check_engine(checks: Checks, run: Run, prepared: Prepared | None) -> image.Engine | None:
    engine = checks.look("engine", lambda: _engine(run))
    if engine:
        checks.look("disk", lambda: _disk(engine))
        if prepared:
            checks.look("build", lambda: _build(run, prepared, engine))
        if isinstance(prepared, FromFolder):
            base = prepared.program.base_image
            checks.look("base image", lambda: Said(image.find_base(engine, base), None))
            checks.look("server image", lambda: _server(engine, prepared.platform))
    return engine


def _build(run: Run, prepared: Prepared, engine: image.Engine) -> Said[None]:
    make.check(run, prepared, engine)
    return Said(f"for {prepared.platform}", None)


def _engine(run: Run) -> Said[image.Engine]:
    engine = make.engine_for(run)
    return Said(f"Docker Engine {engine.version} ({engine.platform}), buildx {engine.buildx_version}", engine)


def _disk(engine: image.Engine) -> Said[None]:
    free = image.free_disk(engine)
    if free is None:
        return Said("how much is free where the engine runs cannot be seen from here", None, "unknown")
    text = f"{free / 1e9:.1f} GB are free for images"
    if free < _DISK_LITTLE:
        raise EngineError(f"Only {text}.", "Remove what is not used: docker system prune, docker buildx prune.")
    if free < _DISK_ENOUGH:
        return Said(text, None, "warning", "Large models need more: docker system prune, docker buildx prune.")
    return Said(text, None)


def _server(engine: image.Engine, platform: str) -> Said[None]:
    sources = image.find_sources()
    version = image.server_version(sources)
    if image.has(engine, image.server_ref(version, platform)):
        return Said("the model server's image is in the engine", None)
    if sources.bundle or sources.files:
        return Said(
            f"the model server's image is built first{'' if sources.bundle else ', in about two minutes'}", None
        )
    raise EngineError("There is nothing to make the model server's image from.", "Run from a clone, or as the Action.")
