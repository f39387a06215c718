"""Every AWS operation of a deployment x every fault; a deployment killed at random moments: the counts of the docs.

python bench/fault_matrix.py [KILLS]        # about ten minutes; KILLS: 50
"""

import random
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lib"), str(Path(__file__).resolve().parents[1])]

from tests.rig.fault_proxy import LASTING, PASSING  # noqa: E402
from tests.rig.fault_rig import FaultRig, fault_rig  # noqa: E402

_KILLS = 50


def matrix(rig: FaultRig) -> int:
    """Prints a line a fault; returns how many cells are wrong."""
    operations = rig.operations()
    print(f"{len(operations)} operations, the first of which is {operations[0]}")
    wrong = 0
    for kind in PASSING + LASTING:
        came: Counter[str] = Counter()
        for operation in operations:
            try:
                came[rig.cell(operation, kind)] += 1
            except AssertionError as error:
                came["wrong"] += 1
                print(f"WRONG {error}", flush=True)
        wrong += came["wrong"]
        print(f"| {kind} | {came['converged']} | {came['stopped']} | {came['wrong']} |", flush=True)
    return wrong


def main() -> None:
    parts = sys.argv[1:] or ["matrix", "kills"]
    with fault_rig() as rig:
        wrong = matrix(rig) if "matrix" in parts else 0
        if "kills" in parts:
            ended = rig.killed(random.Random(2026), _KILLS)  # noqa: S311 - moments, not secrets
            print(f"killed {_KILLS} times, {ended} of them before the run was over; every next run finished")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
