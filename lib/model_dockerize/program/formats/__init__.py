"""Finds a program's packages in any tool's format.

A new format is a module with `read`, a line in FORMATS, and a test case.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from model_dockerize.program import reading
from model_dockerize.program.files import Listing
from model_dockerize.program.formats import (
    conda,
    pdm,
    pipenv,
    pixi,
    poetry,
    pylock,
    pyproject,
    refused,
    renv,
    requirements,
    setuptools,
    uv,
)
from model_dockerize.program.formats.folder import Folder, UnknownChoiceError, UnusableError
from model_dockerize.program.problems import Problems
from model_dockerize.program.types import Packages
from model_dockerize.progress import Progress
from model_dockerize.settings import ProgramSettings


@dataclass(frozen=True)
class Format:
    """A tool's package files. `parse` returns None where they say nothing."""

    parse: Callable[[Folder], Packages | None]
    files: tuple[str, ...] = ()  # at the top of the folder
    optional: bool = False  # they have extras or groups, and `parse` knows which are chosen

    def read(self, folder: Folder) -> Packages | None:
        try:
            packages = self.parse(folder)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            names = " and ".join(name for name in self.files if name in folder.texts)
            raise UnusableError(f"{names} cannot be read; its tool writes it in another form ({error!r}).") from error
        if packages is not None and not self.optional:
            folder.choose(packages.source, (), ())
        return packages


#: In order of precedence: what pip is meant to read, locks, what is not locked, what is refused.
FORMATS = (
    Format(requirements.read, (requirements.FILE,)),
    Format(uv.read, (uv.LOCK,), optional=True),
    Format(poetry.read, (poetry.LOCK,), optional=True),
    Format(pdm.read, (pdm.LOCK,), optional=True),
    Format(pipenv.read_lock, (pipenv.LOCK,), optional=True),
    Format(pylock.read, (pylock.LOCK,), optional=True),
    Format(pixi.read, (pixi.LOCK,)),
    Format(requirements.read_variant),
    Format(requirements.read_folder),
    Format(pipenv.read, (pipenv.FILE,), optional=True),
    Format(refused.read, refused.FILES),
    Format(conda.read, conda.FILES),
    Format(renv.read, (renv.LOCK,)),
    Format(pyproject.read, (pyproject.FILE,), optional=True),
    Format(setuptools.read, (setuptools.SCRIPT, setuptools.CONFIGURATION), optional=True),
)
#: A setting that asks for no file, whatever the folder holds.
NONE = "none"
# Files that say many things; they are passed over only if they say something of packages.
_OF_MANY_THINGS = {"pyproject.toml": "dependencies", "setup.cfg": "install_requires"}
# What is read together with a lock, and so is not passed over.
_READ_WITH = {
    "Pipfile.lock": "Pipfile",
    **dict.fromkeys(("uv.lock", "poetry.lock", "pdm.lock"), "pyproject.toml"),
    pixi.LOCK: pixi.FILE,
}


def find(
    settings: ProgramSettings, root: Path, listing: Listing, init_file: str, problems: Problems, progress: Progress
) -> Packages:
    """Find packages by the settings' file, else by the first format."""
    setting = settings.requirements_file
    extras, groups = (
        frozenset(map(canonicalize_name, names)) for names in (settings.extras, settings.dependency_groups)
    )
    platform = next(iter(settings.platforms), "")
    found = _folder(root, listing, bool(init_file), problems)
    folder = replace(found, extras=extras, groups=groups, platform=platform)
    packages: Packages | None = Packages()
    try:
        if setting and setting != NONE:
            packages = _named(setting, folder, listing, problems)
        elif setting != NONE:
            packages = next(filter(None, (one.read(folder) for one in FORMATS)), Packages())
        if packages is not None and not packages.source:
            folder.choose("the program folder", (), ())
    except UnknownChoiceError as error:
        problems.wrong_input(str(error))
        return Packages()
    except UnusableError as error:
        problems.wrong_folder(str(error))
        return Packages()
    if packages is None:
        return Packages()
    if packages.source and not (packages.text or packages.exact or packages.local):
        packages = requirements.complete(packages, root, listing, problems, progress)
    if requirements.holds_password(packages.text):
        progress.warning(requirements.READ_BY_ALL.format(packages.source), root / packages.source)
    _tell(packages, folder, root, listing, progress)
    return packages


def _folder(root: Path, listing: Listing, has_init_script: bool, problems: Problems) -> Folder:
    paths = frozenset(file.path for file in listing.files)
    known = {name for one in FORMATS for name in one.files if name != requirements.FILE}
    texts = {name: reading.text(root, name, problems) for name in sorted(known & paths)}
    return Folder({name: text for name, text in texts.items() if text is not None}, paths, has_init_script)


def _named(setting: str, folder: Folder, listing: Listing, problems: Problems) -> Packages | None:
    name = PurePosixPath(setting).as_posix()
    if name not in folder.paths:
        left_out = next((item for item in listing.excluded if item.path == name), None)
        why = f"is left out ({left_out.reason})" if left_out else "is not in the folder"
        problems.wrong_input(f"requirements-file {setting!r} {why}.")
        return None
    base = PurePosixPath(name).name
    known = next((one for one in FORMATS if base in one.files and base != requirements.FILE), None)
    if known is None:
        folder.choose(name, (), ())
        return Packages(source=name)
    if base != name:
        raise UnusableError(f"{name} is read at the top of the folder only: name its folder with program-path.")
    rivals = {rival for rival in known.files if rival != name}
    texts = {file: text for file, text in folder.texts.items() if file not in rivals}
    packages = known.read(replace(folder, texts=texts))
    if packages is None:
        raise UnusableError(f"{name} names no packages.")
    return packages


def _says_packages(path: str) -> bool:
    folder, _, name = path.partition("/")
    known = any(name in one.files for one in FORMATS) and name not in (*_OF_MANY_THINGS, setuptools.SCRIPT)
    return (known or requirements.looks_like_one(name)) and not any(
        map(requirements.is_not_for_running, (folder, name))
    )


def _tell(packages: Packages, folder: Folder, root: Path, listing: Listing, progress: Progress) -> None:
    read = {packages.source, _READ_WITH.get(packages.source, ""), *packages.includes}
    if packages.need_code:  # a requirement like `.` reads the project
        read |= {pyproject.FILE, setuptools.SCRIPT, setuptools.CONFIGURATION}
    present = [name for one in FORMATS for name in one.files if name in folder.paths and name not in read]
    present += [name for name in requirements.variants(folder) if name not in read]
    passed_over = [name for name in present if _OF_MANY_THINGS.get(name, "") in folder.texts.get(name, "")]
    if packages.source:
        others = f" Passed over: {', '.join(passed_over)}." if passed_over else ""
        chosen = [f"extra {name}" for name in sorted(folder.extras)]
        chosen += [f"group {name}" for name in sorted(folder.groups)]
        besides = f" with {', '.join(chosen)}" if chosen else ""
        progress.info(f"Packages are installed from {packages.source}{besides}.{others}")
        return
    passed_over += [path for path in sorted(folder.paths) if path.count("/") == 1 and _says_packages(path)]
    for name in passed_over:
        progress.warning(
            f"{name} is not installed from. If the model needs its packages, name it with requirements-file.",
            root / name,
        )
    known = {name for one in FORMATS for name in one.files}
    for item in listing.excluded:
        if item.path in known:
            progress.warning(
                f"{item.path} is left out ({item.reason}), so nothing is installed from it.", root / item.path
            )
