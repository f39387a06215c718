"""Processor time of a job, in turns by mode: of the server, its runners and the programs. The clock counts for nothing.

python bench/processor_time.py [--jobs 2000] [--rounds 3] [--workers 8] [MODE ...]
"""

import argparse
import os
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import load
import ours
from throughput import CACHE, CLIENTS, HERE, START_SECONDS, python_of

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(top: int) -> dict[str, float]:
    """User and system time of a process and of all below it, by what they are."""
    found, below = {}, defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
            words = path.with_name("cmdline").read_text(encoding="utf-8").split("\0")
        except OSError:
            continue  # it ended meanwhile
        pid = int(path.parent.name)
        below[int(fields[1])].append(pid)
        found[pid] = (sum(map(int, fields[11:13])) / TICKS, words)
    taken: dict[str, float] = defaultdict(float)
    waiting = [top]
    while waiting:
        pid = waiting.pop()
        waiting += below[pid]
        seconds, words = found.get(pid, (0.0, []))
        is_runner = any(word.endswith("model_runner/runner.py") for word in words)
        taken["server" if "model_server" in words else "runner" if is_runner else "program"] += seconds
    return taken


def measure(python: str, mode: str, jobs: int, workers: int) -> dict[str, float]:
    """Serve at least so many jobs; return the milliseconds of one, by process."""
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        folder = Path(text)
        shutil.copy(HERE / "double.py", folder / "main.py")
        command = [python, "main.py", "{input}", "{output}"]
        environment = {"MODEL_WORKERS": str(workers), "MODEL_RUNNER_MODE": mode}
        with ours.server(folder, command, **environment) as (port, pid):

            def work(clients: int) -> int:
                done = load.run(port, lambda client: ours.run_job(client, b"21", b"42"), clients, 1)
                if done.refused:
                    raise SystemExit(f"mode {mode}: {done.refused} jobs were refused or wrong")
                return done.completed

            deadline = time.monotonic() + START_SECONDS
            while work(CLIENTS) < jobs / 20 and time.monotonic() < deadline:
                pass
            before, done = processor_seconds(pid), 0
            while done < jobs:
                done += work(CLIENTS)
            after = processor_seconds(pid)
        log = (folder / "bench.log").read_text(encoding="utf-8")
        if f"runner: mode {mode}" not in log:
            raise SystemExit(f"it was not mode {mode}: {log[-300:]}")
    return {what: 1000 * (after[what] - before[what]) / done for what in ("server", "runner", "program")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modes", nargs="*", default=["resident", "library"])
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=CLIENTS)
    arguments = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    python = python_of("gravityai", "gravityai==0.1.4.post2")
    if python is None:
        raise SystemExit("the library could not be installed")
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for mode in arguments.modes:
            found[mode].append(measure(python, mode, arguments.jobs, arguments.workers))
    print("| mode | ms a job, all | in its rounds | server | runners | programs |\n|---|---|---|---|---|---|")
    for mode, rounds in found.items():
        sums = [sum(one.values()) for one in rounds]
        parts = " | ".join(f"{median(one[what] for one in rounds):.3f}" for what in ("server", "runner", "program"))
        print(f"| {mode} | {median(sums):.3f} | {', '.join(f'{one:.3f}' for one in sums)} | {parts} |")


if __name__ == "__main__":
    main()
