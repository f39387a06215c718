"""Runs a Jupyter notebook as the program, by papermill."""

import json
import re
from itertools import pairwise
from typing import Any

from model_dockerize.program.problems import Problems

SUFFIX = ".ipynb"
#: What is installed beside the model's packages, which stay as they are: it executes, and is the kernel.
NAMES = ("papermill", "ipykernel")
PACKAGES = ("papermill>=2.4", "ipykernel")
INPUT, OUTPUT = "input", "output"  # names of the parameters
# The executed notebook is kept nowhere; what its cells print goes to the log.
_EXECUTED = "/dev/null"
_TEXT = re.compile(r"""(?<!\w)(["'])[^"'\n]*\1""")  # in one line; those with a prefix may hold variables
_COMMENT = re.compile(r"#.*")
_SETTING = ("injected-parameters", "parameters")  # tags of cells
_OPTIONS = ("--kernel", "python3", "--log-output", "--no-progress-bar")


def command(name: str, parameters: tuple[str, ...] = ()) -> tuple[str, ...]:
    files = parameters or ("-r", INPUT, f"{{{INPUT}}}", "-r", OUTPUT, f"{{{OUTPUT}}}")
    return ("python", "-m", "papermill", name, _EXECUTED, *_OPTIONS, *files)


def check(name: str, text: str, called: tuple[str, ...], problems: Problems) -> None:
    """Report what keeps a notebook from being a program."""
    if re.search(r"^-|[{}]", name):
        problems.wrong_folder(f"{name!r} is a name that papermill reads otherwise: rename it, without - or braces.")
    try:
        cells, language, set_by = _read(text)
    except (ValueError, LookupError, RecursionError, AttributeError, TypeError):
        problems.wrong_folder(f"{name} is no notebook of Jupyter (nbformat 4).")
        return
    if language.lower() != "python":
        problems.wrong_folder(f"{name} is a notebook in {language}; those in Python can be run.")
        return
    given = _given(called)
    if fixed := [parameter for parameter in given if _sets(parameter, cells[set_by:])]:
        problems.wrong_folder(
            f"{name} sets {' and '.join(fixed)} after a job's own paths are set, so each job would use the same file. "
            "Give the cell with these defaults the tag `parameters`, before the others, or remove them."
        )
    used = {word for cell in cells for word in re.findall(r"\w+", cell)}
    missing = [parameter for parameter in (INPUT, OUTPUT) if parameter not in used]
    if missing and given == [INPUT, OUTPUT]:
        problems.wrong_folder(
            f"{name} uses no variable {' and no '.join(missing)}: it gets the paths of both files as the parameters "
            f"{INPUT} and {OUTPUT}. Use them, or name those that it has: "
            f"--command '{name} -r path_in {{{INPUT}}} -r path_out {{{OUTPUT}}}'."
        )


def _given(called: tuple[str, ...]) -> list[str]:
    return [before for before, word in pairwise(called) if f"{{{INPUT}}}" in word or f"{{{OUTPUT}}}" in word]


def _sets(name: str, cells: list[str]) -> bool:
    lines = _COMMENT.sub("", _TEXT.sub("''", "\n".join(cells))).splitlines()
    uses = re.compile(rf"\b{re.escape(name)}\b")
    target, equals, value = next(filter(uses.search, lines), "").partition("=")
    return target.rstrip() == name and bool(equals) and not value.startswith("=") and not uses.search(value)


def _read(text: str) -> tuple[list[str], str, int]:
    content: dict[str, Any] = json.loads(text)
    metadata = content.get("metadata", {})
    language = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    if content["nbformat"] != 4:
        raise ValueError("another format")
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    tags = [cell.get("metadata", {}).get("tags", ()) for cell in code]
    # papermill's own cell replaces that of an earlier execution, else follows the first with the tag `parameters`, else
    # is the first.
    set_by = next((place + 1 for tag in _SETTING for place, found in enumerate(tags) if tag in found), 0)
    return ["".join(cell["source"]) for cell in code], str(language or "python"), set_by
