"""Makes and tests the image."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from model_dockerize import image, program, smoke
from model_dockerize.errors import BuildError, EngineError, InputError, SmokeError
from model_dockerize.log_lines import without_prefixes
from model_dockerize.pipeline import download, memory, unexpected, withheld
from model_dockerize.pipeline.context import START_TIMEOUT, FromArchive, FromFolder, Prepared, Run, smoke_report
from model_dockerize.pipeline.origin import origin
from model_dockerize.report import StageProgress, facts
from model_dockerize.settings import ServiceSettings, in_action, is_file, warn_of_missing_files


def prepare(run: Run) -> Prepared:
    """Run stage `program`."""
    run.refuse_dry_run()
    with run.recorder.stage("program") as stage:
        prepared = inspect(run, stage)
        if not isinstance(prepared, FromFolder):
            return prepared
        path = program.write_dockerfile(prepared.program, prepared.dockerfile)
        stage.info(f"Dockerfile: {path}")
        model = prepared.program
        stage.info(f"{model.name}:{model.version} runs {' '.join(model.command)} on {model.base_image}")
        stage.found(facts.Dockerfile(str(path)))
    return prepared


def inspect(run: Run, stage: StageProgress) -> Prepared:
    """Return as `prepare`, but write nothing."""
    settings = run.settings
    for note in settings.notes:
        stage.info(note)
    if settings.image.from_archive:
        return download.inspect(run, settings.image.from_archive, stage)
    version = image.server_version(image.find_sources())
    platform = next(iter(settings.program.platforms), image.own_platform())
    private = (settings.aws.aws_config_file,)
    found = program.inspect(settings.program, settings.image, settings.smoke, stage, private)
    source = origin(found.path, run.environment)
    run.settings = replace(settings, service=replace(settings.service, source=source))
    text = program.render_dockerfile(found, image.server_ref(version, platform))
    identity = program.build_id(found, text, version)
    stage.info(f"build id: {identity}")
    for line in _findings(found, platform):
        stage.info(line)
    stage.found(facts.Identity(f"{found.name}:{found.version}", identity))
    sample = found.sample
    # The Action sees the folder at a place that is on nobody's computer.
    place = found.path.name if in_action(run.environment) else str(found.path)
    expectation = smoke.Expectation(
        build_id=identity,
        sample_input=sample.input if sample else None,
        sample_expected=sample.expected if sample else None,
        sample_mapping=sample.mapping if sample else None,
        input_type=sample.input_type if sample else "",
        name=found.name,
        license_key=settings.smoke.license_key,
        without_sample=(
            f"Add one real input as {place}/smoke/input.csv (or .json, .txt, ...), and its answer as smoke/expected.* "
            f"beside it. To have one of a data file there, else a stub: model-dockerize init {shlex.quote(place)}"
        ),
    )
    return FromFolder(found, identity, platform, expectation, text, version)


def engine_for(run: Run) -> image.Engine:
    """Return a usable Docker Engine."""
    engine = image.probe(run.environment)
    if run.settings.image.provenance and not engine.containerd_store:
        raise EngineError(
            "provenance: this Docker Engine keeps images in its classic store, which drops attestations.",
            "Leave provenance out, or turn the engine's containerd image store on: "
            "https://docs.docker.com/engine/storage/containerd/",
        )
    return engine


def check(run: Run, prepared: Prepared, engine: image.Engine) -> None:
    """Refuse early what would stop build or smoke test."""
    service = run.settings.service
    if service.deploy_service and service.api_key and not prepared.made_here:
        raise InputError(
            "This image has no model server of ours, so nobody would ask for the API key (api-key).",
            "Leave api-key out, and say by allow-from who may connect.",
        )
    if service.deploy_service and prepared.made_here:
        _check_tasks(service)
    if isinstance(prepared, FromArchive):
        download.check(run, prepared, engine)
    elif isinstance(prepared, FromFolder):
        _check(run, prepared, engine)


def _check_tasks(service: ServiceSettings) -> None:
    several = "max-count" if service.max_count > 1 else "desired-count" if (service.desired_count or 1) > 1 else ""
    if several and service.balanced and not service.queue_url:
        raise InputError(
            f"{several} asks for several tasks behind a load balancer, and each would have a job queue of its own: "
            "a client that asks one for a job of another gets 404.",
            "Name a PostgreSQL database that they share (queue-url) and a volume for their files, or keep one task.",
        )


def _check(run: Run, prepared: FromFolder, engine: image.Engine) -> None:
    settings, model = run.settings, prepared.program
    for key, path in _secrets(run).items():
        if not is_file(path):
            raise InputError(
                f"{key}: {path} is no file.",
                "In the Action name a file of the workspace: runners before 2.331 do not mount their temporary folder."
                if in_action(run.environment)
                else "Correct its path.",
            )
    image.check_platform(engine, prepared.platform, bool(settings.program.platforms), image.find_sources())
    proof = settings.smoke
    if proof.smoke_test and model.license_public_key and model.sample and not proof.license_key:
        raise InputError(
            "The model takes no data without a license key (license-public-key), so it cannot be proved.",
            "Give the smoke test a key of this model: license-key. `model-dockerize license issue` makes one.",
        )


def _findings(model: program.Program, platform: str) -> tuple[str, ...]:
    sample = model.sample
    mapped = f", mapped by {sample.mapping.name}" if sample and sample.mapping else ""
    expected = f", must answer {sample.expected.name}" if sample and sample.expected else ""
    found = {
        "on": f"{model.base_image} ({platform})",
        "packages": model.packages.source,
        "init script": model.init_file,
        "system packages": " ".join(model.system_packages),
        "license": "a key is needed" if model.license_public_key else "",
        "sample": f"{sample.input.name} ({sample.input_type}){mapped}{expected}" if sample else "none",
        "called as": " ".join(model.command),
    }
    return tuple(f"{name}: {fact}" for name, fact in found.items() if fact)


def cache(run: Run, prepared: Prepared, engine: image.Engine, pushes: bool) -> image.Cache:
    """Return where the build keeps its cache."""
    if isinstance(prepared, FromArchive):
        return image.Cache("none")
    return image.choose_cache(run.settings.image.cache, engine, pushes, run.environment)


def obtain(run: Run, prepared: Prepared, engine: image.Engine, cache: image.Cache, repository: str = "") -> image.Image:
    """Run stage `build` or `load`; return the untested image."""
    if isinstance(prepared, FromFolder):
        return _build(run, prepared, engine, cache, repository)
    assert isinstance(prepared, FromArchive)  # noqa: S101 - there is no third
    with run.recorder.stage("load") as stage:
        loaded = download.load(engine, prepared.contents, stage)
        stage.found(facts.Identity(loaded.ref, download.built_here(run.environment, prepared.contents)))
    return loaded


def build(run: Run, prepared: Prepared, engine: image.Engine, cache: image.Cache, repository: str = "") -> image.Image:
    """Run stages `build` (or `load`), `smoke-local` and `archive`.

    Args:
        repository: may keep the cache.
    """
    settings = run.settings
    built = obtain(run, prepared, engine, cache, repository)
    with run.recorder.stage("smoke-local") as stage:
        if settings.smoke.of_image:
            smoke_local(run, prepared, engine, built, stage)
        else:
            stage.skipped(f"{settings.smoke.left_out}: nobody has seen this image answer.")
            stage.found(facts.Untested("image"))
    if settings.image.archive:
        with run.recorder.stage("archive") as stage:
            archive = image.save(engine, built, settings.image.archive, prepared.program.name, stage)
            stage.info(f"{archive.path} ({archive.size / 1e6:.0f} MB), loads as {archive.tag}")
            stage.found(facts.Archive(str(archive.path)))
            if not settings.registry.push_to_ecr:
                load = f"docker load -i {archive.path}"
                stage.found(
                    facts.Headline(f"{archive.tag}. Elsewhere: {load}, docker run --rm -p 9090:80 {archive.tag}")
                )
    return built


def _build(run: Run, prepared: FromFolder, engine: image.Engine, cache: image.Cache, repository: str) -> image.Image:
    model, settings = prepared.program, run.settings
    name = f"{model.name}:{model.version}"
    secrets = _secrets(run)
    with run.recorder.stage("build") as stage:
        built = image.find(engine, prepared.build_id)
        if built:
            image.tag(engine, built, name)
            built = replace(built, ref=name)
            stage.unchanged(f"The engine holds this build already: {built.id[7:19]}")
        else:
            image.server_image(engine, prepared.server_version, prepared.platform, image.find_sources(), stage, secrets)
            _warn_of_environment(run, stage)
            _tell(cache, settings.image.cache, stage)
            request = image.BuildRequest(
                tags=(name,),
                build_args={"MODEL_BUILD_ID": prepared.build_id},
                secrets=secrets,
                platform=prepared.platform,
                cache=image.cache_options(cache, repository, model.name, run.environment),
                provenance=settings.image.provenance,
                size=sum(file.size for file in model.files),
                build_id=prepared.build_id,
                variables=image.cache_variables(cache, run.environment),
            )
            context = partial(program.write_context, model, prepared.dockerfile)
            built = image.build(engine, context, request, stage)
            if built.platform != prepared.platform:
                raise BuildError(
                    f"{name} was built for {built.platform}, not for {prepared.platform}.",
                    "The base image decides: choose another base-image, or platforms.",
                )
            stage.info(f"{name}: {built.size / 1e6:.0f} MB, {built.ran_steps} steps ran, {built.cached_steps} cached")
    return built


def _secrets(run: Run) -> dict[str, Path]:
    settings = run.settings.program
    named = {"ca-bundle": settings.ca_bundle, "pip-config": settings.pip_config}
    return {key: path for key, path in named.items() if path}


def _warn_of_environment(run: Run, stage: StageProgress) -> None:
    warn_of_missing_files(run.environment, ["SSL_CERT_FILE"], stage)
    for variable in image.unreachable_proxies(run.environment):
        stage.warning(f"{variable} names a proxy on this computer's loopback, where a build cannot reach it.")


def _tell(cache: image.Cache, wanted: str, stage: StageProgress) -> None:
    for reason in cache.passed_over:
        (stage.info if wanted == "auto" else stage.warning)(reason)
    if cache.kind != "none" or cache.passed_over:
        stage.info(f"cache: {cache.kind}")


def smoke_local(
    run: Run, prepared: Prepared, engine: image.Engine, built: image.Image, stage: StageProgress
) -> smoke.SmokeResult:
    """Test the image with its service's variables and memory."""
    settings, limit = run.settings, memory.of_test(run.settings)
    variables = dict(settings.service.environment)
    with image.run(engine, built.id, variables, "model-dockerize-smoke", memory=limit) as container:
        result = prove(run, prepared, container.urls, stage, ending_of(container))
        stage.found(facts.SmokeTested("image", smoke_report(result, prepared.expectation)))
        if not result.passed:
            details = (*result.failures, *without_prefixes(container.logs(50).splitlines()))
            cause = image.diagnose_program(details)
            look = f"Correct the program, or look into the image: docker run --rm -p 9090:80 {built.ref}"
            known = withheld.remedy(settings.service, details) or unexpected.remedy(result.failures, settings)
            if limit and memory.was_killed(details):
                known = memory.remedy(settings.service)
            words = f"The image does not answer as a model must; nothing was pushed. {cause.sentence}".rstrip()
            raise SmokeError(words, known or cause.remedy or look, details)
        return result


def warn_of_no_sample(run: Run, expectation: smoke.Expectation, stage: StageProgress) -> None:
    """Say once in a run that no job is tried."""
    text = f"There is no sample input for {expectation.name}, so no job is tried. {expectation.without_sample}"
    if expectation.sample_input is None and text not in run.recorder.warnings:
        stage.warning(text)


def ending_of(container: image.RunningContainer) -> Callable[[], str | None]:
    """Return a function that tells why the container ended."""

    def alive() -> str | None:
        code = container.exited()
        return None if code is None else f"the container ended with exit code {code}"

    return alive


def prove(
    run: Run,
    prepared: Prepared,
    urls: Sequence[str],
    stage: StageProgress,
    alive: Callable[[], str | None] = lambda: None,
) -> smoke.SmokeResult:
    """Test our API, or what another's image offers."""
    if prepared.made_here:
        warn_of_no_sample(run, prepared.expectation, stage)
    check = smoke.check if prepared.made_here else smoke.check_foreign
    result = check(urls, prepared.expectation, START_TIMEOUT, run.settings.smoke.smoke_timeout, stage, alive)
    stage.info(result.summary)
    return result
