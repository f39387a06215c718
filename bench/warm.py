"""The iris example: a job in a new process beside a job in a fork, in one run, turn by turn.

python bench/warm.py [--jobs 15]
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import load
import ours
from throughput import CACHE

EXAMPLE = ours.ROOT / "examples/iris-classifier"


def python_of() -> str:
    """The interpreter of an environment with the example's requirements."""
    folder = CACHE / "iris"
    python = folder / "bin/python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        requirements = ["--requirement", EXAMPLE / "requirements.txt"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        (folder / "installed").touch()
    return str(python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=15)
    jobs = parser.parse_args().jobs
    CACHE.mkdir(parents=True, exist_ok=True)
    python = python_of()
    content = (EXAMPLE / "smoke/input.csv").read_bytes()
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        folders = {mode: Path(text, mode) for mode in ("command", "warm")}
        for folder in folders.values():
            shutil.copytree(EXAMPLE, folder)
            subprocess.run([python, "train.py"], cwd=folder, check=True, capture_output=True)
        command = [python, "main.py", "{input}", "{output}"]
        with (
            ours.server(folders["command"], command, MODEL_RUNNER_MODE="command") as (cold, _),
            ours.server(folders["warm"], command, "smoke/input.csv") as (warm, _),
        ):
            ports = {"command": cold, "warm": warm}
            seconds: dict[str, list[float]] = {mode: [] for mode in ports}

            async def measure() -> None:
                connections = {mode: load.Connection(port) for mode, port in ports.items()}
                for connection in connections.values():
                    await ours.job(connection, content, None)
                for _ in range(jobs):
                    for mode, connection in connections.items():
                        started = time.perf_counter()
                        if not await ours.job(connection, content, None):
                            raise SystemExit(f"a job failed in mode {mode}")
                        seconds[mode].append(time.perf_counter() - started)

            asyncio.run(measure())
    print("| mode | median ms, add-job to result | fastest | slowest |\n|---|---|---|---|")
    for mode, values in seconds.items():
        print(
            f"| {mode} | {statistics.median(values) * 1000:.0f} | {min(values) * 1000:.0f} | {max(values) * 1000:.0f} |"
        )
    print(f"\nwarm is {statistics.median(seconds['command']) / statistics.median(seconds['warm']):.1f} times faster")


if __name__ == "__main__":
    main()
