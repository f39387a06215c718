"""Checks, names and loads an image archive."""

import re
from collections.abc import Mapping
from pathlib import Path

from model_dockerize import image, program, smoke
from model_dockerize.errors import EngineError, InputError
from model_dockerize.pipeline.context import FromArchive, Named, Run
from model_dockerize.report import StageProgress
from model_dockerize.report.facts import Identity
from model_dockerize.settings import SmokeSettings, is_file

_TITLE, _VERSION = "org.opencontainers.image.title", "org.opencontainers.image.version"
_ENDINGS = re.compile(r"(\.docker|\.oci)?(\.tar(\.(gz|zst))?|\.tgz|\.tzst|\.gz|\.zst)?$", re.IGNORECASE)
_PORT = 80  # of the container API


def inspect(run: Run, archive: Path, stage: StageProgress) -> FromArchive:
    """Check the archive and name its image."""
    settings = run.settings
    contents = look(archive, next(iter(settings.program.platforms), image.own_platform()), stage)
    labels = contents.labels if contents.claim else {}
    build_id = built_here(run.environment, contents)
    name = settings.image.image_name or name_of(archive, contents)
    version = settings.image.image_version
    if version == "latest":
        version = labels.get(_VERSION, version)
    if not contents.claim:
        stage.info("Somebody else made this image: of the smoke test, what its own specification offers is run.")
        if contents.ports and _PORT not in contents.ports:
            ports = ", ".join(map(str, contents.ports))
            stage.warning(f"The image declares port {ports}; a service asks port {_PORT}, as of every model.")
    # Not the form of a build id: nobody's folder may take this image for its own build.
    identity = build_id or f"image-{contents.identity}"
    stage.info(f"called {name}:{version}; identity {identity}")
    stage.found(Identity(next(iter(contents.names), f"{name}:{version}"), build_id))
    expectation = _expectation(settings.smoke, contents.claim, name)
    return FromArchive(Named(name, version), identity, contents.platform, expectation, contents)


def name_of(archive: Path, contents: image.Contents | None) -> str:
    """Return the model's name; without its contents, by the file's name."""
    title = contents.labels.get(_TITLE) if contents and contents.claim else ""
    return title or program.legal_name(_stem(archive))


def built_here(environment: Mapping[str, str], contents: image.Contents) -> str:
    """Return the build id of an image built here, whatever others claim."""
    known = image.recall(environment, contents.claim)
    return contents.claim if known and known in contents.ids else ""


def look(archive: Path, platform: str, stage: StageProgress) -> image.Contents:
    """Return what the archive holds. `platform`: the preferred of several."""
    if program.is_pointer(archive):
        raise InputError(program.pointers_sentence([str(archive)]), "Get the archive itself, and run again.")
    contents = image.look(archive, platform)
    stage.info(f"{archive.name}: {', '.join(contents.names) or 'an image without a name'}, {contents.platform}")
    stage.info(f"image id: {contents.config}")
    if contents.claim:
        stage.info(f"says that it is build {contents.claim}")
    return contents


def check(run: Run, prepared: FromArchive, engine: image.Engine) -> None:
    """Refuse early what would stop the run."""
    settings = run.settings
    if settings.smoke.of_image and not image.runs(engine, prepared.platform):
        raise EngineError(
            f"The image is for {prepared.platform}, and this Docker Engine runs {engine.platform}.",
            "Run on a computer of that kind; or leave the proof to the deployed service: smoke-test: service.",
        )
    if settings.batch.create_job_def and not settings.service.deploy_service and not prepared.made_here:
        raise InputError(
            "Somebody else made this image: it has no command that AWS Batch could run on a file.",
            "Deploy it as a service, or only push it: create-job-def: false.",
        )


def load(engine: image.Engine, contents: image.Contents, stage: StageProgress) -> image.Image:
    """Load the image, unless the engine holds it."""
    held = image.held(engine, contents)
    if held:
        stage.unchanged(f"The engine holds {held.ref} already: {held.id[7:19]}")
        return held
    image.check_room(contents, image.free_disk(engine))
    for name in contents.names:
        if image.has(engine, name):
            stage.warning(f"{name} was the name of another image here; now it is that of the archive's.")
    return image.load(engine, contents, stage)


def _stem(archive: Path) -> str:
    return re.sub(r"(?<=.)_[0-9a-f]{6,64}$", "", _ENDINGS.sub("", archive.name, count=1))


def _expectation(settings: SmokeSettings, build_id: str, name: str) -> smoke.Expectation:
    # Without a folder, there is no other sample.
    files = {
        "smoke-input": settings.smoke_input,
        "smoke-expected": settings.smoke_expected,
        "smoke-mapping": settings.smoke_mapping,
    }
    problems = tuple(f"{option}: {path} is no file" for option, path in files.items() if path and not is_file(path))
    if problems:
        raise InputError("The smoke test's files are not there.", "Correct their paths.", problems)
    if pointers := [str(path) for path in files.values() if path and program.is_pointer(path)]:
        raise InputError(program.pointers_sentence(pointers), "Get the files themselves, and run again.")
    sample = settings.smoke_input
    return smoke.Expectation(
        build_id=build_id,
        sample_input=sample,
        sample_expected=settings.smoke_expected,
        sample_mapping=settings.smoke_mapping,
        input_type=program.mime_type(sample) if sample else "",
        name=name,
        license_key=settings.license_key,
    )
