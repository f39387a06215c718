"""Reads setup.py, which only setuptools understands, or setup.cfg."""

import ast
import configparser

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from model_dockerize.program.formats.folder import Folder, UnusableError
from model_dockerize.program.types import MARKER, Packages

SCRIPT = "setup.py"
CONFIGURATION = "setup.cfg"


def read(folder: Folder) -> Packages | None:
    options, extras = _options(folder, "options"), _options(folder, "options.extras_require")
    python = options.get("python_requires", "")
    if SCRIPT in folder.texts:
        script = _keywords(folder.texts[SCRIPT])
        folder.choose(SCRIPT, (*extras, *_keys(script.get("extras_require"))), ())
        chosen = f"[{','.join(sorted(folder.extras))}]" if folder.extras else ""
        return Packages(
            source=SCRIPT,
            need_code=True,
            local=("-e", f".{chosen}"),
            python=python or _text(script.get("python_requires")),
        )
    if not options and not extras:
        return None
    folder.choose(CONFIGURATION, extras, ())
    wanted_extras = [text for name, text in extras.items() if canonicalize_name(name) in folder.extras]
    texts = (options.get("install_requires", ""), *wanted_extras)
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    try:
        wanted = [str(Requirement(line)) for line in lines if not line.startswith("#")]
    except InvalidRequirement as error:
        raise UnusableError(f"{CONFIGURATION}: install_requires: {error}.") from error
    if not wanted:
        return None
    text = "\n".join((f"{MARKER} From {CONFIGURATION}; edits are lost.", *wanted, ""))
    return Packages(source=CONFIGURATION, text=text, python=python, need_git="git+" in text)


def _options(folder: Folder, section: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(folder.texts.get(CONFIGURATION, ""))
    except configparser.Error as error:
        raise UnusableError(f"{CONFIGURATION} cannot be read: {error.message}.") from error
    return dict(parser[section]) if parser.has_section(section) else {}


def _keywords(script: str) -> dict[str, ast.expr]:
    try:
        tree = ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {node.arg: node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}


def _text(value: ast.expr | None) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else ""


def _keys(value: ast.expr | None) -> list[str]:
    return list(filter(None, map(_text, value.keys))) if isinstance(value, ast.Dict) else []
