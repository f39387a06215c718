"""Dockerfile syntax: RUN, COPY and quoting."""

import json
import re
import shlex

from model_dockerize.program.types import Program

CONTEXT_ARGUMENT = "MODEL_CONTEXT"
#: Of the program, in the image.
FOLDER = "/program"
PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[0-9.]*")


def run(*parts: str) -> str:
    return "RUN " + " \\\n    ".join(parts)


def copies(paths: tuple[str, ...]) -> list[str]:
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        by_folder.setdefault(path.rpartition("/")[0], []).append(path)
    return [copy(tuple(files), folder) for folder, files in by_folder.items()]


def copy(paths: tuple[str, ...], folder: str) -> str:
    sources = [f"${{{CONTEXT_ARGUMENT}}}/{_copy_word(path)}" for path in paths]
    target = f"{FOLDER}/{_copy_word(folder, glob=False)}/" if folder else f"{FOLDER}/"
    return f"COPY {json.dumps([*sources, target], ensure_ascii=False)}"


def _copy_word(path: str, *, glob: bool = True) -> str:
    # BuildKit expands variables and quotes in a path, then matches it as a pattern.
    pattern = "".join(f"[{char}]" if glob and char in "*?[" else char for char in path)
    return re.sub(r"""([\\$"'])""", r"\\\1", pattern)


def path_word(path: str) -> str:
    # So that it is not taken for an option.
    return f"./{path}"


def quote(text: str) -> str:
    return '"' + re.sub(r"""([\\$"])""", r"\\\1", text) + '"'


def interpreter(program: Program) -> str:
    # As `model-server prepare` finds it.
    first = program.command[0]
    if first != "python" and PYTHON.fullmatch(first):
        return shlex.quote(first)
    return '"$(command -v python || echo python3)"'
