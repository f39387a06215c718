"""Reads conda's environment.yml where it asks conda for nothing but Python and pip."""

import re
from typing import Any

import yaml

from model_dockerize.program.formats.constraints import conda_python
from model_dockerize.program.formats.folder import Folder, UnusableError, table
from model_dockerize.program.formats.requirements import is_local
from model_dockerize.program.types import MARKER, Packages

FILES = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "env.yml", "env.yaml")
_SPEC = re.compile(r"(?:[\w-]+::)?(?P<name>[\w.-]+?)\s*(?P<version>[=<>!~].*|\s.*)?")
_FROM_BASE = ("python", "pip", "setuptools", "wheel")  # what every base image with Python has


def read(folder: Folder) -> Packages | None:
    """Install what the environment asks pip for.

    Raises:
        UnusableError: it asks conda for packages.
    """
    file = next((name for name in FILES if name in folder.texts), "")
    if not file:
        return None
    try:
        content = yaml.safe_load(folder.texts[file])
    except (yaml.YAMLError, RecursionError) as error:
        raise UnusableError(f"{file} is not valid YAML: {error}.") from error
    asked = table(content, file, "its content").get("dependencies") or []
    if not isinstance(asked, list):
        raise UnusableError(f"{file}: dependencies is no list.")
    specs = [match for match in (_SPEC.fullmatch(str(one).strip()) for one in asked if not _is_pips(one)) if match]
    others = [match["name"] for match in specs if match["name"] not in _FROM_BASE]
    if others:
        raise UnusableError(
            f"{file} asks for packages of conda ({', '.join(others)}), which are not installed. List what pip can "
            "install in requirements.txt; or set `requirements-file: none` and a base-image that has them, such as one "
            "on mambaorg/micromamba (docs/base-images.md)."
        )
    lines = [str(line) for one in asked if _is_pips(one) for line in one["pip"] or ()]
    if any("\n" in line or line.lstrip().startswith("-") for line in lines):
        raise UnusableError(f"{file}: an option of pip stands among its packages. Move them into requirements.txt.")
    text = "\n".join((f"{MARKER} From {file}; edits are lost.", *lines, "")) if lines else ""
    python = next((conda_python(match["version"] or "") for match in specs if match["name"] == "python"), "")
    git = any("git+" in line for line in lines)
    return Packages(
        source=file, text=text, exact=not lines, need_code=any(map(is_local, lines)), need_git=git, python=python
    )


def _is_pips(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("pip"), list | None)
