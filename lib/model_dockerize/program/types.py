"""What is known of a program folder, as values."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProgramFile:
    """One file that goes into the image. `path` is relative to the folder, with `/`."""

    path: str
    size: int  # bytes; 0 for a symbolic link
    executable: bool
    sha256: str  # hex; empty for a symbolic link
    link_target: str = ""  # relative target of a symbolic link; empty: a regular file


@dataclass(frozen=True)
class Excluded:
    """A file or a whole folder that stays out of the image, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Sample:
    """A real input, and what the model must answer to it (None: any answer is good)."""

    input: Path
    expected: Path | None
    input_type: str  # MIME type
    mapping: Path | None = None  # sent with it (docs/mapping.md)


@dataclass(frozen=True)
class SchemaField:
    """A field of the model's data. `path`: docs/mapping.md."""

    path: str
    data_type: str  # "string", "number", "date" or "boolean"
    optional: bool


@dataclass(frozen=True)
class Schema:
    """The fields of structured data; empty where none are declared."""

    input: tuple[SchemaField, ...]
    output: tuple[SchemaField, ...]


@dataclass(frozen=True)
class ModelTest:
    """Files of the folder: an input that is run while the image is built, and what must come out, byte by byte."""

    input: str
    expected: str | None  # None: any result that fits the schema


@dataclass(frozen=True)
class Program:
    """A program folder that can be built. Empty text: there is none of it."""

    name: str  # of the image, without tag
    version: str  # tag of the image
    path: Path  # absolute
    entry: str  # the script; empty if the command names no file of the folder
    command: tuple[str, ...]  # with {input} and {output}
    python_version: str  # "3.13"; empty if only the base image knows
    base_image: str
    requirements_file: str
    requirements_includes: tuple[str, ...]  # other files that the requirements file reads
    requirements_need_code: bool  # they install parts of the folder itself
    init_file: str
    init_shell: str  # "bash" or "sh"
    init_lacks_lists: bool  # it installs by apt, and leaves the update of apt's lists to somebody else
    system_packages: tuple[str, ...]
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    sample: Sample | None
    files: tuple[ProgramFile, ...]  # sorted by path
    excluded: tuple[Excluded, ...]
    ignore_patterns: tuple[str, ...]  # the lines of the folder's own .dockerignore
    schema: Schema | None = None
    tests: tuple[ModelTest, ...] = ()
    uses_library: bool = False  # written for the public `gravityai` library
    license_public_key: str = ""  # whose license keys the model wants; empty: none
