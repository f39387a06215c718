"""Writes a first program, its sample and a model-dockerize.yml."""

import ast
import csv
import io
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from model_dockerize.errors import ModelDockerizeError
from model_dockerize.inside import OutsideError, resolved
from model_dockerize.program import first_program, python_version
from model_dockerize.program.inspection import inspect
from model_dockerize.progress import Progress, TransfersOnly
from model_dockerize.settings import ImageSettings, ProgramSettings, SmokeSettings

_YML_NAME = "model-dockerize.yml"
_YML = """# What differs from what is found in the folder, here commented out. All names: model-dockerize run --help-all
# command: {command}
# {base}
# memory: 2048
"""
#: What tells that a folder holds a program, besides an executable.
_PROGRAM = re.compile(
    r"\.(py|ipynb|r|jl|sh|bash|bat|ps1|js|mjs|cjs|ts|php|rb|pl|lua|java|jar|kt|kts|scala|groovy|clj|go|rs|swift|zig|nim|"
    r"dart|c|cc|cpp|cxx|cs|fs|vb|m|f|f90|f95|hs|ml|ex|exs)",
    re.IGNORECASE,
)
_SETTINGS = (_YML_NAME, "Config.ini", "Dockerfile", "pyproject.toml", "package.json", "gravityai-build.json")
_FIRST_ROWS = "name,age,city\nAda,36,London\nGrace,45,\nAlan,41,Manchester\n"
_ROWS = 5
_MOST_READ = 256 * 1024  # bytes of a data file, and of a program
_MOST_FILES = 500  # that are looked at
_DATA = (".csv", ".json", ".jsonl", ".txt")
_NO_DATA = ("requirements", "readme", "license", "licence", "notice", "constraints", "package", "tsconfig")
_MOST_COLUMNS = 50
_LONGEST_CELL = 131072  # what Python's csv reads; somebody may have told this process to read more
_PLAIN_WORD = re.compile(r"[\w@%+=:,./{}-]+", re.ASCII)  # that a shell leaves as it is


def start(folder: Path, progress: Progress) -> bool:
    """Write what is missing of program, sample and model-dockerize.yml; tell whether anything was.

    Raises:
        OSError: a file cannot be written.
        OutsideError: smoke/ leads out of the folder.
    """
    smoke = resolved(folder / "smoke", folder)
    there = {path.name for path in smoke.glob("*")}
    if there <= {"input.csv"} and not holds_a_program(folder):
        made = _first(folder)
    else:
        made = [] if any(smoke.glob("input.*")) else [_sample(folder, progress)]
    if not (folder / _YML_NAME).exists():
        made.append(_write(folder, _YML_NAME, _yml(folder, progress), "three commented lines; nothing has to be there"))
    if said := list(filter(None, made)):
        progress.info(f"made {', '.join(said)}")
    return bool(said)


