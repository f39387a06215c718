"""Inspects a program folder; finds all problems at once."""

import codecs
import re
import shlex
from datetime import date
from pathlib import Path, PurePosixPath

from model_dockerize.errors import ProgramError
from model_dockerize.inside import MOST_TEXT, oddly_written, open_file
from model_dockerize.patterns import ARCHIVE, DEBIAN_PACKAGE, ECS_NAME
from model_dockerize.program import (
    command,
    formats,
    gravityai_build,
    init_script,
    lfs,
    notebook,
    python_version,
    reading,
    sample,
    tools,
)
from model_dockerize.program.files import Listing, list_files
from model_dockerize.program.ignore import BUILD_FILE, CREDENTIAL
from model_dockerize.program.naming import is_reference, made_up_name
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Packages, Program, Sample, Schema
from model_dockerize.program.writing import is_foreign
from model_dockerize.progress import Progress
from model_dockerize.settings import ImageSettings, ProgramSettings, SmokeSettings

_INIT_NAMES = ("init.sh", "setup.sh")
#: Programs of other languages, and images that have them.
_NOT_PYTHON = {"Rscript": "rocker/r-ver:4", "R": "rocker/r-ver:4", "julia": "julia:1", "node": "node:22-slim"}
#: What may be joined (the server's `tabular.mime`).
_OF_RECORDS = {"text/csv", "application/csv", "application/json", "text/json"}
_APT = re.compile(r"\b(apt|apt-get)\b[ \t]+(?:[-\w:=./]+[ \t]+)*?(install|update)\b")


def inspect(
    program: ProgramSettings,
    image: ImageSettings,
    smoke: SmokeSettings,
    progress: Progress,
    private: tuple[Path | None, ...] = (),
) -> Program:
    """Find how the folder becomes an image.

    Args:
        private: files not to ship, besides pip's configuration.
    """
    root = folder_at(program.program_path)
    problems = Problems()
    listing = list_files(root, tuple(path for path in (program.pip_config, *private) if path), problems, progress)
    if not listing.files:
        problems.wrong_folder("there is nothing in it to ship.")
    name = image.image_name or made_up_name(root.name, progress)
    entry, argv = command.find(program.command, listing, _sources(root, listing), problems)
    is_notebook = entry.endswith(notebook.SUFFIX)
    if is_notebook:
        notebook.check(entry, reading.text(root, entry, problems) or "", argv, problems)
    init_file = _init_file(program.init_file, listing, problems)
    needs = formats.find(program, root, listing, init_file, problems, progress)
    if program.torch_index and needs.exact:
        problems.wrong_input(f"torch-index: {needs.source} says where its packages are. Lock with that index instead.")
    script = (reading.content(root, init_file, problems) or b"") if init_file else b""
    init_shell = _init_shell(init_file, script, problems) if init_file else ""
    init_reads = _init_reads(init_file, script, root, listing) if init_file else None
    python, base = _base(program, root, needs, problems, progress)
    said = gravityai_build.read(root, listing, problems)
    packages = _system_packages((*program.system_packages, *said.system_packages), needs, program.base_image, progress)
    _check_packages(packages, problems)
    if python and not (packages or init_file) and argv and argv[0] in _NOT_PYTHON:
        problems.wrong_input(
            f"command calls {argv[0]}, which {base} does not have. Name an image that has it with base-image "
            f"({_NOT_PYTHON[argv[0]]}), or install it by system-packages or an init script."
        )
    proof = sample.find(smoke, root, problems)
    check_pointers(root, listing, proof.sample, problems)
    input_types = (said.input_type,) if said.input_type else proof.input_types
    output_types = (said.output_type,) if said.output_type else proof.output_types
    _check_schema(said.schema, input_types[0], output_types[0], problems)
    if program.batch_records:
        _check_batches(input_types, output_types, problems)
    problems.raise_if_any(str(root))
    _tell(root, listing, progress)
    tools.tell(needs, entry, program.pip_config, progress)
    if said.unused:
        progress.info(f"{gravityai_build.NAME}: nothing is done with {', '.join(said.unused)}.")
    return Program(
        name=name,
        version=image.image_version,
        path=root,
        entry=entry,
        is_notebook=is_notebook,
        command=argv,
        python_version=python,
        base_image=base,
        packages=needs,
        init_file=init_file,
        init_shell=init_shell,
        init_reads=init_reads,
        torch_index=program.torch_index,
        init_lacks_lists=_lacks_lists(script.decode("utf-8", "replace")),
        init_calls_sudo=b"sudo" in script,
        system_packages=packages,
        input_types=input_types,
        output_types=output_types,
        sample=proof.sample,
        files=listing.files,
        excluded=listing.excluded,
        ignore_patterns=listing.ignore_patterns,
        schema=said.schema,
        tests=said.tests,
        uses_library=said.uses_library,
        license_public_key=program.license_public_key,
        runner_mode=program.runner_mode,
        batch_records=program.batch_records,
        batch_wait_ms=program.batch_wait_ms,
    )


