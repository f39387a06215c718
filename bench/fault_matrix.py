"""Every AWS operation that we call x every fault; commands killed at random moments: the counts of the docs.

python bench/fault_matrix.py [--results FILE] [matrix] [kills] [COURSE ...]    # no word: both, of all courses

It takes an hour and more. With FILE it can be ended and goes on where it was: what FILE holds is not tried again unless
it was wrong, and the tables are of all that it holds.

An operation meets every fault in the first command (course) that calls it, and one fault, another each time, in every
further command that calls it.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lib"), str(Path(__file__).resolve().parents[1])]

from tests.rig.fault_courses import COURSES, Course  # noqa: E402
from tests.rig.fault_proxy import LASTING, PASSING, Kind  # noqa: E402
from tests.rig.fault_rig import FaultRig, fault_rig  # noqa: E402
from tests.rig.garbage import collect_seldom  # noqa: E402

_KINDS = PASSING + LASTING
_CAME = ("converged", "stopped", "wrong")
#: Of `deploy`, and of all others together.
_KILLS = 50


@dataclass
class Results:
    """The outcome of everything that was tried; kept in a file of JSON lines if there is one."""

    file: Path | None
    entries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.file and self.file.exists():
            entries = [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]
            self.entries = [entry for entry in entries if not entry.get("why")]

    def find(self, **wanted: Any) -> dict[str, Any] | None:
        return next((entry for entry in self.entries if wanted.items() <= entry.items()), None)

    def add(self, **entry: Any) -> dict[str, Any]:
        self.entries.append(entry)
        if self.file:
            with self.file.open("a", encoding="utf-8") as lines:
                print(json.dumps(entry), file=lines)
        return entry


def matrix(rig: FaultRig, results: Results, courses: list[Course]) -> None:
    for course in courses:
        # Learnt in every process, because it is also what a whole course leaves.
        operations = rig.operations(course)
        results.add(what="operations", course=course.name, operations=operations)
        for operation, kind in cells(rig, results, course, operations):
            if not results.find(what="cell", course=course.name, operation=operation, kind=kind):
                try:
                    came, why = rig.cell(course, operation, kind), ""
                except AssertionError as error:
                    came, why = "wrong", str(error)
                    print(f"WRONG {error}", flush=True)
                results.add(what="cell", course=course.name, operation=operation, kind=kind, came=came, why=why)


def cells(rig: FaultRig, results: Results, course: Course, operations: list[str]) -> Iterator[tuple[str, Kind]]:
    """Yield the faults to try in one course."""
    seen: set[str] = set()
    for former in list(COURSES.values())[: list(COURSES).index(course.name)]:
        known = results.find(what="operations", course=former.name)
        if not known:
            known = results.add(what="operations", course=former.name, operations=rig.operations(former))
        seen.update(known["operations"])
    print(f"{course.name}: {len(operations)} operations, {len(set(operations) - seen)} of them new", flush=True)
    for number, operation in enumerate(operations):
        kinds = (_KINDS[number % len(_KINDS)],) if operation in seen else _KINDS
        yield from ((operation, kind) for kind in kinds)


def kills(rig: FaultRig, results: Results, courses: list[Course]) -> None:
    # A plan changes nothing, so there is nothing that its end could leave half made.
    others = [name for name, course in COURSES.items() if name != "deploy" and course.first != "planned"]
    for course in courses:
        if course.first == "planned" or results.find(what="kills", course=course.name):
            continue
        number = _KILLS
        if course.name != "deploy":
            number = _KILLS // len(others) + (others.index(course.name) < _KILLS % len(others))
        moments = random.Random(2026 + list(COURSES).index(course.name))  # noqa: S311 - moments, not secrets
        try:
            early, why = rig.killed(course, moments, number), ""
        except AssertionError as error:
            early, why = 0, str(error)
            print(f"WRONG {error}", flush=True)
        results.add(what="kills", course=course.name, kills=number, early=early, why=why)


def tables(results: Results) -> int:
    """Print what there is; return how much of it is wrong."""
    tried = [entry for entry in results.entries if entry["what"] == "cell"]
    for key, names in (("course", tuple(COURSES)), ("kind", _KINDS)):
        print(f"\n| {key} | cells | converged | stopped, then finished | wrong |\n|---|---|---|---|---|")
        for name in names:
            came = Counter(entry["came"] for entry in tried if entry[key] == name)
            print(f"| {name} | {came.total()} | " + " | ".join(str(came[c] or "") for c in _CAME) + " |")
        total = Counter(entry["came"] for entry in tried)
        print(f"| all | {total.total()} | " + " | ".join(str(total[c]) for c in _CAME) + " |")
    killed = [entry for entry in results.entries if entry["what"] == "kills"]
    print("\n| course | kills | before it was over | wrong |\n|---|---|---|---|")
    for entry in killed:
        print(f"| {entry['course']} | {entry['kills']} | {entry['early']} | {entry['why']} |")
    return sum(entry["came"] == "wrong" for entry in tried) + sum(bool(entry["why"]) for entry in killed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*", choices=["matrix", "kills", *COURSES], default=["matrix", "kills"])
    parser.add_argument("--results", type=Path)
    asked = parser.parse_args()
    courses = [COURSES[word] for word in asked.words if word in COURSES] or list(COURSES.values())
    parts = {"matrix", "kills"} & set(asked.words) or {"matrix", "kills"}
    results = Results(asked.results)
    collect_seldom()
    with fault_rig() as rig:
        if "matrix" in parts:
            matrix(rig, results, courses)
        if "kills" in parts:
            kills(rig, results, courses)
    sys.exit(1 if tables(results) else 0)


if __name__ == "__main__":
    main()
