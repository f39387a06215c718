"""The stages in order, and which of them run side by side; nothing else.

A stage takes values and gives values. This module hands what one makes to the next and turns what they return into the
Report; it decides nothing that a stage could decide.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from model_dockerize import aws, image, program, sandbox, smoke
from model_dockerize.errors import (
    DeployedSmokeError,
    InputError,
    ModelDockerizeError,
    RolloutError,
    SmokeError,
)
from model_dockerize.report import CheckReport, Failure, Recorder, Report, SmokeReport, StageProgress
from model_dockerize.settings import Settings

# Seconds that a fresh container may take until it answers.
START_TIMEOUT = 120.0
# What a Batch job of the image runs: one input, one output, through the same runner as the server's jobs.
BATCH_COMMAND = ("run", "Ref::input", "Ref::output")


def run(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Everything that the settings ask for, from the folder to the proved service.

    Never raises a ModelDockerizeError: `report.failure` holds it, beside what was found out before.
    """
    return _Run(settings, environment, recorder).report_of(_Run.everything)


def dockerfile(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Inspects the folder and writes its Dockerfile, and nothing else."""
    return _Run(settings, environment, recorder).report_of(_Run.prepare)


def load(archive: Path, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Loads an image archive into the engine."""
    with recorder.stage("load") as stage:
        loaded = image.load(image.probe(environment), archive, stage)
    return Report(outcome="loaded", image=loaded.ref, build_id=loaded.build_id, stages=recorder.stages)


def smoke_url(settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> Report:
    """Tests a model that already runs somewhere, against the sample of the folder."""
    return _Run(settings, environment, recorder).report_of(_Run.test_url)


def failed(report: Report, error: ModelDockerizeError) -> Report:
    """The report of a run that ended with this error."""
    outcome = "timed-out" if error.kind == "timed-out" else "failed"
    return report.with_(outcome=outcome if report.outcome == "failed" else report.outcome, failure=Failure.of(error))


@dataclass(frozen=True)
class _Prepared:
    """The folder, ready to be built: what identifies the image is known before anything is built."""

    program: program.Program
    dockerfile: str
    build_id: str
    server_version: str
    expectation: smoke.Expectation


class _Run:
    """One run: the settings, where to report, and the Report as far as it is known."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], recorder: Recorder) -> None:
        self._settings = settings
        self._environment = environment
        self._recorder = recorder
        self._report = Report()

    def report_of(self, stages: Callable[["_Run"], object]) -> Report:
        """Runs `stages` and gives the report, red or green."""
        try:
            stages(self)
        except ModelDockerizeError as error:
            self._report = failed(self._report, error)
        return self._report.with_(stages=self._recorder.stages, warnings=self._recorder.warnings)

    def prepare(self) -> _Prepared:
        """Stage `program`: inspect the folder, write its Dockerfile, know the build id."""
        settings = self._settings
        with self._recorder.stage("program") as stage:
            version = image.server_version(image.find_sources())
            found = program.inspect(settings.program, settings.image, settings.smoke, stage)
            text = program.render_dockerfile(found, image.server_ref(version))
            path = program.write_dockerfile(found, text)
            identity = program.build_id(found, text, version)
            stage.info(f"Dockerfile: {path}")
            stage.info(f"build id: {identity}")
        self._report = self._report.with_(
            outcome="dockerfile", build_id=identity, image=f"{found.name}:{found.version}", dockerfile=str(path)
        )
        sample = found.sample
        expectation = smoke.Expectation(
            build_id=identity,
            sample_input=sample.input if sample else None,
            sample_expected=sample.expected if sample else None,
            input_type=sample.input_type if sample else "",
        )
        return _Prepared(found, text, identity, version, expectation)

    def everything(self) -> None:
        """All stages that the settings ask for."""
        prepared = self.prepare()
        self._report = self._report.with_(outcome="failed")
        engine, account = self._check()
        if account is None:
            self._built(prepared, engine)
            self._report = self._report.with_(outcome="built")
            return
        settings = self._settings
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="stage") as side:
            # What a service stands on needs nothing of the image: it is made while the image builds.
            foundations = side.submit(self._foundations, prepared, account)
            pushed, changed = self._pushed(prepared, engine, account)
            ready = foundations.result()
            job = None
            if settings.batch.create_job_def and ready:
                job = side.submit(self._job_definition, prepared, engine, account, pushed, ready)
            if isinstance(ready, aws.Foundations):
                changed |= self._service(prepared, engine, account, pushed, ready)
            if job:
                definition = job.result()
                changed |= definition.changed
                self._report = self._report.with_(
                    job_definition_arn=definition.arn, job_definition_revision=definition.revision
                )
        done = "deployed" if settings.service.deploy_service else "pushed"
        self._report = self._report.with_(outcome=done if changed else "unchanged")

    def test_url(self) -> None:
        """Only the smoke test, against `smoke-url`."""
        prepared = self.prepare()
        url = self._settings.smoke.smoke_url
        self._report = self._report.with_(outcome="failed", url=url)
        if not url:
            raise InputError(
                "There is no address to test.", "Say where the model answers: --smoke-url http://HOST:PORT"
            )
        with self._recorder.stage("smoke-deployed") as stage:
            failed_checks = self._smoke_deployed(prepared, url, stage)
            if failed_checks:
                raise DeployedSmokeError(f"The model at {url} does not answer as it must.", "", failed_checks)
        self._report = self._report.with_(outcome="answers")

    def _check(self) -> tuple[image.Engine, aws.Aws | None]:
        """Stage `check`: everything that would stop the run later, before anything long begins."""
        if self._settings.run.sandbox:
            with self._recorder.stage("sandbox") as stage:
                started = sandbox.start(sandbox.default_home(), stage)
                stage.info(f"AWS on this computer: {started.endpoint_url}")
                self._environment = started.applied_to(dict(self._environment))
        with self._recorder.stage("check") as stage:
            engine = image.probe(self._environment)
            stage.info(f"Docker Engine {engine.version}, buildx {engine.buildx_version}")
            if not self._settings.registry.push_to_ecr:
                return engine, None
            return engine, aws.connect(self._settings.aws, self._environment, stage)

    def _pushed(self, prepared: _Prepared, engine: image.Engine, account: aws.Aws) -> tuple[aws.PushedImage, bool]:
        """The image in ECR: found there by its build id, or built, proved and pushed. Whether that changed anything."""
        model, registry = prepared.program, self._settings.registry
        name, version = registry.repository or model.name, registry.version or model.version
        tags = (version, aws.build_tag(prepared.build_id))
        found = aws.find_build(account, name, prepared.build_id)
        if found and not self._settings.image.archive:
            for skipped in ("build", "smoke-local"):
                with self._recorder.stage(skipped) as stage:
                    stage.unchanged("The registry holds this build already.")
        else:
            built = self._built(prepared, engine)
        with self._recorder.stage("push") as stage:
            if found:
                digest = found.digest
                if not aws.tag_image(account, name, digest, tags):
                    stage.unchanged(f"{name}:{version} is this build already.")
            else:
                repository = aws.ensure_repository(account, name, stage)
                login = aws.login(account)
                auth = image.RegistryAuth(login.username, login.password, login.registry)
                digest = image.push(engine, built.ref, f"{repository.uri}:{tags[1]}", auth, stage)
                aws.tag_image(account, name, digest, tags)
            pushed = aws.verify(account, name, digest, tags)
            stage.info(pushed.uri)
            changed = stage.status != "unchanged"
        self._report = self._report.with_(image_uri=pushed.uri, digest=pushed.digest)
        return pushed, changed

    def _built(self, prepared: _Prepared, engine: image.Engine) -> image.Image:
        """Stages `build`, `smoke-local` and `archive`: the image in the engine, proved."""
        model, settings = prepared.program, self._settings
        name = f"{model.name}:{model.version}"
        secrets = {
            key: path
            for key, path in (("ca-bundle", settings.program.ca_bundle), ("pip-config", settings.program.pip_config))
            if path
        }
        with self._recorder.stage("build") as stage:
            built = image.find(engine, prepared.build_id)
            if built:
                image.tag(engine, built, name)
                stage.unchanged(f"The engine holds this build already: {built.id[7:19]}")
            else:
                image.server_image(engine, prepared.server_version, image.find_sources(), stage, secrets)
                request = image.BuildRequest(
                    tags=(name,), build_args={"MODEL_BUILD_ID": prepared.build_id}, secrets=secrets
                )
                context = partial(program.write_context, model, prepared.dockerfile)
                built = image.build(engine, context, request, stage)
                stage.info(
                    f"{name}: {built.size / 1e6:.0f} MB, {built.ran_steps} steps ran, {built.cached_steps} cached"
                )
        if settings.smoke.smoke_test:
            with self._recorder.stage("smoke-local") as stage:
                self._smoke_local(prepared, engine, built, stage)
        if settings.image.archive:
            with self._recorder.stage("archive") as stage:
                archive = image.save(engine, built, settings.image.archive, model.name, stage)
                stage.info(f"{archive.path} ({archive.size / 1e6:.0f} MB), loads as {archive.tag}")
            self._report = self._report.with_(archive=str(archive.path))
        return built

    def _smoke_local(self, prepared: _Prepared, engine: image.Engine, built: image.Image, stage: StageProgress) -> None:
        with image.run(engine, built.id, {}, "model-dockerize-smoke") as container:

            def alive() -> str | None:
                code = container.exited()
                return None if code is None else f"the container ended with exit code {code}"

            result = smoke.check(container.urls, prepared.expectation, START_TIMEOUT, stage, alive)
            self._report = self._report.with_(smoke_local=_smoke_report(result))
            if not result.passed:
                raise SmokeError(
                    "The built image does not answer as a model must; nothing was pushed.",
                    f"Correct the program, or look into the image: docker run --rm -p 9090:80 {built.ref}",
                    (*_failed_checks(result), *container.logs(20).splitlines()),
                )

    def _foundations(self, prepared: _Prepared, account: aws.Aws) -> aws.Runtime | None:
        """Stage `foundations`: what the service and the job stand on."""
        settings = self._settings
        if settings.service.deploy_service:
            ensure: Callable[..., aws.Runtime] = aws.ensure_foundations
        elif settings.batch.create_job_def:
            ensure = aws.ensure_runtime
        else:
            return None
        with self._recorder.stage("foundations") as stage:
            return ensure(account, settings.service, prepared.program.name, stage)

    def _job_definition(
        self, prepared: _Prepared, engine: image.Engine, account: aws.Aws, pushed: aws.PushedImage, runtime: aws.Runtime
    ) -> aws.JobDefinition:
        """Stage `batch`: the job definition, pinned to the pushed digest."""
        with self._recorder.stage("batch") as stage:
            made = aws.ensure_job_definition(
                account,
                self._settings.service,
                self._settings.batch.job_definition_name or prepared.program.name,
                pushed.uri,
                engine.platform,
                BATCH_COMMAND,
                {},
                runtime,
                stage,
            )
            if not made.changed:
                stage.unchanged(f"Revision {made.revision} is this build already.")
            return made

    def _service(
        self,
        prepared: _Prepared,
        engine: image.Engine,
        account: aws.Aws,
        pushed: aws.PushedImage,
        foundations: aws.Foundations,
    ) -> bool:
        """Stages `deploy` and `smoke-deployed`: the service runs this build, and it answers. Whether it changed."""
        settings, model = self._settings.service, prepared.program
        with self._recorder.stage("deploy") as stage:
            family = settings.task_definition or model.name
            definition = aws.ensure_task_definition(
                account, settings, family, pushed.uri, engine.platform, foundations, stage
            )
            service = aws.ensure_service(
                account, settings, settings.service or model.name, definition, foundations, stage
            )
            self._report = self._report.with_(service_arn=service.arn, task_definition_arn=definition.arn)
            verdict = aws.follow(account, service, settings.wait_timeout, stage)
            if verdict.outcome != "deployed":
                raise self._rollout_failed(account, service, verdict, stage)
            if not service.changed:
                stage.unchanged(f"The service runs {definition.short} already.")
            url = self._settings.smoke.smoke_url or aws.public_address(account, service, stage)
            self._report = self._report.with_(url=url)
        if self._settings.smoke.smoke_test:
            with self._recorder.stage("smoke-deployed") as stage:
                failed_checks = self._smoke_deployed(prepared, url, stage)
                if failed_checks:
                    raise self._put_back(account, service, failed_checks, stage)
        return service.changed

    def _rollout_failed(
        self, account: aws.Aws, service: aws.Service, verdict: aws.Verdict, stage: StageProgress
    ) -> RolloutError:
        """Nothing that did not answer stays; the error says what runs now."""
        if verdict.outcome == "failed" and verdict.running_task_definition_arn is None:
            after = aws.settle_failed_first_deployment(account, service, stage)
        else:
            after = f"The service runs {_short(verdict.running_task_definition_arn)}."
            self._report = self._report.with_(
                outcome="superseded" if verdict.outcome == "superseded" else "rolled-back"
            )
        return RolloutError(
            f"The rollout of {_short(service.task_definition_arn)} {verdict.outcome}: {verdict.reason} {after}",
            "Correct what the stopped task says and run again.",
            verdict.details(),
        )

    def _smoke_deployed(self, prepared: _Prepared, url: str, stage: StageProgress) -> tuple[str, ...]:
        """The lines of the checks that failed; none when the model at `url` is right."""
        result = smoke.check((url,), prepared.expectation, START_TIMEOUT, stage)
        self._report = self._report.with_(smoke_deployed=_smoke_report(result))
        return () if result.passed else _failed_checks(result)

    def _put_back(
        self, account: aws.Aws, service: aws.Service, evidence: tuple[str, ...], stage: StageProgress
    ) -> DeployedSmokeError:
        """The service runs again what it ran before, or nothing; a service that we did not change is left alone."""
        if not service.changed:
            after = "This run changed nothing of the service, so it is left as it is."
        else:
            former = service.previous_task_definition_arn
            verdict = aws.rollback(account, service, former, self._settings.service.wait_timeout, stage)
            if verdict and verdict.outcome != "deployed":
                after = f"Putting it back to {_short(former)} {verdict.outcome}: {verdict.reason}"
            else:
                after = (
                    f"The service was put back to {_short(former)}." if former else "It was the first: no task is left."
                )
                self._report = self._report.with_(outcome="smoke-failed-rolled-back")
                if former:
                    url = self._settings.smoke.smoke_url or aws.public_address(
                        account, replace(service, task_definition_arn=former), stage
                    )
                    self._report = self._report.with_(url=url, task_definition_arn=former)
        return DeployedSmokeError(
            f"The deployed model does not answer as it must. {after}",
            "Compare with the local smoke test, which passed: what differs is the environment of the service.",
            evidence,
        )


def _smoke_report(result: smoke.SmokeResult) -> SmokeReport:
    checks = tuple(CheckReport(check.name, check.passed, check.seconds, check.detail) for check in result.checks)
    return SmokeReport(result.passed, checks)


def _failed_checks(result: smoke.SmokeResult) -> tuple[str, ...]:
    """What really failed, in order; what was not run because of it says nothing new."""
    failed_checks = [check for check in result.checks if not check.passed and not check.detail.startswith("not run")]
    return tuple(line for check in failed_checks for line in f"{check.name}: {check.detail}".splitlines())


def _short(arn: str | None) -> str:
    """`iris:3` of a task definition's ARN."""
    return arn.rsplit("/", 1)[-1] if arn else "nothing"