def folder_at(path: Path) -> Path:
    try:
        path.stat()
    except (OSError, ValueError) as error:  # absent, or no path at all, e.g. too long
        odd = oddly_written(str(path))
        remedy = f"{odd}: correct program-path." if odd else "Correct program-path."
        raise ProgramError(f"The program folder {path} does not exist.", remedy) from error
    if not path.is_dir():
        what = "Give the folder that holds the program."
        if ARCHIVE.search(path.name):
            what = f"Name it with --from-archive {shlex.quote(str(path))}, if it is the archive of a finished image."
        elif not ECS_NAME(path.name):
            what = f"{what} The service of that name is --service {path.name}."
        raise ProgramError(f"The program path {path} is not a folder.", what)
    return path.resolve()


def _sources(root: Path, listing: Listing) -> dict[str, str]:
    names = [file.path for file in listing.files if "/" not in file.path and file.path.endswith(".py")]
    return {name: _begins(root, name) for name in names if (root / name).is_file()}


def _begins(root: Path, name: str) -> str:
    with open_file(root / name, root) as file:
        return file.read(MOST_TEXT).decode("utf-8", "replace")


def _init_file(setting: str, listing: Listing, problems: Problems) -> str:
    if setting == formats.NONE:
        return ""
    if setting:
        name = PurePosixPath(setting).as_posix()
        if listing.holds(name):
            return name
        problems.wrong_input(f"init-file {setting!r} is not in the folder, or is left out of the image.")
        return ""
    found = [name for name in _INIT_NAMES if listing.holds(name)]
    if len(found) > 1:
        problems.wrong_folder(f"several init scripts: {', '.join(found)}. Name one with init-file.")
    return found[0] if found else ""


def _init_shell(name: str, script: bytes, problems: Problems) -> str:
    if script.startswith(codecs.BOM_UTF8):
        problems.wrong_folder(
            f"{PurePosixPath(name).name} begins with a byte order mark, which no shell takes. "
            "Save it as UTF-8 without one."
        )
    first_line, _, rest = script.partition(b"\n")
    if first_line.endswith(b"\r") or b"\r\n" in rest:
        problems.wrong_folder(
            f"{PurePosixPath(name).name} has Windows line ends, which no shell runs. Save it with Unix ones (LF)."
        )
    return "bash" if first_line.startswith(b"#!") and b"bash" in first_line else "sh"


def _init_reads(name: str, script: bytes, root: Path, listing: Listing) -> tuple[str, ...] | None:
    return init_script.reads(name, script.decode("utf-8", "replace"), listing, lambda path: _begins(root, path))


def _lacks_lists(script: str) -> bool:
    # The old service's base image had run `apt-get update`.
    told = re.sub(r"^\s*#.*$", "", script.replace("\\\n", " "), flags=re.MULTILINE)
    return bool(_APT.search(told)) and all(found[2] != "update" for found in _APT.finditer(told))