def holds_a_program(folder: Path) -> bool:
    """Tell whether a file of settings or something to run is in it, at any depth."""
    return any((folder / name).exists() for name in _SETTINGS) or any(
        _PROGRAM.fullmatch(path.suffix) or (not path.suffix and os.path.isfile(path) and os.access(path, os.X_OK))  # noqa: PTH113  no error in a folder that is closed to us
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _first(folder: Path) -> list[str]:
    """Write a program, and, without a sample, one with its true answer."""
    source = Path(first_program.__file__).read_text(encoding="utf-8")
    program = "main.py", source, "a program to begin with: replace predict() by your model"
    if (folder / "smoke" / "input.csv").exists():
        return [_write(folder, *program)]
    candidates = chain(_data(folder, (".csv",)), [(_FIRST_ROWS, "")])
    rows, where, answer = next((*each, answer) for each in candidates if (answer := _answer(each[0])))
    return [
        _write(folder, *program),
        _write(folder, "smoke/input.csv", rows, f"the beginning of {where}" if where else "its sample"),
        _write(folder, "smoke/expected.csv", answer, "its answer to that"),
    ]


def _answer(rows: str) -> str:
    """Return what the first program answers; empty: it cannot read them."""
    answer = io.StringIO()
    try:
        first_program.answer(io.StringIO(rows, newline=""), answer)
        longest = max(len(cell) for row in csv.reader(io.StringIO(rows, newline="")) for cell in row)
    except (csv.Error, ValueError):
        return ""
    return answer.getvalue() if longest <= _LONGEST_CELL else ""


def _yml(folder: Path, progress: Progress) -> str:
    bytes_only = TransfersOnly(progress)
    try:
        found = inspect(ProgramSettings(program_path=folder), ImageSettings(), SmokeSettings(), bytes_only)
    except ModelDockerizeError as error:  # `run` would stop at the same
        for problem in error.details or (str(error),):
            progress.warning(problem)
        command, version, base = "python YOURS.py {input} {output}", python_version.DEFAULT, ""
    else:
        command = _typed((found.entry,) if found.is_notebook else found.command)
        version, base = found.python_version, found.base_image
    return _YML.format(command=command, base=f'python-version: "{version}"' if version else f"base-image: {base}")


def _typed(words: Iterable[str]) -> str:
    """Write a command as its setting reads it, {input} and {output} without quotes."""
    command = " ".join(word if _PLAIN_WORD.fullmatch(word) else shlex.quote(word) for word in words)
    if ": " in command or " #" in command:  # in YAML, they end a text without quotes
        return "'" + command.replace("'", "''") + "'"
    return command


def _sample(folder: Path, progress: Progress) -> str:
    if found := next(_data(folder), None):
        text, name = found
        suffix = Path(name).suffix
        return _write(folder, f"smoke/input{suffix}", text, f"the beginning of {name}")
    columns, where = _columns(folder)
    if columns:
        rows = io.StringIO()
        csv.writer(rows, lineterminator="\n").writerows([columns, ["1"] * len(columns)])
        progress.warning(
            f"smoke/input.csv is a stub: its columns are those that {where} names, its values are invented. "
            "Put real rows there."
        )
        return _write(folder, "smoke/input.csv", rows.getvalue(), "a stub")
    progress.warning("smoke/input.txt is a stub: nothing here says what the program reads. Put a real input there.")
    return _write(folder, "smoke/input.txt", "Replace this by what the program reads.\n", "a stub")


def _data(folder: Path, suffixes: tuple[str, ...] = _DATA) -> Iterator[tuple[str, str]]:
    for suffix in suffixes:
        for path in _files(folder, suffix):
            if path.name.lower().startswith(_NO_DATA):
                continue
            text = _read(path)
            if text.strip() and (beginning := _beginning(text, suffix, path.stat().st_size < _MOST_READ)):
                yield beginning, str(path.relative_to(folder))


def _beginning(text: str, suffix: str, is_whole: bool) -> str:
    if suffix == ".csv":
        return _table(text)
    if suffix == ".jsonl":
        return "".join(islice(io.StringIO(text, newline=""), _ROWS))
    return text if is_whole else ""


def _table(text: str) -> str:
    # A quoted cell may have several lines.
    rows = quotes = end = 0
    for line in io.StringIO(text, newline=""):
        quotes, end = quotes + line.count('"'), end + len(line)
        rows += quotes % 2 == 0
        if rows > _ROWS:
            break
    return text[:end] if rows > 1 else ""


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    """Skip links that lead outside."""
    looked = 0
    for pattern in (f"*{suffix}", f"[!.]*/*{suffix}"):
        for path in sorted(folder.glob(pattern)):
            looked += 1
            if looked > _MOST_FILES:
                return
            try:
                if resolved(path, folder).is_file():
                    yield path
            except (OSError, OutsideError):
                continue


def _columns(folder: Path) -> tuple[list[str], str]:
    for path in _files(folder, ".py"):
        if path.parent != folder:
            continue
        try:
            tree = ast.parse(_read(path))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        named = sorted(
            (node.lineno, node.col_offset, node.slice.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Load)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        )
        if columns := list(dict.fromkeys(name for *_, name in named))[:_MOST_COLUMNS]:
            return columns, path.name
    return [], ""


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_READ)
        whole = data if len(data) < _MOST_READ else data[: data.rfind(b"\n") + 1]
        return whole.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def _write(folder: Path, name: str, text: str, what: str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return ""
    return f"{name} ({what})"
