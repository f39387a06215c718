"""Prepares the program folder at build time; the base image may lack a shell."""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from model_server.errors import StartError

#: Where server and program write.
TEMPORARY = Path("/tmp")  # noqa: S108
#: Where the engine makes resolv.conf and hosts for a step of a build, and takes them away after it.
ETC = Path("/etc")
_OPEN_TO_ALL = 0o1777
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")


def prepare(program: str, folder: Path, temporary: Path, found: Path, etc: Path) -> None:
    """Compile the folder, let all read it, and note the program's path in `found`.

    Args:
        folder: working directory of program and process.
        etc: changed by the engine during this step.
    """
    path = find(program)
    if path is None:
        raise StartError(_missing(program, folder))
    times = {path: path.lstat().st_mtime_ns for path in _walk(folder)}
    python = path if _PYTHON.fullmatch(Path(path).name) else find("python")
    if python is not None:
        # A file that does not compile is no error until the program runs it.
        _compile(python, folder)
    _let_read(folder)
    try:
        temporary.mkdir(exist_ok=True)
        if stat.S_IMODE(temporary.stat().st_mode) != _OPEN_TO_ALL:
            temporary.chmod(_OPEN_TO_ALL)
        found.write_text(json.dumps({program: path}), encoding="utf-8")
    except OSError as error:
        raise StartError(f"cannot make {error.filename}: {error.strerror}") from error
    # The same folder must give the same layer, also with a new server. The classic image store puts the time of `etc`
    # into the layer, and BuildKit keeps the time that it has when the step ends (executor/stubs.go).
    for made in (*_walk(folder), temporary, found, found.parent, etc):
        time = times.get(made, times[folder])
        if made.lstat().st_mtime_ns != time:
            os.utime(made, ns=(time, time), follow_symlinks=False)


def find(program: str) -> str | None:
    """Find the program on PATH; `python3` if there is no `python`."""
    names = ("python", "python3") if program == "python" else (program,)
    return next(filter(None, map(shutil.which, names)), None)


def _missing(program: str, folder: Path) -> str:
    if (folder / program).is_file():  # an absolute path, too
        name = program if "/" in program else f"./{program}"
        if os.access(folder / program, os.X_OK):
            return f"{program} is not on PATH, but in the folder: write {name} into the model's command"
        return f"{name}, which the model's command calls, is not executable: chmod +x it, or name its interpreter"
    names = "python and no python3" if program == "python" else program
    return f"the image has no {names}, which the model's command calls"


def _compile(python: str, folder: Path) -> None:
    with suppress(OSError):
        subprocess.run(
            [str(folder / python), "-m", "compileall", "-q", str(folder)],
            cwd="/",  # -m imports from here first, and the folder may have a compileall.py of its own
            # Before Python 3.11 the bytecode of a set depends on the hash seed.
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def _let_read(folder: Path) -> None:
    # Only what others cannot read or run: a changed mode puts the whole file into the layer.
    for path in _walk(folder):
        mode = path.lstat().st_mode
        is_folder = stat.S_ISDIR(mode)
        needed = 0o005 if is_folder or mode & 0o111 else 0o004
        if (is_folder or stat.S_ISREG(mode)) and mode & needed != needed:
            path.chmod(stat.S_IMODE(mode) | (0o555 if is_folder or mode & 0o111 else 0o444))


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))
