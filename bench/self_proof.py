"""Measures what self-proof costs a container at its start: seconds until it is ready, with and without, in turns.

python bench/self_proof.py [--rounds 5] [--gigabytes 1]

Two models: the iris example, and a program that reads its weights into memory before it answers. Needs Docker Engine.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

import requests
from each_second import PROGRAM, ROOT, make

sys.path.insert(0, str(ROOT))

from tests.rig.docker_command import docker

READING = """\
import pathlib
import shutil
import sys

WEIGHTS = [path.read_bytes() for path in sorted(pathlib.Path(__file__).parent.glob("weights-*.bin"))]
shutil.copy(sys.argv[1], sys.argv[2])
"""


def seconds(image: str, self_proof: bool) -> float:
    """Start a container, return how long it takes until /ready says so, and remove it."""
    name = f"self-proof-{uuid.uuid4().hex[:8]}"
    started = time.perf_counter()
    docker(
        "run",
        "--detach",
        "--name",
        name,
        "--env",
        f"MODEL_SELF_PROOF={str(self_proof).lower()}",
        "-p127.0.0.1::80",
        image,
    )
    try:
        url = f"http://{docker('port', name, '80').splitlines()[0]}/ready"
        while not _is_ready(url):
            if time.perf_counter() - started > 300:
                raise SystemExit(docker("logs", name))
            time.sleep(0.02)
        return time.perf_counter() - started
    finally:
        docker("rm", "--force", "--volumes", name)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gigabytes", type=float, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="self-proof-") as text:
        large, iris = Path(text, "large"), Path(text, "iris")
        make(large, asked.gigabytes)
        (large / "main.py").write_text(READING, encoding="utf-8")
        shutil.copytree(ROOT / "examples/iris-classifier", iris)
        print("| model | without | with | costs |\n|---|---|---|---|")
        for name, folder in (("iris", iris), (f"{asked.gigabytes:g} GB of weights", large)):
            image = f"bench-self-proof-{folder.name}:latest"
            words = [PROGRAM, "build", folder, "--image-name", image.partition(":")[0], "-q"]
            subprocess.run(words, check=True, capture_output=True)
            try:
                seconds(image, False)  # the files come into the machine's memory
                rounds = [(seconds(image, False), seconds(image, True)) for _ in range(asked.rounds)]
            finally:
                docker("image", "rm", "--force", image)
            without, proved = (median(column) for column in zip(*rounds, strict=True))
            costs = median(one[1] - one[0] for one in rounds)
            print(f"| {name} | {without:.2f} s | {proved:.2f} s | {costs:.2f} s |", flush=True)


if __name__ == "__main__":
    main()
