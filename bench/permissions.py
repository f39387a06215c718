"""Takes every action out of the printed policy, one at a time, and looks which command fails at which stage.

    python bench/permissions.py            # a few minutes; prints the table of docs/iam.md

Needs Docker Engine. AWS is the sandbox with its IAM enforced, everything else is real: the commands, the image, the
push, the containers. The program folder is examples/is-prime.
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "lib")]

from tests.rig.permissions import CONFIGURATIONS, Sweep, remove_images  # noqa: E402

from model_dockerize import sandbox  # noqa: E402
from model_dockerize.progress import Silent  # noqa: E402


def main() -> int:
    """Prints a line an action; the exit code says whether any could be spared without a reason."""
    spared = 0
    with tempfile.TemporaryDirectory() as home:
        box = sandbox.start(Path(home), Silent(), "enforced")
        try:
            for name, inputs in CONFIGURATIONS.items():
                print(f"\n## {name}\n", flush=True)
                sweep = Sweep.of(box, inputs)
                for line in sweep.lines():
                    print(line, flush=True)
                spared += len(sweep.unexplained)
        finally:
            sandbox.stop(Path(home), Silent())
            remove_images()
    return 1 if spared else 0


if __name__ == "__main__":
    sys.exit(main())
