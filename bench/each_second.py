"""Shows what a person sees at each second of the build, push and save of a model of 1 GB.

python bench/each_second.py [--gigabytes 1] [--all]

The weights lie in the program folder. Each command runs in a terminal of 100 columns, then once more without one. The
table has the longest time for which nothing changed but a spinner; `--all` prints each second's line. It needs Docker
Engine; the sandbox is its own.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.rig.terminal import Screen, written  # noqa: E402 - the checkout comes first

PROGRAM = ROOT / ".venv/bin/model-dockerize"
COLUMNS = 100
MAIN = "import shutil\nimport sys\n\nshutil.copy(sys.argv[1], sys.argv[2])\n"
COMMANDS = {
    "build": ("build", "model"),
    "push": ("push", "model", "--sandbox"),
    "save": ("save", "model", "--archive", "."),
    "run": ("run", "model", "--sandbox"),
}
_NO_WORDS = re.compile(r"\x1b\[\??[\d;]*[A-Za-z]|[\u2800-\u28ff]")  # colors, and the spinner


def seen(
    command: tuple[str, ...], cwd: Path, environment: dict[str, str], is_terminal: bool
) -> Iterator[tuple[float, str]]:
    """Yield (seconds since the start, the last line) whenever the screen changes."""
    started, screen, before = time.monotonic(), Screen(), ""
    for part in written((PROGRAM, *command), cwd, environment, COLUMNS if is_terminal else None):
        screen.feed(part)
        rows = (_NO_WORDS.sub("", row).strip() for row in reversed(screen.rows))
        if (last := next(filter(None, rows), "")) != before:
            before = last
            yield time.monotonic() - started, before
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
            environment |= {"MODEL_DOCKERIZE_HOME": text, "TERM": "xterm-256color"}
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
