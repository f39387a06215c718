"""The iris example: a job in a new process beside one in a fork and one by the library, in one run, turn by turn.

python bench/warm.py [--jobs 15]
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import load
import ours
from throughput import CACHE, python_of

#: The example's own function, as a program of the library calls it.
LIBRARY = """from gravityai import gravityai as grav
from main import main
grav.wait_for_requests(lambda source, target: main(source, target))
"""
EXAMPLE = ours.ROOT / "examples/iris-classifier"


def python_of_iris() -> str:
    """Return the interpreter of an environment with the example's requirements and the library."""
    python = python_of("iris", "--requirement", EXAMPLE / "requirements.txt", "gravityai==0.1.4.post2")
    if python is None:
        raise SystemExit("The example's packages could not be installed.")
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=15)
    jobs = parser.parse_args().jobs
    CACHE.mkdir(parents=True, exist_ok=True)
    python = python_of_iris()
    content = (EXAMPLE / "smoke/input.csv").read_bytes()
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        folders = {mode: Path(text, mode) for mode in ("command", "warm", "library")}
        for folder in folders.values():
            shutil.copytree(EXAMPLE, folder)
            subprocess.run([python, "train.py"], cwd=folder, check=True, capture_output=True)
        (folders["library"] / "library.py").write_text(LIBRARY)
        with ExitStack() as stack:
            ports = {}
            for mode, folder in folders.items():
                command = [python, "library.py" if mode == "library" else "main.py", "{input}", "{output}"]
                server = ours.server(folder, command, "smoke/input.csv", MODEL_RUNNER_MODE=mode)
                ports[mode], _ = stack.enter_context(server)
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
    new_process = statistics.median(seconds["command"])
    for mode in ("warm", "library"):
        print(f"\n{mode} is {new_process / statistics.median(seconds[mode]):.1f} times faster")


if __name__ == "__main__":
    main()
