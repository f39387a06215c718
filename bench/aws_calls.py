"""Measures what a run asks of AWS: seconds and calls of a first run, unchanged ones and `destroy`, against the sandbox.

    python bench/aws_calls.py [--INPUT VALUE ...]    # inputs go to every run, e.g. --load-balancer true

Needs Docker Engine; the model is examples/is-prime. Calls are all that the sandbox answered, those of stacks included.
Processor seconds are the command's own: on a busy machine they say more than the clock's.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "lib")]

from tests.rig.sandbox_calls import ask_sandbox  # noqa: E402

from model_dockerize import sandbox  # noqa: E402
from model_dockerize.progress import Silent  # noqa: E402

_NAME = "aws-calls"
_RUNS = ("run", "first run"), *((("run", "unchanged"),) * 3), ("destroy", "destroy")


def main() -> None:
    """Print a row a command, then what each asked for."""
    home = Path(tempfile.mkdtemp(prefix="model-dockerize-calls-"))
    environment = {**os.environ, "MODEL_DOCKERIZE_HOME": str(home)}
    # With it every command would compile our modules; an installed one does not.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    box = sandbox.start(home, Silent())
    asked: dict[str, Counter[str]] = {}
    try:
        print("| | seconds | of processor | calls |\n|---|---|---|---|")
        for command, what in _RUNS:
            ask_sandbox(box, "DELETE", "/_sandbox/journal")
            argv = [sys.executable, "-m", "model_dockerize", command, str(_ROOT / "examples/is-prime"), "--sandbox"]
            argv += ["--image-name", _NAME, *sys.argv[1:], *(["--yes"] if command == "destroy" else [])]
            began, before = time.monotonic(), _processor()
            done = subprocess.run(argv, env=environment, cwd=_ROOT / "lib", capture_output=True, text=True, check=False)
            seconds, processor = time.monotonic() - began, _processor() - before
            if done.returncode:
                raise SystemExit(f"{what}: {done.returncode}\n{done.stdout}{done.stderr}")
            calls = ask_sandbox(box, "GET", "/_sandbox/journal")["calls"]
            asked[what] = Counter(f"{call['service']}:{call['action']}" for call in calls)
            print(f"| {what} | {seconds:.1f} | {processor:.1f} | {len(calls)} |", flush=True)
        for what, names in asked.items():
            print(f"\n{what}: " + ", ".join(f"{name} {n}" if n > 1 else name for name, n in sorted(names.items())))
    finally:
        sandbox.stop(home, Silent())
        subprocess.run(["docker", "image", "rm", "-f", _NAME], capture_output=True, check=False)
        shutil.rmtree(home)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
