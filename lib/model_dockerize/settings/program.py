"""The inputs about the model's program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from model_dockerize.patterns import DEBIAN_PACKAGE, pattern
from model_dockerize.settings.input import Input
from model_dockerize.settings.keys import PUBLIC_KEY


@dataclass(frozen=True)
class ProgramSettings:
    """The model's program; empty text: found out from the folder."""

    TITLE: ClassVar = "The model's program"

    program_path: Annotated[
        Path, Input("Folder of the model's program.", common=True, config_ini="[dockerfile] program_path")
    ] = Path()
    requirements_file: Annotated[
        str,
        Input(
            "Requirements, lock or project file to install from, relative to the program folder. Found by "
            "itself when empty; none: nothing is installed.",
            builds=True,
            config_ini="[dockerfile] requirements_file",
        ),
    ] = ""
    extras: Annotated[
        tuple[str, ...],
        Input(
            "Extras of the project (optional dependencies) that are installed besides what it always needs.",
            rule=pattern(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", "a name like plots"),
            builds=True,
        ),
    ] = ()
    dependency_groups: Annotated[
        tuple[str, ...],
        Input(
            "Dependency groups that are installed besides: of pyproject.toml, uv, Poetry or PDM, or "
            "categories of Pipenv. None when empty, not even dev.",
            rule=pattern(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", "a name like serve"),
            builds=True,
        ),
    ] = ()
    init_file: Annotated[
        str,
        Input(
            "Shell script run while the image is built, relative to the program folder. Found by itself when "
            "empty; none: no script is run.",
            builds=True,
            config_ini="[dockerfile] init_file",
        ),
    ] = ""
    base_image: Annotated[
        str,
        Input(
            "Image to build on. python:VERSION-slim-DEBIAN when empty, such as python:3.13-slim-trixie.",
            builds=True,
            config_ini="[dockerfile] base_image",
        ),
    ] = ""
    python_version: Annotated[
        str,
        Input(
            "Python of the model, e.g. 3.13. Read from .python-version, runtime.txt or requires-python when empty.",
            rule=pattern(r"3\.[0-9]{1,2}(\.[0-9]{1,2})?", "a version like 3.13"),
            builds=True,
        ),
    ] = ""
    command: Annotated[
        str,
        Input(
            "How the program is called, with {input} and {output} for the two files. python ENTRY {input} "
            "{output} when empty.",
            common=True,
            builds=True,
            config_ini="[dockerfile] command",
        ),
    ] = ""
    runner_mode: Annotated[
        str,
        Input(
            "How the server runs the program: command (a new process for each job), warm (a fork for each), "
            "resident or library (one process for all), auto: the fastest that the sample proves to be right.",
            choices=("auto", "command", "warm", "resident", "library"),
            builds=True,
        ),
    ] = "auto"
    batch_records: Annotated[
        int,
        Input(
            "Records that the program is given in one run, joined from several small jobs that wait. For a model "
            "of CSV or JSON that answers each record by itself, in order. 0: each job has a run of its own.",
            least=0,
            most=100_000,
            builds=True,
        ),
    ] = 0
    batch_wait_ms: Annotated[
        int,
        Input(
            "How long the first job of such a run waits for others, milliseconds.",
            most=60_000,
            builds=True,
        ),
    ] = 10
    system_packages: Annotated[
        tuple[str, ...],
        Input(
            "Debian packages to install in the image.",
            rule=DEBIAN_PACKAGE,
            builds=True,
        ),
    ] = ()
    torch_index: Annotated[
        str,
        Input(
            "Further index for the packages, without credentials. https://download.pytorch.org/whl/cpu has "
            "PyTorch without CUDA, for models that need no GPU. Not with a lock, which names its own.",
            rule=pattern(r"""https://[^\s@\"'\\$]+""", "an https address without credentials"),
        ),
    ] = ""
    pip_config: Annotated[Path | None, Input("pip.conf for the build. Given as a build secret, never stored.")] = None
    ca_bundle: Annotated[
        Path | None,
        Input(
            "CA certificates for the build, for networks that intercept TLS. Given as a build secret, never "
            "stored. SSL_CERT_FILE of the environment when empty.",
            variable="SSL_CERT_FILE",
        ),
    ] = None
    platforms: Annotated[
        tuple[str, ...],
        Input(
            "Processor that the image is for: linux/amd64 or linux/arm64. This computer's when empty.",
            choices=("linux/amd64", "linux/arm64"),
        ),
    ] = ()
    license_public_key: Annotated[
        str,
        Input(
            "Public key of whoever issues license keys: the model takes no data without one. None is needed "
            "when empty.",
            key=PUBLIC_KEY,
        ),
    ] = ""
