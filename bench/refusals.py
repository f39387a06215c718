"""Measures how long a run goes on after a refusal by AWS: from the refusal in the sandbox's journal to the report.

    python bench/refusals.py               # a minute; prints the table of docs/iam.md

Needs Docker Engine. Each refusal is tried three times; the middle one counts. The image is built and pushed for real.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "lib")]

from tests.rig.iam_configurations import CONFIGURATIONS  # noqa: E402
from tests.rig.permissions import Trial, named, remove_images  # noqa: E402

from model_dockerize import sandbox  # noqa: E402
from model_dockerize.progress import Silent  # noqa: E402
from model_dockerize.sandbox import Sandbox  # noqa: E402

_TIMES = 3
_REFUSED = ("AccessDenied", "AccessDeniedException", "DENIED", "UnauthorizedOperation")
#: What is refused, and which configuration's run asks for it.
ACTIONS = {
    "sts:AssumeRole": "push only",
    "ecr:CreateRepository": "push only",
    "ecr:InitiateLayerUpload": "push only",
    "ecr:PutImage": "push only",
    "iam:PassRole": "everything",
    "ecs:CreateService": "everything",
}


def seconds_after(box: Sandbox, action: str) -> float:
    """Return the seconds from the last refusal to the end of the run."""
    trial = Trial(box, CONFIGURATIONS[ACTIONS[action]])
    trial.allow(trial.printed())
    trial.calls()
    if action == "sts:AssumeRole":
        other = replace(trial.settings.aws, role_to_assume=trial.settings.aws.role_to_assume + "-of-nobody")
        trial.settings = replace(trial.settings, aws=other)
        report = trial.do("run")
    else:
        report = trial.without(action, "run")
    ended = time.time()
    if not named(action, report):
        raise SystemExit(f"without {action}: {report.failure}")
    return ended - max(call["at"] for call in trial.calls() if call["outcome"] in _REFUSED)


def main() -> None:
    """Print a line a refusal."""
    with tempfile.TemporaryDirectory() as home:
        box = sandbox.start(Path(home), Silent(), "enforced")
        try:
            warm = Trial(box, CONFIGURATIONS["push only"])
            warm.allow(warm.printed())
            warm.do("run")  # builds the image
            print("| refused | seconds until the run has ended |\n|---|---|")
            for action in ACTIONS:
                took = statistics.median(seconds_after(box, action) for _ in range(_TIMES))
                print(f"| `{action}` | {took:.2f} |", flush=True)
        finally:
            sandbox.stop(Path(home), Silent())
            remove_images()


if __name__ == "__main__":
    main()
