"""Writes a first sample and model-dockerize.yml."""

import ast
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from model_dockerize.inside import OutsideError, resolved
from model_dockerize.progress import Progress

_YML = """# What differs from what is found in the folder. Names: docs/inputs.md, or `model-dockerize run --help-all`.
# command: python main.py {input} {output}
# python-version: "3.12"
# memory: 2048
"""
_ROWS = 5
_MOST_READ = 256 * 1024  # bytes of a data file, and of a program
_MOST_FILES = 500  # that are looked at
_DATA = (".csv", ".json", ".jsonl", ".txt")
_NO_DATA = ("requirements", "readme", "license", "licence", "notice", "constraints", "package", "tsconfig")
_MOST_COLUMNS = 50


def start(folder: Path, progress: Progress) -> bool:
    """Write smoke/input.* and model-dockerize.yml where missing; tell whether any was.

    Raises:
        OSError: a file cannot be written.
        OutsideError: smoke/ leads out of the folder.
    """
    has_sample = any(resolved(folder / "smoke", folder).glob("input.*"))
    made = [] if has_sample else [_sample(folder, progress)]
    made.append(_write(folder / "model-dockerize.yml", _YML, "three commented lines; nothing has to be in it"))
    if said := list(filter(None, made)):
        progress.info(f"made {', '.join(said)}")
    return bool(said)


def _sample(folder: Path, progress: Progress) -> str:
    if found := next(_data(folder), None):
        text, name = found
        suffix = Path(name).suffix
        return _write(folder / "smoke" / f"input{suffix}", text, f"the beginning of {name}")
    columns, where = _columns(folder)
    if columns:
        rows = io.StringIO()
        csv.writer(rows, lineterminator="\n").writerows([columns, ["1"] * len(columns)])
        progress.warning(
            f"smoke/input.csv is a stub: its columns are those that {where} names, its values are invented. "
            "Put real rows there."
        )
        return _write(folder / "smoke" / "input.csv", rows.getvalue(), "a stub")
    progress.warning("smoke/input.txt is a stub: nothing here says what the program reads. Put a real input there.")
    return _write(folder / "smoke" / "input.txt", "Replace this by what the program reads.\n", "a stub")


def _data(folder: Path) -> Iterator[tuple[str, str]]:
    for suffix in _DATA:
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


def _write(path: Path, text: str, what: str) -> str:
    shown = path.name if path.name == "model-dockerize.yml" else f"smoke/{path.name}"
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return ""
    return f"{shown} ({what})"
