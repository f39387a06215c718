"""Programs, run by hand and by the runner in its default mode, to find any difference.

    python -m tests.rig.both_modes [--python PYTHON | --environment FOLDER] [NAME or FOLDER ...]

NAME is one of small_programs.PROGRAMS, of library_programs.PROGRAMS or a file of programs/ (all if none is given), and
FOLDER has a main.py. In the virtual environment --environment, which is made if it is not there, lies what the programs
say that they need; else what PYTHON lacks fails by hand. The answer of a difference, or of a program that fails by
hand, is exit code 1.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.rig import library_programs
from tests.rig.small_programs import PROGRAMS

from model_server.runner_client import RunnerClient
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot

JOBS = 4
SECONDS = 120.0
#: Of the jobs in turns; the first is the sample, by which the mode is chosen.
INPUTS = ("a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4\n5,6\n")
#: Programs with libraries, by their names. Each says what it needs in a comment (PEP 723).
FILES = {path.stem: path for path in sorted(Path(__file__).with_name("programs").glob("*.py"))}
ALL = [*PROGRAMS, *library_programs.PROGRAMS, *FILES]
_NEEDS = re.compile(r"^# /// script\n((?:# .*\n)*?)# ///$", re.MULTILINE)
_INSTALLED = "installed"
_HEAD = "import sys\nout = open(sys.argv[2], 'w')\ntext = open(sys.argv[1]).read()\n"


@dataclass(frozen=True)
class Seen:
    """The outputs, job after job; None: nothing."""

    by_hand: list[bytes | None]
    by_runner: list[bytes | None]
    mode: str

    @property
    def difference(self) -> str:
        """Return what differs, or "". Outputs that differ by hand must do so in the runner."""
        by_hand, by_runner = _by_input(self.by_hand), _by_input(self.by_runner)
        if all(len(set(outputs)) == 1 for outputs in by_hand):
            return "" if list(map(set, by_runner)) == list(map(set, by_hand)) else "another output"
        by_chance = all(len(set(outputs)) == len(outputs) for outputs in by_hand)
        repeats = any(len(set(outputs)) < len(outputs) for outputs in by_runner)
        return "outputs repeat" if by_chance and repeats else ""


def _by_input(outputs: list[bytes | None]) -> list[list[bytes | None]]:
    return [outputs[turn :: len(INPUTS)] for turn in range(len(INPUTS))]


def needs(name: str) -> list[str]:
    """Return the packages that a program of FILES or of the library needs."""
    if name in library_programs.PROGRAMS:
        return [library_programs.REQUIREMENT]
    said = _NEEDS.search(FILES[name].read_text(encoding="utf-8"))
    text = said.group(1).replace("# ", "") if said else ""
    return list(tomllib.loads(text).get("dependencies", []))


def install(folder: Path, names: list[str], base: str = sys.executable) -> str:
    """Return the Python of a virtual environment with what these programs need; it is made if it is not there."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
        packages = sorted({package for name in names if name not in PROGRAMS for package in needs(name)})
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def write(folder: Path, name: str) -> Path:
    """Make the folder of a program of PROGRAMS, FILES or the library, and beside it what is installed."""
    folder.mkdir()
    folder.with_name(_INSTALLED).mkdir()
    if name in FILES:
        shutil.copyfile(FILES[name], folder / "main.py")
        return folder
    of_library = {**library_programs.PROGRAMS, **library_programs.LOADED}
    if name in of_library:
        (folder / "main.py").write_text(of_library[name], encoding="utf-8")
        return folder
    main, *others = PROGRAMS[name].split("=== ")
    (folder / "main.py").write_text(_HEAD + main, encoding="utf-8")
    for other in others:
        module, _, code = other.partition("\n")
        (folder.with_name(_INSTALLED) / f"{module}.py").write_text(code, encoding="utf-8")
    return folder


