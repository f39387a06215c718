"""Config.ini: the file that drives main.py, as inputs of ours. docs/existing-files.md describes it for its users."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from model_dockerize.settings.declaration import OPTIONS, Source
from model_dockerize.settings.given import Given, workspace_of
from model_dockerize.settings.ini import Ini, read_ini

#: What images of such a file are built on where it does not say otherwise.
BASE_IMAGE = "python:3.6"
_DECLARED = [found for option in OPTIONS if (found := re.fullmatch(r"\[(\w+)\] (\w+)", option.config_ini))]
_SECTIONS = {
    section: tuple(found[2] for found in _DECLARED if found[1] == section)
    for section in dict.fromkeys(found[1] for found in _DECLARED)
}
_AWS_STEPS = ("push-to-ecr", "create-job-def", "deploy-service")
#: Inputs that must be given, and the inputs of which one must be true for that. None: always.
_NEEDED: dict[str, tuple[str, ...]] = {
    "aws_config_file": _AWS_STEPS,
    "repository": ("push-to-ecr",),
    "version": ("push-to-ecr",),
    "batch_config_file": ("create-job-def",),
}
_ALWAYS = {"program_path": "the folder that holds the program", "image_name": "the name of the image"}
#: What an empty or missing value means, where our inputs would mean something else.
_EMPTY = {
    "requirements_file": "none",
    "init_file": "none",
    "base_image": BASE_IMAGE,
    "image_version": "latest",
}
_FLAGS = ("push_to_ecr", "create_job_def")


def from_config_ini(path: Path) -> dict[str, Given]:
    """Return the inputs that the file gives. Relative paths start at its folder.

    Raises:
        InputError: the file cannot be read or is no INI file. What is wrong with its values is told by `to_settings`.
    """
    ini = read_ini(path, _SECTIONS)
    given = {key.replace("_", "-"): _given(ini, section, key) for section, keys in _SECTIONS.items() for key in keys}
    given["deploy-service"] = Given("false", f"{path} (it knows no service)", path.parent)
    for where, problem in ini.unknown:
        given[where] = Given("", where, path.parent, problem=problem)
    given |= dict(_inside(ini, given["program-path"]))
    folder = workspace_of(path)
    return {name: replace(value, source=Source.CONFIG_INI, folder=folder) for name, value in given.items()}


def folder_of(program_path: str, base: Path = Path()) -> str:
    """Return the folder that a program path means, which may also name the Dockerfile in it."""
    path = Path(program_path)
    return str(path.parent) if path.name == "Dockerfile" and not (base / path).is_dir() else program_path


def _given(ini: Ini, section: str, key: str) -> Given:
    entry, base = ini.get(section, key), ini.path.parent
    text = entry.text.strip()
    if text and key == "program_path":
        text = folder_of(text, base)
    if not text and key in _ALWAYS:
        return Given("", entry.where, base, problem=f"it is missing or empty; it is {_ALWAYS[key]}")
    if not text and key in _FLAGS:
        # Left out, the step is not wanted. Written but empty, nobody knows.
        there = (section, key) in ini.entries
        problem = "it is empty: write true or false" if there else ""
        return Given("" if there else "false", entry.where, base, problem=problem)
    return Given(text or _EMPTY.get(key, ""), entry.where, base, needed_by=_NEEDED.get(key, ()))


def _inside(ini: Ini, program: Given) -> Iterator[tuple[str, Given]]:
    """Yield the program folder's two files as paths in it, where the INI file names them from its own folder."""
    folder = program.base / Path(program.text)
    for key in ("requirements_file", "init_file"):
        entry = ini.get("dockerfile", key)
        text = entry.text.strip()
        if text and program.text:
            try:
                if (folder / text).exists():
                    continue
                relative = (program.base / text).resolve().relative_to(folder.resolve())
            except (OSError, ValueError, RuntimeError):
                continue  # outside of the folder, or no path at all: told where the folder is inspected
            yield key.replace("_", "-"), Given(relative.as_posix(), entry.where, program.base)
