"""Shows what a person sees at each second of the build, push and save of a model of 1 GB.

python bench/each_second.py [--gigabytes 1] [--all]

The weights lie in the program folder. Each command runs in a terminal of 100 columns, then once more without one. The
table has the longest time for which nothing changed but a spinner; `--all` prints each second's line. It needs Docker
Engine; the sandbox is its own.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / ".venv/bin/model-dockerize"
COLUMNS = 100
MAIN = "import shutil\nimport sys\n\nshutil.copy(sys.argv[1], sys.argv[2])\n"
COMMANDS = {
    "build": ("build", "model"),
    "push": ("push", "model", "--sandbox"),
    "save": ("save", "model", "--archive", "."),
    "run": ("run", "model", "--sandbox"),
}
_MOVE = re.compile(r"\x1b\[\??(\d*)[;\d]*([A-Za-z])|\r|\n")

_NO_WORDS = re.compile(r"\x1b\[\??[\d;]*[A-Za-z]|[\u2800-\u28ff]")  # colors, and the spinner


class Screen:
    """The lines of a terminal, as far as rich's Live moves in them."""

    def __init__(self) -> None:
        self.rows, self.row = [""], 0

    def feed(self, text: str) -> None:
        at = 0
        for move in _MOVE.finditer(text):
            self._write(text[at : move.start()])
            at = move.end()
            if move[0] == "\n":
                self.row += 1
                if self.row == len(self.rows):
                    self.rows.append("")
            elif move[2] == "A":
                self.row = max(0, self.row - int(move[1] or 1))
            elif move[2] == "K":
                self.rows[self.row] = ""
        self._write(text[at:])

    def _write(self, text: str) -> None:
        self.rows[self.row] += text

    @property
    def last(self) -> str:
        rows = (_NO_WORDS.sub("", row).strip() for row in reversed(self.rows))
        return next(filter(None, rows), "")


def seen(
    command: tuple[str, ...], cwd: Path, environment: dict[str, str], is_terminal: bool
) -> Iterator[tuple[float, str]]:
    """Yield (seconds since the start, the last line) whenever the screen changes.

    Raises:
        SystemExit: the command failed; holds what it wrote.
    """
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    if is_terminal:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    started = time.monotonic()
    process = subprocess.Popen(
        [PROGRAM, *command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen, before, everything = Screen(), "", b""
    try:
        while True:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            everything += part
            screen.feed(part.decode(errors="replace"))
            if screen.last != before:
                before = screen.last
                yield time.monotonic() - started, before
    finally:
        os.close(ours)
    if process.wait():
        raise SystemExit(everything.decode(errors="replace"))
    yield time.monotonic() - started, "(end)"


def make(folder: Path, gigabytes: float) -> None:
    """Write a program with that many bytes of weights."""
    (folder / "smoke").mkdir(parents=True)
    (folder / "smoke/input.txt").write_text("hello\n", encoding="utf-8")
    (folder / "main.py").write_text(MAIN, encoding="utf-8")
    for number in range(4):
        with (folder / f"weights-{number}.bin").open("wb") as file:
            for _ in range(int(gigabytes * 256)):
                file.write(os.urandom(1 << 20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--all", action="store_true", help="each second's line")
    asked = parser.parse_args()
    print("| command | terminal | seconds | longest time without a change | after |\n|---|---|---|---|---|")
    for is_terminal in (True, False):
        with tempfile.TemporaryDirectory(prefix="each-second-") as text:
            home, names = Path(text), ("model:latest",)
            environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            environment |= {"MODEL_DOCKERIZE_HOME": text, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
            environment["DOCKER_CONFIG"] = f"{text}/docker"
            make(home / "model", asked.gigabytes)
            subprocess.run(["docker", "image", "rm", "--force", *names], check=False, capture_output=True)
            try:
                for name, command in COMMANDS.items():
                    changes = list(seen(command, home, environment, is_terminal))
                    table(name, "yes" if is_terminal else "no", changes)
                    if asked.all:
                        each_second(changes)
            finally:
                subprocess.run([PROGRAM, "sandbox", "stop"], env=environment, check=False, capture_output=True)
                subprocess.run(["docker", "image", "rm", "--force", *names], check=False, capture_output=True)
                shutil.rmtree(home / "model")


def table(name: str, is_terminal: str, changes: list[tuple[float, str]]) -> None:
    gaps = [(end - start, line) for (start, line), (end, _) in zip([(0.0, "start"), *changes], changes, strict=False)]
    longest, line = max(gaps)
    print(f"| {name} | {is_terminal} | {changes[-1][0]:.0f} | {longest:.1f} s | `{line[:80]}` |", flush=True)


def each_second(changes: list[tuple[float, str]]) -> None:
    for second in range(int(changes[-1][0]) + 1):
        line = next((line for at, line in reversed(changes) if at <= second), "")
        print(f"    {second:4} {line[:COLUMNS]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
