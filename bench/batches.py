"""Jobs a second with and without batches, 32 clients, for a program whose call costs more than its records.

python bench/batches.py [--seconds 5] [--rounds 3] [--clients 32] [--workers 1]

Each call of the program takes 20 ms and each record 0.1 ms more, by sleeping: so it is with a model on a GPU. Both
servers run side by side, and the load goes from one to the other in turns.
"""

import argparse
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import load
import ours

PROGRAM = """
import sys, time
with open(sys.argv[1]) as file:
    header, *rows = file.read().splitlines()
time.sleep(0.02 + 0.0001 * len(rows))
with open(sys.argv[2], "w") as file:
    file.write("".join(f"{row}\\n" for row in ["doubled", *(2 * int(row) for row in rows)]))
"""
CSV = ["text/csv; header=present"]
RECORDS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--workers", default="1")
    arguments = parser.parse_args()
    found: dict[str, list[load.Load]] = {}
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for name, records in (("without", 0), ("with", RECORDS)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (folder / "main.py").write_text(PROGRAM, encoding="utf-8")
            (folder / "sample.csv").write_text("number\n1\n2\n3\n", encoding="utf-8")
            model = {"input_types": CSV, "output_types": CSV, "limits": {"batch_records": records}}
            command = ["python3", str(folder / "main.py"), "{input}", "{output}"]
            ports[name], _ = stack.enter_context(
                ours.server(folder, command, "sample.csv", model, MODEL_WORKERS=arguments.workers)
            )
        for _ in range(arguments.rounds):
            for name, port in ports.items():
                call = partial(ours.run_job, content=b"number\n21\n", expected=b"doubled\n42\n")
                load.run(port, call, 1, 0.1)  # from now on its runner is ready
                found.setdefault(name, []).append(load.run(port, call, arguments.clients, arguments.seconds))
    print("| batches | jobs/s | median ms | p99 ms | refused or wrong |\n|---|---|---|---|---|")
    for name, loads in found.items():
        best = max(loads, key=lambda each: each.rate)
        wrong = sum(each.refused for each in loads)
        print(f"| {name} | {best.rate:.0f} | {best.median:.0f} | {best.percentile(0.99):.0f} | {wrong} |")


if __name__ == "__main__":
    main()