def compare(folder: Path, python: str) -> Seen:
    """Run a folder's program on its own input, if it has one, else on INPUTS; the first counts as its sample."""
    own = sorted(folder.glob("smoke/input.*"))
    inputs = [own[0].read_bytes()] if own else [text.encode() for text in INPUTS]
    (folder / "sample.csv").write_bytes(inputs[0])
    turns = [inputs[number % len(inputs)] for number in range(JOBS)]
    by_hand = [_by_hand(folder, python, given) for given in turns[:-1]]
    by_runner, mode = _served(folder, python, turns)
    # The last one after the runner's: so the time makes a difference by hand, too, if it makes one at all.
    return Seen([*by_hand, _by_hand(folder, python, turns[-1])], by_runner, mode)


def _by_hand(folder: Path, python: str, given: bytes) -> bytes | None:
    """Run the program as every program of the server is: its priority, umask, session, and a HOME of its own."""
    source, target = folder.parent / "in", folder.parent / "out"
    source.write_bytes(given)
    run = ["run"] if "gravityai" in (folder / "main.py").read_text(encoding="utf-8") else []
    with tempfile.TemporaryDirectory() as home, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            ["nice", "-n", "10", python, "main.py", *run, str(source), str(target)],
            cwd=folder,
            env={**_environment(folder), "HOME": home},
            umask=0o077,
            start_new_session=True,
            preexec_fn=_let_interrupt,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    return _take(target)


def _served(folder: Path, python: str, turns: list[bytes]) -> tuple[list[bytes | None], str]:
    """Run the program by the runner; return the outputs and the mode."""
    source, target, manifest = folder.parent / "in", folder.parent / "out", folder.parent / "model.json"
    command = [python, "main.py", "{input}", "{output}"]
    document = {"command": command, "working_directory": str(folder), "sample": "sample.csv"}
    manifest.write_text(json.dumps(document), encoding="utf-8")
    with (folder.parent / "log").open("wb") as log:
        slot = OwnSlot(runner_command(command, manifest), environment=_environment(folder), log=log.fileno())
        client = RunnerClient(slot)
        outputs = []
        try:
            client.prepare()
            for number, given in enumerate(turns):
                source.write_bytes(given)
                client.run(str(number), source, target, SECONDS)
                outputs.append(_take(target))
        finally:
            client.stop()
    return outputs, client.mode


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(folder.with_name(_INSTALLED)), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "MODEL_RUNNER_MODE": ""}


def _let_interrupt() -> None:
    """Undo what a shell does to what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _take(path: Path) -> bytes | None:
    """Return the result and remove it; a library may have appended an ending to its name."""
    found = [path] if path.is_file() else list(path.parent.glob(f"{path.name}.*"))
    content = found[0].read_bytes() if len(found) == 1 else None
    for one in found:
        one.unlink()
    return content


def main() -> int:
    """Print a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--environment", type=Path)
    parser.add_argument("programs", nargs="*", default=ALL)
    options = parser.parse_args()
    python = install(options.environment, ALL, options.python) if options.environment else options.python
    differences = failures = 0
    for name in options.programs:
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work, "program")
            if name in ALL:
                write(folder, name)
            else:
                shutil.copytree(name, folder, symlinks=True)
            seen = compare(folder, python)
        differences += bool(seen.difference)
        failures += None in seen.by_hand
        said = "FAILS" if None in seen.by_hand else "same"
        shown = name if name in ALL else "/".join(Path(name).parts[-2:])
        sys.stdout.write(f"{'DIFFERS: ' + seen.difference if seen.difference else said:8} {shown:24} {seen.mode}\n")
        if seen.difference:
            pairs = zip(seen.by_hand, seen.by_runner, strict=True)
            sys.stdout.write("".join(f"  by hand {mine!r}\n  served  {theirs!r}\n" for mine, theirs in pairs))
        sys.stdout.flush()
    sys.stdout.write(f"{len(options.programs)} programs, {differences} differences, {failures} fail by hand\n")
    return 1 if differences or failures else 0


if __name__ == "__main__":
    sys.exit(main())
