"""The processor time of a `run-job` at 8 clients, thread for thread, of this checkout and of others in turns.

python bench/job_cost.py [--workers 8,3] [--mode library] [--csv] [--three] [--seconds 0.5] [--rounds 8] [LIB ...]

LIB is the folder `lib` of a checkout; none: this one's. All servers run side by side, and the load goes from one to the
next, so that all of them meet the same machine. Of each the round counts that cost least: other work only adds.
"""

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
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
class Round:
    """Hold the figures of one load."""

    load: load.Load
    #: By PARTS, milliseconds a job.
    cost: dict[str, float]

    @property
    def total(self) -> float:
        """Milliseconds a job of all PARTS."""
        return sum(self.cost.values())


def ran(process: int, thread: int) -> float:
    """Milliseconds that a thread has run; 0 if it is gone."""
    try:
        text = Path(f"/proc/{process}/task/{thread}/schedstat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(text.split()[0]) / 1e6


def threads(process: int) -> list[int]:
    """The threads of a process; none if it is gone."""
    try:
        return [int(path.name) for path in Path(f"/proc/{process}/task").iterdir()]
    except OSError:
        return []


def below(process: int) -> list[int]:
    """All processes that a process started, and theirs."""
    found = []
    for thread in threads(process):
        try:
            children = Path(f"/proc/{process}/task/{thread}/children").read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *below(child)]
    return found


def spent(server: int) -> dict[str, float]:
    """Milliseconds by PARTS so far."""
    of_server = {thread: ran(server, thread) for thread in threads(server)}
    loop = of_server.pop(server)
    runners = sum(ran(process, thread) for process in below(server) for thread in threads(process))
    return dict(zip(PARTS, (loop, sum(of_server.values()), runners, time.process_time() * 1000), strict=True))


def measure(port: int, server: int, call: load.Call, seconds: float) -> Round:
    """Puts a load on a server, all of which must be answered rightly."""
    before = spent(server)
    found = load.run(port, call, CLIENTS, seconds)
    after = spent(server)
    if found.refused or not found.completed:
        raise SystemExit(f"{found.refused} jobs were refused or wrong, {found.completed} were not")
    return Round(found, {part: (after[part] - before[part]) / found.completed for part in PARTS})


def line(name: str, workers: int, best: Round) -> str:
    """A row of the table."""
    cost = " | ".join(f"{best.cost[part]:.2f}" for part in PARTS)
    late = best.load.percentile(0.99)
    return (
        f"| {name} | {workers} | {cost} | {best.total:.2f} | {best.load.rate:.0f} | "
        f"{best.load.median:.1f} | {late:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libs", nargs="*", metavar="LIB", type=Path, default=[ours.ROOT / "lib"])
    parser.add_argument("--workers", default="8,3")
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
    found: dict[tuple[Path, int], list[Round]] = defaultdict(list)
    with ExitStack() as stack:
        servers = {}
        for lib in arguments.libs:
            for workers in map(int, arguments.workers.split(",")):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=CACHE)))
                if arguments.csv:
                    (folder / "main.py").write_text(ECHO, encoding="utf-8")
                else:
                    shutil.copy(HERE / "double.py", folder / "main.py")
                environment = {"MODEL_WORKERS": str(workers), "MODEL_RUNNER_MODE": arguments.mode}
                environment["PYTHONPATH"] = str(lib.absolute())
                command = [python, "main.py", "{input}", "{output}"]
                model = CSV_MODEL if arguments.csv else None
                servers[lib, workers] = stack.enter_context(ours.server(folder, command, model=model, **environment))
        for number in range(arguments.rounds + 1):
            for key, (port, server) in servers.items():
                one = measure(port, server, lambda connection: door(connection, content, expected), arguments.seconds)
                if number:  # the first warms up
                    found[key].append(one)
    print(f"| lib | workers | {' | '.join(PARTS)} | all, ms a job | jobs a second | median ms | p99 ms |")
    print("|---|---|" + "---|" * (len(PARTS) + 4))
    for (lib, workers), rounds in found.items():
        print(line(str(lib), workers, min(rounds, key=lambda one: one.total)))


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    main()
