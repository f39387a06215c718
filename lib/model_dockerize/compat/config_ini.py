"""Reads Config.ini as inputs (docs/existing-files.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from model_dockerize.compat.ini import Ini, Sections, read_ini

#: What images of such a file are built on where it does not say otherwise.
BASE_IMAGE = "python:3.6"
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


@dataclass(frozen=True)
class Written:
    """An input in the file (see `settings.Given`)."""

    text: str
    where: str
    problem: str = ""
    needed_by: tuple[str, ...] = ()


def read_config_ini(path: Path, sections: Sections) -> Mapping[str, Written]:
    """Return the file's inputs; relative paths start at its folder.

    Args:
        sections: names of inputs, with _ for -.
    """
    ini = read_ini(path, sections)
    found = {key.replace("_", "-"): _written(ini, section, key) for section, keys in sections.items() for key in keys}
    found["deploy-service"] = Written("false", f"{path} (it knows no service)")
    found |= {where: Written("", where, problem) for where, problem in ini.unknown}
    return found | dict(_inside(ini, found["program-path"].text))


def folder_of(program_path: str, base: Path = Path()) -> str:
    """Return a program path's folder; the path may name its Dockerfile."""
    path = Path(program_path)
    return str(path.parent) if path.name == "Dockerfile" and not (base / path).is_dir() else program_path


def _written(ini: Ini, section: str, key: str) -> Written:
    entry = ini.get(section, key)
    text = entry.text.strip()
    if text and key == "program_path":
        text = folder_of(text, ini.path.parent)
    if not text and key in _ALWAYS:
        return Written("", entry.where, f"it is missing or empty; it is {_ALWAYS[key]}")
    if not text and key in _FLAGS:
        # Left out, the step is not wanted. Written but empty, nobody knows.
        there = (section, key) in ini.entries
        return Written("" if there else "false", entry.where, "it is empty: write true or false" if there else "")
    return Written(text or _EMPTY.get(key, ""), entry.where, needed_by=_NEEDED.get(key, ()))


def _inside(ini: Ini, program: str) -> Iterator[tuple[str, Written]]:
    # The INI file names these two from its own folder.
    folder = ini.path.parent / program
    for key in ("requirements_file", "init_file"):
        entry = ini.get("dockerfile", key)
        text = entry.text.strip()
        if text and program:
            try:
                if (folder / text).exists():
                    continue
                relative = (ini.path.parent / text).resolve().relative_to(folder.resolve())
            except (OSError, ValueError, RuntimeError):
                continue  # outside of the folder, or no path at all: told where the folder is inspected
            yield key.replace("_", "-"), Written(relative.as_posix(), entry.where)
