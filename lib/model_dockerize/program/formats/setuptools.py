"""Reads setup.py and setup.cfg. Only setuptools knows what setup.py asks for, so the project is installed whole."""

import ast
import configparser

from packaging.requirements import InvalidRequirement, Requirement

from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import MARKER, Packages

SCRIPT = "setup.py"
CONFIGURATION = "setup.cfg"


def read(folder: Folder) -> Packages | None:
    """Install the project in place by its setup.py, else what setup.cfg asks for."""
    options = _options(folder)
    python = options.get("python_requires", "")
    if SCRIPT in folder.texts:
        return Packages(
            source=SCRIPT, need_code=True, local=("-e", "."), python=python or _python(folder.texts[SCRIPT])
        )
    lines = [line.strip() for line in options.get("install_requires", "").splitlines() if line.strip()]
    try:
        wanted = [str(Requirement(line)) for line in lines if not line.startswith("#")]
    except InvalidRequirement as error:
        raise UnusableError(f"{CONFIGURATION}: install_requires: {error}.") from error
    if not wanted:
        return None
    text = "\n".join((f"{MARKER} From {CONFIGURATION}; edits are lost.", *wanted, ""))
    return Packages(source=CONFIGURATION, text=text, python=python, need_git="git+" in text)


def _options(folder: Folder) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(folder.texts.get(CONFIGURATION, ""))
    except configparser.Error as error:
        raise UnusableError(f"{CONFIGURATION} cannot be read: {error.message}.") from error
    return dict(parser["options"]) if parser.has_section("options") else {}


def _python(script: str) -> str:
    """Find the text that setup.py gives as python_requires; empty if it is computed."""
    try:
        tree = ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "python_requires" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    return ""
