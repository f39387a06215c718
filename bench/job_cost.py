"""The processor time of a `run-job`, thread for thread, of this checkout and of others in turns.

python bench/job_cost.py [--workers 8,3] [--processes 1,2] [--clients 8] [--mode library] [--csv] [--three]
    [--seconds 0.5] [--rounds 8] [--cores 8] [LIB ...]

LIB is the folder `lib` of a checkout; none: this one's. All servers run side by side, and the load goes from one to the
next, so that all of them meet the same machine. Of each the round counts that cost least: other work only adds.

`--cores` adds what these costs come to on so many cores. It is a calculation, not a measurement.
"""

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import load
import ours
from throughput import CACHE, CLIENTS, HERE, python_of

#: What is measured, in the order of the columns: milliseconds of processor time a job.
PARTS = ("loop", "other threads", "runners and programs", "client")
#: A program of the library that answers a CSV as it came: the model has a schema, so the server checks and writes it.
ECHO = """
import shutil
from gravityai import gravityai as grav
grav.wait_for_requests(lambda source, target: shutil.copyfile(source, target) and None)
"""
COLUMNS = [{"Path": name, "DataType": "number", "Optional": False} for name in "abcd"]
CSV = b"a,b,c,d\n" + b"5.1,3.5,1.4,0.2\n" * 3
CSV_TYPES = ["text/csv; header=present"]
CSV_MODEL = {"input_types": CSV_TYPES, "output_types": CSV_TYPES, "schema": {"input": COLUMNS}}


@dataclass(frozen=True)
class Kind:
    """Names a server to measure."""

    lib: Path
    workers: int
    processes: int

    def __str__(self) -> str:
        return f"{self.lib}, {self.workers} workers, {self.processes} processes"


@dataclass(frozen=True)
class Round:
    """Hold the figures of one load."""

    load: load.Load
    #: By PARTS, milliseconds a job.
    cost: dict[str, float]

    @property
    def total(self) -> float:
        """Return the milliseconds a job of all PARTS."""
        return sum(self.cost.values())


def ran(process: int, thread: int) -> float:
    """Return the milliseconds that a thread has run; 0 if it is gone."""
    try:
        text = Path(f"/proc/{process}/task/{thread}/schedstat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(text.split()[0]) / 1e6


def threads(process: int) -> list[int]:
    """Return the threads of a process; none if it is gone."""
    try:
        return [int(path.name) for path in Path(f"/proc/{process}/task").iterdir()]
    except OSError:
        return []


def below(process: int) -> list[int]:
    """Return all processes that a process started, and theirs."""
    found = []
    for thread in threads(process):
        try:
            children = Path(f"/proc/{process}/task/{thread}/children").read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *below(child)]
    return found


def is_server(process: int) -> bool:
    """Tell whether a process is one of a server, or their parent."""
    try:
        return b"model_server" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def spent(server: int) -> dict[str, float]:
    """Return the milliseconds by PARTS so far; of several processes their sums."""
    loop = others = runners = 0.0
    for process in (server, *below(server)):
        of_threads = {thread: ran(process, thread) for thread in threads(process)}
        if is_server(process):
            loop += of_threads.pop(process, 0.0)
            others += sum(of_threads.values())
        else:
            runners += sum(of_threads.values())
    return dict(zip(PARTS, (loop, others, runners, time.process_time() * 1000), strict=True))


def measure(port: int, server: int, call: load.Call, seconds: float, clients: int) -> Round:
    """Put a load on a server, all of which must be answered rightly."""
    before = spent(server)
    found = load.run(port, call, clients, seconds)
    after = spent(server)
    if found.refused or not found.completed:
        raise SystemExit(f"{found.refused} jobs were refused or wrong, {found.completed} were not")
    return Round(found, {part: (after[part] - before[part]) / found.completed for part in PARTS})


