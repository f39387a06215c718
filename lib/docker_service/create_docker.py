"""The Dockerfile of a program, and the image that is built from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_dockerize import image
from model_dockerize.errors import InputError
from model_dockerize.library import session
from model_dockerize.pipeline import make
from model_dockerize.pipeline.context import FromFolder, Run

#: As in a Config.ini that names none. It gets no security fixes any more, which a warning says.
BASE_IMAGE = "python:3.6"


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile that was saved in its program's folder."""

    path: Path
    text: str
    image: str  # NAME:VERSION of the image that is to be built from it
    base_image: str
    build_id: str  # equal inputs, equal id


def create_dockerfile(
    program_path: str | Path,
    requirements_file: str = "",
    init_file: str = "",
    *,
    base_image: str = BASE_IMAGE,
    inputs: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Dockerfile:
    """Write the Dockerfile of the program into its folder. Needs no Docker Engine.

    Args:
        program_path: the folder.
        requirements_file: relative to the folder; nothing is installed when empty.
        init_file: shell script, relative to the folder; none is run when empty.
        inputs: any other input of docs/inputs.md, by its name.
        environment: instead of the process's own.

    Raises:
        InputError: an argument is wrong.
        ProgramError: the folder cannot become an image; `details` names every problem.
    """
    given = _given(program_path, requirements_file, init_file, base_image)
    run, prepared = _prepared({**given, **(inputs or {})}, environment)
    return Dockerfile(
        path=Path(run.report.dockerfile),
        text=prepared.dockerfile,
        image=run.report.image,
        base_image=prepared.program.base_image,
        build_id=prepared.build_id,
    )


def create_image(
    program_path: str | Path,
    image_name: str,
    image_version: str = "latest",
    requirements_file: str = "",
    init_file: str = "",
    *,
    base_image: str = BASE_IMAGE,
    inputs: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> image.Image:
    """Write the Dockerfile, build the image NAME:VERSION from it, and have the image prove that it answers.

    The other arguments are those of `create_dockerfile`; `inputs={"smoke-test": "false"}` leaves the proof out.

    Raises:
        InputError, ProgramError: as `create_dockerfile`.
        EngineError: Docker Engine or buildx is missing, not permitted, or too old.
        BuildError: the image did not build; `details` holds the failing step's last lines.
        SmokeError: it does not answer as a model must.
    """
    given = _given(program_path, requirements_file, init_file, base_image)
    named = {"image-name": image_name, "image-version": image_version}
    run, prepared = _prepared({**given, **named, **(inputs or {})}, environment)
    engine = image.probe(run.environment)
    make.check(run, prepared, engine)
    return make.build(run, prepared, engine, make.cache(run, prepared, engine, pushes=False))


def _given(program_path: str | Path, requirements_file: str, init_file: str, base_image: str) -> dict[str, str]:
    return {
        "program-path": str(program_path),
        "requirements-file": requirements_file or "none",
        "init-file": init_file or "none",
        "base-image": base_image,
    }


def _prepared(given: Mapping[str, str], environment: Mapping[str, str] | None) -> tuple[Run, FromFolder]:
    nothing_of_aws = {"push-to-ecr": "false", "create-job-def": "false", "deploy-service": "false"}
    run = session("docker_service", {**given, **nothing_of_aws}, environment)
    prepared = make.prepare(run)
    if not isinstance(prepared, FromFolder):
        raise InputError("A Dockerfile is made of a program's folder, not of an archive.", "Leave from-archive out.")
    return run, prepared