def _base(
    program: ProgramSettings, root: Path, needs: Packages, problems: Problems, progress: Progress
) -> tuple[str, str]:
    if program.base_image:
        if not is_reference(program.base_image):
            problems.wrong_input(
                f"base-image {program.base_image!r} is no image reference like python:3.13-slim-trixie."
            )
        if program.python_version:
            progress.warning(f"base-image {program.base_image} brings its own Python; python-version is overruled.")
        outdated = python_version.support_warning(program.base_image, date.today())
        if outdated:
            newer = python_version.default_image(python_version.DEFAULT)
            progress.warning(
                f"{program.base_image}: {outdated} One line changes it: `base-image: {newer}` in model-dockerize.yml, "
                f"or `base_image = {newer}` under [dockerfile] in Config.ini."
            )
        return "", program.base_image
    if needs.base_image:
        return "", needs.base_image
    if needs.conda:
        if program.python_version:
            progress.warning(f"{needs.source} brings its own Python; python-version is overruled.")
        return "", python_version.default_image(python_version.DEFAULT)
    version = python_version.choose(program.python_version, root, needs, problems, progress)
    image = python_version.default_image(version)
    warning = python_version.support_warning(image, date.today())
    if warning:
        progress.warning(warning)
    return version, image


def _system_packages(named: tuple[str, ...], needs: Packages, base_image: str, progress: Progress) -> tuple[str, ...]:
    names = dict.fromkeys(named)
    if needs.need_git and not base_image and "git" not in names:
        names["git"] = None
        progress.info(f"git is installed: {needs.source} names a package of a git repository.")
    return tuple(names)


def _check_packages(names: tuple[str, ...], problems: Problems) -> None:
    for name in names:
        if not DEBIAN_PACKAGE.regex.fullmatch(name):
            problems.wrong_input(f"system-packages: {name!r} is no name of a Debian package.")


def check_pointers(root: Path, listing: Listing, proof: Sample | None, problems: Problems) -> None:
    """Refuse Git LFS pointers, also in the sample."""
    files = [path for path in (proof.input, proof.expected, proof.mapping) if path] if proof else []
    names = [
        str(path.relative_to(root) if path.is_relative_to(root) else path) for path in files if lfs.is_pointer(path)
    ]
    if pointers := tuple(dict.fromkeys((*listing.pointers, *names))):
        problems.wrong_folder(lfs.sentence(pointers))


def _check_schema(schema: Schema | None, input_type: str, output_type: str, problems: Problems) -> None:
    for side, fields, kind in (
        ("Input", schema.input if schema else (), input_type),
        ("Output", schema.output if schema else (), output_type),
    ):
        if fields and kind == sample.UNKNOWN_TYPE:
            problems.wrong_folder(
                f"{gravityai_build.NAME}: Schema has an {side}Schema, but no {side}Type (json, csv or csv_header)."
            )


def _check_batches(input_types: tuple[str, ...], output_types: tuple[str, ...], problems: Problems) -> None:
    for side, types in (("takes", input_types), ("gives", output_types)):
        kinds = {kind.partition(";")[0].strip() for kind in types}
        if len(set(types)) > 1 or not kinds <= _OF_RECORDS:
            problems.wrong_input(
                f"batch-records is for a model that takes and gives one kind of CSV or JSON; this one {side} "
                f"{', '.join(types)}. Add smoke/input.csv and smoke/expected.csv, or leave batch-records out."
            )


def _tell(root: Path, listing: Listing, progress: Progress) -> None:
    size = sum(file.size for file in listing.files)
    progress.info(f"{len(listing.files)} files, {size:,} bytes go into the image.")
    for item in listing.excluded:
        if item.reason == CREDENTIAL:
            progress.warning(
                f"{item.path} {item.reason} and is left out of the image. If the program needs it, "
                f"a line !{item.path} in .dockerignore takes it in.",
                root / item.path,
            )
    # That the files of the image itself stay out of it surprises nobody.
    told = (CREDENTIAL, BUILD_FILE)
    quiet = [f"{item.path} ({item.reason})" for item in listing.excluded if item.reason not in told]
    if quiet:
        progress.info(f"Left out: {', '.join(quiet)}.")
    if is_foreign(root):
        progress.warning(
            "The Dockerfile in the folder was not made by model-dockerize and stays as it is; "
            "the generated one is Dockerfile.model-dockerize.",
            root / "Dockerfile",
        )
