"""Measures what the self-test of mode `warm` costs: seconds until a runner is ready, in a build and at a start.

python bench/self_test.py [--rounds 5]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import warm
from throughput import CACHE

from model_server.runner_client import RunnerClient
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot

PLAIN = "import sys, json, csv\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())\n"


def seconds(folder: Path, python: str, mode: str, keep: bool) -> float:
    """Start a runner; return how long that takes; `keep`: what its self-test finds stays for the next."""
    manifest = folder / "model.json"
    command = [python, "main.py", "{input}", "{output}"]
    document = {"command": command, "working_directory": str(folder), "sample": "smoke/input.csv"}
    manifest.write_text(json.dumps(document), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        slot = OwnSlot(runner_command(command, manifest), environment={"MODEL_RUNNER_MODE": mode}, log=log.fileno())
        client = RunnerClient(slot)
        started = time.perf_counter()
        client.prepare()
        taken = time.perf_counter() - started
        client.stop()
    if client.mode.partition(" ")[0] != (mode if mode == "command" else "warm"):
        raise SystemExit(f"mode {client.mode}")
    if keep:
        (folder / "self-test.json").write_text(json.dumps(client.record), encoding="utf-8")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    CACHE.mkdir(parents=True, exist_ok=True)
    print("| program | mode command | the build | a start |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        plain, iris = Path(text, "plain"), Path(text, "iris")
        (plain / "smoke").mkdir(parents=True)
        (plain / "smoke/input.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        (plain / "main.py").write_text(PLAIN, encoding="utf-8")
        shutil.copytree(warm.EXAMPLE, iris)
        python = warm.python_of_iris()
        subprocess.run([python, "train.py"], cwd=iris, check=True, capture_output=True)
        for name, folder, interpreter in (("three modules of Python", plain, sys.executable), ("iris", iris, python)):
            taken: dict[str, list[float]] = {"command": [], "build": [], "start": []}
            for _ in range(rounds):
                (folder / "self-test.json").unlink(missing_ok=True)
                taken["command"].append(seconds(folder, interpreter, "command", keep=False))
                taken["build"].append(seconds(folder, interpreter, "auto", keep=True))
                taken["start"].append(seconds(folder, interpreter, "auto", keep=False))
            print(f"| {name} | " + " | ".join(f"{median(values):.1f} s" for values in taken.values()) + " |")


if __name__ == "__main__":
    main()
