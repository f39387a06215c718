"""Takes every action out of the printed policy, one at a time, and looks which command fails at which stage.

    python bench/permissions.py            # what bench/permissions.csv does not hold yet
    python bench/permissions.py --again    # all of it: an hour

Needs Docker Engine. AWS is the sandbox with its IAM enforced, everything else is real: the commands, the image, the
push, the containers. The program folder is examples/is-prime. One that was ended goes on where it was.
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "lib")]

from tests.rig.iam_configurations import CONFIGURATIONS, EXPLAINED  # noqa: E402
from tests.rig.permissions import (  # noqa: E402
    FOLDER,
    Sweep,
    Swept,
    actions,
    configured,
    documents,
    read_swept,
    remove_images,
    summary,
    write_swept,
)

from model_dockerize import sandbox  # noqa: E402
from model_dockerize.aws.iam import Where  # noqa: E402
from model_dockerize.progress import Silent  # noqa: E402


def main() -> int:
    """Print a line an action; return by the exit code whether any could be spared without a reason."""
    printed = {
        name: actions(documents(configured(FOLDER, **each.inputs), Where("123456789012", "us-east-1")))
        for name, each in CONFIGURATIONS.items()
    }
    every = set().union(*printed.values())
    rows = {row.action: row for row in ([] if "--again" in sys.argv else read_swept()) if row.action in every}
    rows = {action: row for action, row in rows.items() if row.step or action in EXPLAINED}
    with tempfile.TemporaryDirectory() as home:
        box = sandbox.start(Path(home), Silent(), "enforced")
        try:
            for name in CONFIGURATIONS:
                if printed[name] <= set(rows) | set(EXPLAINED):
                    continue
                for row in Sweep(box, name, set(rows)).rows():
                    rows[row.action] = row
                    write_swept(rows.values())
                    print(row, flush=True)
        finally:
            sandbox.stop(Path(home), Silent())
            remove_images()
    for action in every - set(rows):
        rows[action] = Swept(action, reason=EXPLAINED.get(action, "WITHOUT A REASON: no step asks for it"))
    write_swept(rows.values())
    print(summary(rows.values()))
    return 0 if all(row.step or row.action in EXPLAINED for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
