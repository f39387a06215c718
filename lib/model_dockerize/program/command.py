"""Finds the command that starts the program."""

import re
import shlex
from pathlib import PurePosixPath

from model_dockerize.program import notebook
from model_dockerize.program.files import IGNORED, Listing
from model_dockerize.program.problems import Problems

_USUAL = ("main.py", "model.py", "predict.py", "inference.py", "run.py", "app.py")
_NOT_A_PROGRAM = re.compile(r"setup\.py|hubconf\.py|conftest\.py|test_.*\.py|.*_test\.py|__init__\.py|noxfile\.py")
_GUARD = re.compile(r"^if\s+__name__\s*==\s*[\"']__main__[\"']", re.M)
_IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.M)
#: What a service imports that waits for requests, and a program that takes two files does not.
_WEB = re.compile(
    r"^(?:import|from)\s+(bentoml|bottle|cherrypy|cog|dash|django|fastapi|flask|gradio|litserve|mlserver|panel|quart|"
    r"sanic|shiny|starlette|streamlit)\b",
    re.M,
)
#: How programs are called that are not Python's.
_CALLED = {".sh": "bash {}", ".R": "Rscript {}", ".r": "Rscript {}", ".jl": "julia {}"}
_IN_A_FOLDER = re.compile(r"\{(?:input|output)\}(?:\.\w+)*/")
_SET_UP = ("init.", "setup.", "install.")
_MOST_NAMES = 5
INPUT, OUTPUT = "{input}", "{output}"


def find(setting: str, listing: Listing, sources: dict[str, str], problems: Problems) -> tuple[str, tuple[str, ...]]:
    """Return the entry script (may be empty) and the argv.

    Args:
        setting: a command, arguments for the entry script, or empty.
    """
    if not setting.strip():
        entry = _entry(listing, sources, problems)
        return entry, notebook.command(entry) if entry.endswith(notebook.SUFFIX) else (*_python(entry), INPUT, OUTPUT)
    try:
        words = shlex.split(setting)
    except ValueError as error:
        problems.wrong_input(f"command {setting!r} cannot be split into words: {error}.")
        return "", ()
    if any(char in word for word in words for char in "\n\r\0"):
        problems.wrong_input("command holds a line break; write it in one line.")
    if not words[0].strip():
        problems.wrong_input(f"command {setting!r} begins with an empty word.")
    if any(_IN_A_FOLDER.search(word) for word in words):
        problems.wrong_input(f"command {setting!r} names files in {INPUT} or {OUTPUT}; each is one file.")
    placeholders = [name for name in (INPUT, OUTPUT) if any(name in word for word in words)]
    is_notebook = words[0].endswith(notebook.SUFFIX)
    if not placeholders and not is_notebook:
        words += [INPUT, OUTPUT]
    elif len(placeholders) == 1 or (is_notebook and len(words) > 1 and not placeholders):
        missing = " and ".join(name for name in (INPUT, OUTPUT) if name not in placeholders)
        problems.wrong_input(f"command {setting!r} does not name {missing}; a model needs both files.")
    if words[0].startswith("-") or any(name in words[0] for name in placeholders):
        words = [*_python(_entry(listing, sources, problems)), *words]
    elif words[0].endswith(".py"):
        words = ["python", *words]
    elif is_notebook:
        words = list(notebook.command(words[0], tuple(words[1:])))
    paths = words if "/" in words[0] else words[1:]  # the first word may be a program on PATH
    scripts = [word.removeprefix("./") for word in paths if word.endswith((".py", ".R", ".sh", ".jl", notebook.SUFFIX))]
    for script in scripts[:1]:
        if not script.startswith("/") and not listing.holds(script):
            problems.wrong_input(f"command {setting!r} calls {script!r}, which is not in the folder.")
    entry = next((word for word in words if listing.holds(word.removeprefix("./"))), "")
    return entry.removeprefix("./"), tuple(words)


def _python(script: str) -> tuple[str, str]:
    return "python", f"./{script}" if script.startswith("-") else script


def _entry(listing: Listing, sources: dict[str, str], problems: Problems) -> str:
    services = {name: found[1] for name, text in sources.items() if (found := _WEB.search(text))}
    for name in _USUAL:
        if name in sources and name not in services:
            return name
    scripts = [name for name in sources if not _NOT_A_PROGRAM.fullmatch(name) and name not in services]
    guarded = [name for name in scripts if _GUARD.search(sources[name])]
    imported = {module for name in scripts for module in _IMPORT.findall(sources[name])}
    for candidates in (guarded, [name for name in scripts if name.removesuffix(".py") not in imported]):
        if len(candidates) == 1:
            return candidates[0]
    looked_for = ", ".join(_USUAL)
    notebooks = [file.path for file in listing.files if "/" not in file.path and file.path.endswith(notebook.SUFFIX)]
    if not scripts and len(notebooks) == 1:
        return notebooks[0]
    others = _others(listing, services)
    if scripts:
        problems.wrong_folder(
            f"no entry point: none of {looked_for}, and several scripts could be it: {', '.join(guarded or scripts)}. "
            f"Say how to call yours with command, e.g. --command 'python score.py {INPUT} {OUTPUT}'.{others}"
        )
    elif notebooks:
        problems.wrong_folder(
            f"no entry point: several notebooks could be it: {', '.join(notebooks)}. Name yours with command, e.g. "
            f"--command {notebooks[0]}."
        )
    else:
        problems.wrong_folder(
            f"no entry point: none of {looked_for}, and no other script of Python at the top of the folder. "
            f"Say how to call your program with command, e.g. --command 'python -m package {INPUT} {OUTPUT}'.{others}"
        )
    return ""


def _others(listing: Listing, services: dict[str, str]) -> str:
    hidden = [item.path for item in listing.excluded if item.reason == IGNORED and item.path.endswith(".py")]
    called = [
        f"{file.path}: --command '{_CALLED[PurePosixPath(file.path).suffix].format(file.path)} {{input}} {{output}}'"
        for file in listing.files
        if "/" not in file.path and PurePosixPath(file.path).suffix in _CALLED and not file.path.startswith(_SET_UP)
    ]
    sentences = [
        *(f"{name} is a web service (it imports {what})." for name, what in services.items()),
        *([f"The .dockerignore leaves out {', '.join(hidden[:_MOST_NAMES])}."] if hidden else []),
        *([f"There is {', or '.join(called[:_MOST_NAMES])}."] if called else []),
    ]
    return "".join(f" {sentence}" for sentence in sentences)
