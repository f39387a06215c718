"""A program's Dockerfile, and the image that is built from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from model_dockerize import image, program
from model_dockerize.errors import InputError
from model_dockerize.library import session
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import FromFolder
from model_dockerize.settings import folder_of

_LOGGER = "docker_service"
#: As in a Config.ini that names none. It gets no security fixes any more, which a warning says.
BASE_IMAGE = "python:3.6"


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile saved in its program's folder."""

    path: Path
    text: str
    base_image: str


def create_dockerfile(
    program_path: str | Path,
    init_file: str | None = None,
    requirements_file: str | None = None,
    *,
    base_image: str = BASE_IMAGE,
    inputs: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Dockerfile:
    """Write the program's Dockerfile into its folder, without Docker Engine.

    Args:
        program_path: the folder, or the Dockerfile in it.
        init_file: shell script, relative to the folder; none is run when empty.
        requirements_file: relative to the folder; nothing is installed when empty.
        inputs: any other input, by its name (`model-dockerize run --help-all` lists them).
        environment: instead of the process's own.

    Raises:
        InputError: an argument is wrong.
        ProgramError: the folder cannot become an image; `details` names every problem.
    """
    given = {
        "program-path": folder_of(str(program_path)),
        "init-file": init_file or "none",
        "requirements-file": requirements_file or "none",
        "base-image": base_image,
        **(inputs or {}),
    }
    nothing_of_aws = {"push-to-ecr": "false", "create-job-def": "false", "deploy-service": "false"}
    run = session(_LOGGER, {**given, **nothing_of_aws}, environment)
    run.refuse_dry_run()
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
        if not isinstance(prepared, FromFolder):
            raise InputError("A Dockerfile is made of a folder, not of an archive.", "Leave from-archive out.")
        path = program.write_dockerfile(prepared.program, prepared.dockerfile)
    return Dockerfile(path, prepared.dockerfile, prepared.program.base_image)


def create_docker_image(
    program_path: str | Path,
    image_name: str,
    image_version: str = "latest",
    *,
    environment: Mapping[str, str] | None = None,
) -> image.Image:
    """Build the image by the folder's Dockerfile, whoever wrote it.

    Args:
        program_path: the folder, or the Dockerfile in it.
        image_version: its tag.
        environment: instead of the process's own.

    Raises:
        InputError: the name is no image's.
        ProgramError: there is no Dockerfile, or the folder cannot be read.
        EngineError: Docker Engine or buildx is missing, not permitted, or too old.
        BuildError: the image did not build; `details` holds the failing step's last lines.
    """
    given = {"image-name": image_name, "image-version": image_version, "program-path": folder_of(str(program_path))}
    run = session(_LOGGER, given, environment)
    name = f"{image_name}:{image_version}"
    with run.recorder.stage("build") as stage:
        context = program.read_context(run.settings.program.program_path, stage)
        engine = image.probe(run.environment)
        if context.is_ours:
            sources = image.find_sources()
            image.server_image(engine, image.server_version(sources), engine.platform, sources, stage)
        return image.build(engine, partial(program.write_folder, context), image.BuildRequest(tags=(name,)), stage)
