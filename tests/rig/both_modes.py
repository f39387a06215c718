"""Programs, run by hand and by the runner in its default mode, to find any difference.

    python -m tests.rig.both_modes [--python PYTHON | --environment FOLDER] [NAME or FOLDER ...]

NAME is one of small_programs.PROGRAMS or a file of programs/ (all if none is given), FOLDER has a main.py. In the
virtual environment --environment, which is made if it is not there, lies what the files say that they need; else what
PYTHON lacks fails by hand. The answer of a difference, or of a program that fails by hand, is exit code 1.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.rig.small_programs import PROGRAMS

from model_server.runner_client import RunnerClient, runner_command
from model_server.slots import OwnSlot

JOBS = 4
SECONDS = 120.0
#: Of the jobs in turns; the first is the sample, by which the mode is chosen.
INPUTS = ("a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4\n5,6\n")
#: Programs with libraries, by their names. Each says what it needs in a comment (PEP 723).
FILES = {path.stem: path for path in sorted(Path(__file__).with_name("programs").glob("*.py"))}
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
        """Return what differs, or ""; outputs that differ by hand must do so in the runner."""
        for turn in range(len(INPUTS)):
            by_hand, by_runner = self.by_hand[turn :: len(INPUTS)], self.by_runner[turn :: len(INPUTS)]
            if len(set(by_hand)) == 1 and set(by_runner) != set(by_hand):
                return "another output"
            if len(set(by_hand)) == len(by_hand) and len(set(by_runner)) < len(by_runner):
                return "outputs repeat"
        return ""


def needs(name: str) -> list[str]:
    """Return the packages that a program of FILES needs."""
    said = _NEEDS.search(FILES[name].read_text(encoding="utf-8"))
    text = said.group(1).replace("# ", "") if said else ""
    return list(tomllib.loads(text).get("dependencies", []))


def install(folder: Path, names: list[str], base: str = sys.executable) -> str:
    """Return the Python of a virtual environment with what these programs need; it is made if it is not there."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
        packages = sorted({package for name in names for package in needs(name)})
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def write(folder: Path, name: str) -> Path:
    """Make the folder of a program of PROGRAMS or FILES, and beside it what is installed."""
    folder.mkdir()
    folder.with_name(_INSTALLED).mkdir()
    if name in FILES:
        shutil.copyfile(FILES[name], folder / "main.py")
        return folder
    main, *others = PROGRAMS[name].split("=== ")
    (folder / "main.py").write_text(_HEAD + main, encoding="utf-8")
    for other in others:
        module, _, code = other.partition("\n")
        (folder.with_name(_INSTALLED) / f"{module}.py").write_text(code, encoding="utf-8")
    return folder


def compare(folder: Path, python: str) -> Seen:
    """Run a folder's program on its own input, if it has one, else on INPUTS; the first counts as its sample."""
    work = folder.parent
    own = sorted(folder.glob("smoke/input.*"))
    inputs = [own[0].read_bytes()] if own else [text.encode() for text in INPUTS]
    (folder / "sample.csv").write_bytes(inputs[0])
    source, target, manifest = work / "in", work / "out", work / "model.json"
    command = [python, "main.py", "{input}", "{output}"]
    document = {"command": command, "working_directory": str(folder), "sample": "sample.csv"}
    manifest.write_text(json.dumps(document), encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(folder.with_name(_INSTALLED)), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "MODEL_RUNNER_MODE": ""}
    by_hand = []
    for number in range(JOBS):
        source.write_bytes(inputs[number % len(inputs)])
        home = work / f"home-{number}"
        home.mkdir(mode=0o700)
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["nice", "-n", "10", python, "main.py", str(source), str(target)],  # as every program of the server has
                cwd=folder,
                env={**environment, "HOME": str(home)},
                umask=0o077,  # the same
                start_new_session=True,  # the same
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        by_hand.append(_take(target))
    log = work / "log"
    with log.open("wb") as file:
        slot = OwnSlot(runner_command(command, manifest), environment=environment, log=file.fileno())
        client = RunnerClient(slot)
        try:
            client.prepare()
            by_runner = []
            for number in range(JOBS):
                source.write_bytes(inputs[number % len(inputs)])
                client.run(str(number), source, target, SECONDS)
                by_runner.append(_take(target))
        finally:
            client.stop()
    return Seen(by_hand, by_runner, client.mode)


def _take(path: Path) -> bytes | None:
    content = path.read_bytes() if path.is_file() else None
    path.unlink(missing_ok=True)
    return content


def main() -> int:
    """Print a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--environment", type=Path)
    parser.add_argument("programs", nargs="*", default=[*PROGRAMS, *FILES])
    options = parser.parse_args()
    python = install(options.environment, list(FILES), options.python) if options.environment else options.python
    differences = failures = 0
    for name in options.programs:
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work, "program")
            if name in PROGRAMS or name in FILES:
                write(folder, name)
            else:
                shutil.copytree(name, folder, symlinks=True)
            seen = compare(folder, python)
        differences += bool(seen.difference)
        failures += None in seen.by_hand
        said = "FAILS" if None in seen.by_hand else "same"
        shown = name if name in PROGRAMS or name in FILES else "/".join(Path(name).parts[-2:])
        sys.stdout.write(f"{'DIFFERS: ' + seen.difference if seen.difference else said:8} {shown:24} {seen.mode}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(options.programs)} programs, {differences} differences, {failures} fail by hand\n")
    return 1 if differences or failures else 0


if __name__ == "__main__":
    sys.exit(main())
