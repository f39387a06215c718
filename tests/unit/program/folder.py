"""Program folders for tests, and a Progress that remembers."""

from collections.abc import Mapping
from pathlib import Path

from model_dockerize.program import Program, inspect
from model_dockerize.settings import ImageSettings, ProgramSettings, SmokeSettings

ROOT = Path(__file__).resolve().parents[3]
SERVER = "localhost/model-dockerize/model-server:1.2.3"


class Heard:
    """Keeps all that a stage said."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []
        self.transfers: list[tuple[str, int, int]] = []

    def info(self, text: str) -> None:
        self.infos.append(text)

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.warnings.append(text)

    def output(self, text: str) -> None:
        raise AssertionError("inspection runs nothing")

    def transfer(self, what: str, done: int, total: int) -> None:
        self.transfers.append((what, done, total))

    def secret(self, value: str) -> None:
        raise AssertionError("inspection learns no secret")


def fill(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write the files; return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def look(
    folder: Path,
    heard: Heard | None = None,
    *,
    requirements_file: str = "",
    init_file: str = "",
    base_image: str = "",
    python_version: str = "",
    command: str = "",
    system_packages: tuple[str, ...] = (),
    pip_config: Path | None = None,
    extras: tuple[str, ...] = (),
    dependency_groups: tuple[str, ...] = (),
    platforms: tuple[str, ...] = (),
    image_name: str = "",
    image_version: str = "latest",
    batch_records: int = 0,
    smoke_input: Path | None = None,
    smoke_expected: Path | None = None,
    smoke_mapping: Path | None = None,
) -> Program:
    """Inspect a folder with these settings."""
    return inspect(
        ProgramSettings(
            folder,
            requirements_file=requirements_file,
            extras=extras,
            dependency_groups=dependency_groups,
            init_file=init_file,
            base_image=base_image,
            python_version=python_version,
            command=command,
            system_packages=system_packages,
            batch_records=batch_records,
            pip_config=pip_config,
            platforms=platforms,
        ),
        ImageSettings(image_name, image_version, cache="none"),
        SmokeSettings(smoke_input=smoke_input, smoke_expected=smoke_expected, smoke_mapping=smoke_mapping),
        heard or Heard(),
    )


def paths(program: Program) -> list[str]:
    return [file.path for file in program.files]


def left_out(program: Program) -> dict[str, str]:
    return {item.path: item.reason for item in program.excluded}
