"""Runs a Jupyter notebook as the program: papermill executes it anew for each job, with the two files as parameters."""

import json
import re
from typing import Any

from model_dockerize.program.problems import Problems

SUFFIX = ".ipynb"
#: What is installed beside the model's packages, which stay as they are: it executes, and is the kernel.
NAMES = ("papermill", "ipykernel")
PACKAGES = ("papermill>=2.4", "ipykernel")
INPUT, OUTPUT = "input", "output"  # names of the parameters
# The executed notebook is kept nowhere; what its cells print goes to the log.
_EXECUTED = "/dev/null"
_OPTIONS = ("--kernel", "python3", "--log-output", "--no-progress-bar")


def command(name: str, parameters: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return how a notebook is executed.

    Args:
        name: its path in the folder.
        parameters: arguments of papermill that name both files; empty: as the variables `input` and `output`.
    """
    files = parameters or ("-r", INPUT, f"{{{INPUT}}}", "-r", OUTPUT, f"{{{OUTPUT}}}")
    return ("python", "-m", "papermill", name, _EXECUTED, *_OPTIONS, *files)


def check(name: str, text: str, called: tuple[str, ...], problems: Problems) -> None:
    """Say what keeps a notebook from being a program.

    Args:
        name: its path in the folder.
        text: its content.
        called: what `command` returned.
        problems: gets the sentences.
    """
    try:
        cells, language = _read(text)
    except (ValueError, LookupError, RecursionError, AttributeError, TypeError):
        problems.wrong_folder(f"{name} is no notebook of Jupyter (nbformat 4).")
        return
    if language.lower() != "python":
        problems.wrong_folder(f"{name} is a notebook in {language}; those in Python can be run.")
        return
    used = {word for cell in cells for word in re.findall(r"\w+", cell)}
    missing = [parameter for parameter in (INPUT, OUTPUT) if parameter not in used]
    if missing and called == command(name):
        problems.wrong_folder(
            f"{name} uses no variable {' and no '.join(missing)}: it gets the paths of both files as the parameters "
            f"{INPUT} and {OUTPUT}. Use them, or name those that it has: "
            f"--command '{name} -r path_in {{{INPUT}}} -r path_out {{{OUTPUT}}}'."
        )


def _read(text: str) -> tuple[list[str], str]:
    """Return the code cells and the language."""
    content: dict[str, Any] = json.loads(text)
    metadata = content.get("metadata", {})
    language = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    if content["nbformat"] != 4:
        raise ValueError("another format")
    cells = [cell["source"] for cell in content["cells"] if cell["cell_type"] == "code"]
    return ["".join(source) for source in cells], str(language or "python")
