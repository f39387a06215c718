"""Every AWS operation that we call x every fault; commands killed at random moments: the counts of the docs.

python bench/fault_matrix.py [matrix] [kills] [COURSE ...]        # about half an hour; no word: both, of all courses

An operation meets every fault in the first command (course) that calls it, and one fault, another each time, in every
further command that calls it.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lib"), str(Path(__file__).resolve().parents[1])]

from tests.rig.fault_courses import COURSES, Course  # noqa: E402
from tests.rig.fault_proxy import LASTING, PASSING, Kind  # noqa: E402
from tests.rig.fault_rig import FaultRig, fault_rig  # noqa: E402

_KINDS = PASSING + LASTING
_KILLS = 50


def cells(rig: FaultRig, courses: list[Course]) -> Iterator[tuple[Course, str, Kind]]:
    """What is tried. Prints what each course calls."""
    seen: set[str] = set()
    for course in courses:
        operations = rig.operations(course)
        print(f"{course.name}: {len(operations)} operations, {len(set(operations) - seen)} of them new", flush=True)
        for number, operation in enumerate(operations):
            kinds = (_KINDS[number % len(_KINDS)],) if operation in seen else _KINDS
            yield from ((course, operation, kind) for kind in kinds)
        seen.update(operations)


def matrix(rig: FaultRig, courses: list[Course]) -> int:
    """Prints the table; returns how many cells are wrong."""
    came: dict[Kind, Counter[str]] = {kind: Counter() for kind in _KINDS}
    for course, operation, kind in cells(rig, courses):
        try:
            came[kind][rig.cell(course, operation, kind)] += 1
        except AssertionError as error:
            came[kind]["wrong"] += 1
            print(f"WRONG {error}", flush=True)
    for kind, counts in came.items():
        print(f"| {kind} | {counts['converged']} | {counts['stopped']} | {counts['wrong']} |", flush=True)
    return sum(counts["wrong"] for counts in came.values())


def main() -> None:
    words = sys.argv[1:]
    courses = [COURSES[word] for word in words if word in COURSES] or list(COURSES.values())
    parts = [word for word in words if word in ("matrix", "kills")] or ["matrix", "kills"]
    wrong = 0
    with fault_rig() as rig:
        if "matrix" in parts:
            wrong = matrix(rig, courses)
        if "kills" in parts:
            # A plan changes nothing, so there is nothing that its end could leave half made.
            killed = [course for course in courses if course.name != "plan"]
            for number, course in enumerate(killed):
                kills = _KILLS // len(killed) + (number < _KILLS % len(killed))
                ended = rig.killed(course, random.Random(2026 + number), kills)  # noqa: S311 - moments, not secrets
                print(f"{course.name}: killed {kills} times, {ended} of them before it was over", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