def bounds(cost: dict[str, float], processes: int, cores: int) -> dict[str, float]:
    """Return the jobs a second that each part alone would let through, calculated from what a job costs it.

    Python runs one thread of a process at a time, so loop and other threads count together. Only one process at a time
    writes to SQLite: as if all that its thread does were writing.
    """
    loop, disk, runners = (cost[part] for part in PARTS[:3])
    return {
        "the server's processes": 1000 * processes / (loop + disk),
        "SQLite's one writer": 1000 / disk,
        "all cores": 1000 * cores / (loop + disk + runners),
    }


def line(kind: Kind, best: Round) -> str:
    """Return a row of the table."""
    cost = " | ".join(f"{best.cost[part]:.2f}" for part in PARTS)
    late = best.load.percentile(0.99)
    return (
        f"| {kind.lib} | {kind.workers} | {kind.processes} | {cost} | {best.total:.2f} | {best.load.rate:.0f} | "
        f"{best.load.median:.1f} | {late:.1f} |"
    )


def tell(found: dict[Kind, list[Round]], cores: int | None) -> None:
    """Print the tables."""
    best = {kind: min(rounds, key=lambda one: one.total) for kind, rounds in found.items()}
    print(f"| lib | workers | processes | {' | '.join(PARTS)} | all, ms a job | jobs a second | median ms | p99 ms |")
    print("|---|---|---|" + "---|" * (len(PARTS) + 4))
    for kind, one in best.items():
        print(line(kind, one))
    for kind, rounds in found.items():
        print(f"\n{kind}, jobs a second in its rounds: {', '.join(f'{one.load.rate:.0f}' for one in rounds)}")
    if cores:
        print(
            f"\nCalculated for {cores} cores:\n\n| costs of | processes | jobs a second | bound by |\n|---|---|---|---|"
        )
        for kind, processes in product(best, (1, 2, 4, 8)):
            by = bounds(best[kind].cost, processes, cores)
            part = min(by, key=lambda name: by[name])
            print(f"| {kind} | {processes} | {by[part]:.0f} | {part} |")


def start(stack: ExitStack, kind: Kind, python: str, mode: str, with_csv: bool) -> tuple[int, int]:
    """Start a server; return its port and its process."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=CACHE)))
    if with_csv:
        (folder / "main.py").write_text(ECHO, encoding="utf-8")
    else:
        shutil.copy(HERE / "double.py", folder / "main.py")
    environment = {"MODEL_WORKERS": str(kind.workers), "MODEL_RUNNER_MODE": mode}
    environment["PYTHONPATH"] = str(kind.lib.absolute())
    environment["MODEL_SERVER_PROCESSES"] = str(kind.processes)
    command = [python, "main.py", "{input}", "{output}"]
    return stack.enter_context(ours.server(folder, command, model=CSV_MODEL if with_csv else None, **environment))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libs", nargs="*", metavar="LIB", type=Path, default=[ours.ROOT / "lib"])
    parser.add_argument("--workers", default="8,3")
    parser.add_argument("--processes", default="1", help="of the server")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--cores", type=int, help="calculate for so many")
    parser.add_argument("--mode", default="library", help="runner mode")
    parser.add_argument("--csv", action="store_true", help="a small CSV for a model with a schema, not a number")
    parser.add_argument("--three", action="store_true", help="add, wait and fetch, instead of one request")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    python = python_of("gravityai", "gravityai==0.1.4.post2")
    if python is None:
        raise SystemExit("the library could not be installed")
    content, expected = (CSV, CSV) if arguments.csv else (b"21", b"42")
    door = ours.job if arguments.three else ours.run_job
    counts = [list(map(int, text.split(","))) for text in (arguments.workers, arguments.processes)]
    found: dict[Kind, list[Round]] = defaultdict(list)
    with ExitStack() as stack:
        kinds = [Kind(*one) for one in product(arguments.libs, *counts)]
        servers = {kind: start(stack, kind, python, arguments.mode, arguments.csv) for kind in kinds}
        for number in range(arguments.rounds + 1):
            for kind, (port, server) in servers.items():
                one = measure(
                    port,
                    server,
                    lambda connection: door(connection, content, expected),
                    arguments.seconds,
                    arguments.clients,
                )
                if number:  # the first warms up
                    found[kind].append(one)
    tell(found, arguments.cores)


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    main()
