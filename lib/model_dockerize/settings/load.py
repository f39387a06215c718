"""Loads a run's settings for command line, Action and library."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from model_dockerize.compat.batch_file import FOR_ENVIRONMENT, read_batch_file
from model_dockerize.compat.config_ini import read_config_ini
from model_dockerize.inside import workspace_of
from model_dockerize.patterns import ARCHIVE
from model_dockerize.settings.environment import is_file
from model_dockerize.settings.given import Given, Source
from model_dockerize.settings.model import INPUTS, Settings
from model_dockerize.settings.values import to_settings

FILE_NAME = "model-dockerize.yml"
Layer = Mapping[str, Given]


def argument(target: Path) -> Given:
    return Given(str(target), "the argument", Path())


def described(folder: Given) -> Layer:
    """Read a model-dockerize.yml, a Config.ini, an image archive or a folder."""
    if _end(folder) is None:
        return {"program-path": folder}
    path = folder.base / folder.text.strip()
    if path.suffix.lower() == ".ini":
        return _from_config_ini(path)
    if ARCHIVE.search(path.name) and is_file(path):
        return {"from-archive": folder}
    from model_dockerize.settings.own_file import from_file

    if _is_file_name(path):
        return from_file(path)
    inside = path / FILE_NAME
    return from_file(inside) if is_file(inside) else {"program-path": folder}


def load_settings(
    surroundings: Layer, folder: Given | None, overrides: Layer, read: Callable[[Given], Layer] = described
) -> Settings:
    """Merge what the caller says over the folder's file, and that over the surroundings."""
    said = overrides.get("program-path")
    if folder and said and not _is_file_name(Path(folder.text)) and _end(folder) != _end(said):
        problem = f"{folder.where} names another folder, {folder.text}: give one of the two"
        overrides = {**overrides, "program-path": replace(said, problem=problem)}
    layer = read(folder) if folder else {}
    other = overrides.get("from-archive")
    if folder and other and layer.get("from-archive") == folder and _end(folder) != _end(other):
        problem = f"{folder.where} names another archive, {folder.text}: give one of the two"
        overrides = {**overrides, "from-archive": replace(other, problem=problem)}
    return to_settings([surroundings, layer, overrides])


def batch_environment(file: Given, aws_config: Path | None) -> Layer:
    """Read the inputs of `batch BatchConfig.yml AwsConfig.ini`."""
    path = file.base / file.text
    found = read_batch_file(path, FOR_ENVIRONMENT)
    queue = found.job_queue.name if found.job_queue else found.job.queue if found.job else ""
    texts = {
        "batch-config-file": str(path),
        "aws-config-file": str(aws_config) if aws_config else "",
        "job-queue": queue,
        "create-job-def": "true",
        "deploy-service": "false",
    }
    return {name: Given(text, str(path), Path.cwd()) for name, text in texts.items() if text}


def untrusted_folder(target: Path) -> Path:
    if target.suffix.lower() == ".ini":
        return workspace_of(target)
    return target.parent if _is_file_name(target) else target


def file_above(folder: Path) -> Path | None:
    """Find a model-dockerize.yml above, up to the repository's root.

    A folder that looks like a program of its own is no part of one above.
    """
    looks_own = any((folder / name).exists() for name in (FILE_NAME, "smoke", "main.py"))
    root = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
    if looks_own or root is None or root == folder:
        return None
    for parent in folder.parents:
        if is_file(parent / FILE_NAME):
            return parent / FILE_NAME
        if parent == root:
            return None
    return None


def _from_config_ini(path: Path) -> Layer:
    keys = [each.config_ini[1:].split("] ") for each in INPUTS if each.config_ini.startswith("[")]
    sections = {section: tuple(key for other, key in keys if other == section) for section, _ in keys}
    folder = workspace_of(path)
    return {
        name: Given(found.text, found.where, path.parent, Source.CONFIG_INI, folder, found.problem, found.needed_by)
        for name, found in read_config_ini(path, sections).items()
    }


def _is_file_name(path: Path) -> bool:
    return path.suffix.lower() == ".ini" or path.suffix in (".yml", ".yaml")


def _end(folder: Given) -> Path | None:
    """Return None for a wrong path, which is told with the other problems."""
    try:
        return folder.path()
    except ValueError:
        return None
