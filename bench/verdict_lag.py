"""Measures how long after the end of a rollout a tool says so, with how many calls, and whether it is right.

    python bench/verdict_lag.py        # prints the tables of docs/benchmarks.md; a minute or two

Every tool runs its own code against the same simulator of ECS (tests/rig/ecs_simulator.py) on a virtual clock, on which
a call takes 0.1 s and a sleep takes what it says. The peers get a Python environment of their own, in a temporary
folder.
"""

import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT)]

from tests.rig.ecs_simulator import Simulator, simulator  # noqa: E402
from tests.rig.ecs_stories import Story  # noqa: E402

from model_dockerize.aws import ecs  # noqa: E402
from model_dockerize.aws.client import connect  # noqa: E402
from model_dockerize.aws.ecs import history  # noqa: E402
from model_dockerize.errors import ModelDockerizeError  # noqa: E402
from model_dockerize.progress import Silent  # noqa: E402
from model_dockerize.settings import to_settings  # noqa: E402

PEERS = ("ecs-deploy==1.17.0",)  # brings boto3 with it
ROLLOUTS = 30
READS = ("Describe", "List")

Tool = Callable[[Simulator], str]


@dataclass(frozen=True)
class Told:
    """The verdict of a tool, its time, and the number of calls meanwhile."""

    says: str
    at: float  # virtual seconds after the update
    calls: int

    @property
    def rate(self) -> float:
        return self.calls / self.at


def ours(told: Simulator) -> str:
    """Our own follower, after our own update."""
    connection = connect(to_settings([]).aws, told.environment(), Silent())
    now = history.running(connection, "c", "iris")
    there = f"{now.service.task_definition_arn}"
    try:
        clock = {"sleep": told.clock.sleep, "monotonic": told.clock.monotonic}
        verdict = ecs.rollback(connection, now.service, there, 1200, Silent(), **clock)  # a deployment like any other
    except ModelDockerizeError as error:
        return error.kind
    return verdict.outcome if verdict else "nothing"


def peer(python: Path, arguments: tuple[str, ...], told: Simulator) -> str:
    """Return a peer's exit code, as green or red."""
    command = [str(python), str(ROOT / "bench" / "peers_clocked.py"), told.url, *arguments]
    done = subprocess.run(command, env=told.environment(), capture_output=True, text=True, timeout=300, check=False)
    return "green" if done.returncode == 0 else "red"


def measure(tool: Tool, story: Story) -> Told:
    """Play one rollout under one tool."""
    with simulator(story) as told:
        says = tool(told)
        begun = next(at for at, call in told.calls if call == "UpdateService")
        asked = [at for at, call in told.calls if at > begun and call.startswith(READS)]
        return Told(says, asked[-1] - begun, len(asked))


def lag(tools: dict[str, Tool]) -> None:
    """Print the first table."""
    seconds = [random.Random(2026 + i).uniform(20, 300) for i in range(ROLLOUTS)]  # noqa: S311 - a sample
    print(f"| {ROLLOUTS} rollouts of 20 to 300 s | mean lag | p95 | worst | calls a second | wrong |")
    print("|---|---|---|---|---|---|")
    for name, tool in tools.items():
        told = [measure(tool, Story(runs=end - 4, steady=end)) for end in seconds]
        lags = sorted(t.at - end for t, end in zip(told, seconds, strict=True))
        wrong = sum(t.says not in ("deployed", "green") for t in told)
        rate = sum(t.calls for t in told) / sum(t.at for t in told)
        p95 = lags[round(0.95 * (len(lags) - 1))]
        print(f"| {name} | {statistics.mean(lags):.2f} s | {p95:.1f} s | {lags[-1]:.1f} s | {rate:.2f} | {wrong} |")
    print()


def ends(tools: dict[str, Tool]) -> None:
    """Print the second table: what each says of rollouts that did not deploy what was asked for."""
    stories = {
        "crash; breaker trips at 20 s, rolled back at 40 s": Story(dies=(10, 20), fails=20, back=40),
        "crash; breaker trips at 20 s, no rollback": Story(dies=(10, 20), fails=20),
        "replaced by a newer deployment at 20 s": Story(superseded=20),
        "paused at a hook at 20 s": Story(paused=20, runs=10),
    }
    print("| what happened | " + " | ".join(tools) + " |")
    print("|---" * (len(tools) + 1) + "|")
    for happened, story in stories.items():
        told = [measure(tool, story) for tool in tools.values()]
        print(f"| {happened} | " + " | ".join(f"{t.says} after {t.at:.0f} s" for t in told) + " |")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
        fabfuel = ("fabfuel", "deploy", "c", "iris", "--timeout", "900", "--no-diff")
        tools: dict[str, Tool] = {
            "model-dockerize": ours,
            "fabfuel ecs-deploy 1.17.0": partial(peer, python, fabfuel),
            "boto3 services_stable": partial(peer, python, ("waiter",)),
        }
        lag(tools)
        ends(tools)


if __name__ == "__main__":
    main()
