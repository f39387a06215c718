"""The acceptance table: read, rendered for docs/acceptance.md, and held against what a run of the tests wrote."""

import ast
import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig import needs

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
FILES = {"using-containers.toml": "A downloaded model", "dockerize-service.toml": "From scripts to AWS Batch"}
# The list is complete or it is no list: a row cannot be dropped to make the check pass.
IDS = tuple(f"{number:03}" for number in (*range(1, 71), *range(101, 160)))
KINDS = ("unit", "engine", "sandbox", "browser")


@dataclass(frozen=True)
class Row:
    """One thing that must hold.

    `tests`: what it is shown against -> tests, as `folder/test_file.py::test_name`, or `...::test_scenario[CASE]`.
    """

    id: str
    holds: str
    tests: dict[str, tuple[str, ...]]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return all its tests."""
        return tuple(node for nodes in self.tests.values() for node in nodes)


def rows(name: str) -> tuple[Row, ...]:
    """Read the rows of one file."""
    read = tomllib.loads((HERE / name).read_text(encoding="utf-8"))
    return tuple(
        Row(number, entry.pop("holds"), {kind: tuple(nodes) for kind, nodes in entry.items() if nodes})
        for number, entry in read.items()
    )


def every_row() -> tuple[Row, ...]:
    """Read the whole list."""
    return tuple(row for name in FILES for row in rows(name))


def gaps(table: Sequence[Row]) -> list[str]:
    """Return a line for each fault of the table itself; none: every row names tests that are there."""
    found = [f"{number}: no such row" for number in IDS if number not in {row.id for row in table}]
    for row in table:
        found += [] if row.id in IDS else [f"{row.id}: not in the list"]
        found += [] if row.nodes else [f"{row.id}: no test"]
        found += [f"{row.id}: {kind} is none of {', '.join(KINDS)}" for kind in row.tests if kind not in KINDS]
        for kind, nodes in row.tests.items():
            found += [f"{row.id}: {node} does not exist" for node in nodes if not _exists(node)]
            found += [f"{row.id}: {node} does not run against {kind}" for node in nodes if not _fits(kind, node)]
    return found


@dataclass(frozen=True)
class Results:
    """Holds what `pytest --junitxml` wrote in one run: test -> the outcomes of all its sets of parameters."""

    outcomes: dict[str, set[str]]
    left_out: tuple[str, ...]  # a line a test: its name and why this machine cannot run it

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "Results":
        """Read the results in these files."""
        outcomes: dict[str, set[str]] = {}
        left_out = []
        for path in paths:
            for case in ET.parse(path).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
                outcome = _outcome(case)
                for name in {_node(case), _node(case, whole=True)}:
                    outcomes.setdefault(name, set()).add(outcome)
                if outcome.startswith(needs.LEFT_OUT):
                    left_out.append(f"{_node(case)}: {outcome.removeprefix(f'{needs.LEFT_OUT}: ')}")
        return cls(outcomes, tuple(sorted(left_out)))

    def shortcomings(self, table: Sequence[Row]) -> list[str]:
        """List the rows that this run did not show. Tests that this machine cannot run do not count."""
        found = []
        for row in table:
            found += [] if row.nodes else [f"{row.id}: no test"]
            for node in row.nodes:
                said = self.outcomes.get(node, {"not run"}) - {"passed"}
                found += [f"{row.id}: {node}: {it}" for it in sorted(said) if not it.startswith(needs.LEFT_OUT)]
        return found

    def not_shown_here(self, table: Sequence[Row]) -> list[str]:
        """List the ids of rows none of whose tests this machine can run."""
        outcomes = {row.id: set().union(*(self.outcomes.get(node, set()) for node in row.nodes)) for row in table}
        return [row for row, said in outcomes.items() if said and all(one.startswith(needs.LEFT_OUT) for one in said)]


def document() -> str:
    """Return the text of docs/acceptance.md."""
    every = every_row()
    counts = ", ".join(f"{sum(kind in row.tests for row in every)} against {_AGAINST[kind]}" for kind in KINDS)
    lines = [
        "# Acceptance",
        "",
        "What must hold, and the tests that show it. `scripts/generate` makes this page from",
        "[tests/acceptance](../tests/acceptance); a full run of `scripts/test` fails when a row has no test,",
        "or when one of its tests did not run and pass.",
        "",
        f"{len(every)} rows: {counts}.",
    ]
    for name, title in FILES.items():
        lines += ["", f"## {title}", "", "| row | must hold | shown by |", "|---|---|---|"]
        lines += [f"| {row.id} | {row.holds} | {_shown(row)} |" for row in rows(name)]
    return "\n".join(lines) + "\n"


_AGAINST = {
    "unit": "our code alone (unit, functional)",
    "engine": "a real Docker Engine",
    "sandbox": "the sandbox, with a real registry and real containers",
    "browser": "a real Chromium",
}


def _shown(row: Row) -> str:
    return "<br>".join(
        f"{kind}: [{_said(node)}](../tests/{_case_of(node) or node.split('::')[0]})"
        for kind, nodes in row.tests.items()
        for node in nodes
    )


def _said(node: str) -> str:
    """Return the test's name in words; of a case its own."""
    name = node.rstrip("]").rpartition("[")[2] if _case_of(node) else node.rpartition("::")[2].removeprefix("test_")
    return re.sub("[_-]", " ", name)


def _case_of(node: str) -> str:
    """Return the file of a case in tests/, if the test is one."""
    found = re.fullmatch(r"integration/test_scenarios\.py::test_scenario\[([\w-]+)\]", node)
    return f"scenarios/{found[1]}/case.yml" if found else ""


#: What the tests of a folder run against, where that is one thing.
_KIND = {"unit": "unit", "functional": "unit", "browser": "browser"}


def _fits(kind: str, node: str) -> bool:
    folder = node.split("/", maxsplit=1)[0]
    return kind == _KIND[folder] if folder in _KIND else kind in ("engine", "sandbox")


def _exists(node: str) -> bool:
    """Tell whether the file has the test. That pytest collects it too is seen by its outcome."""
    case = _case_of(node)
    if case and not (TESTS / case).is_file():
        return False
    file, *names = node.split("[", maxsplit=1)[0].split("::")
    path = TESTS / file
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    for name in names:
        inner = next((item for item in body if isinstance(item, _NAMED) and item.name == name), None)
        if inner is None:
            return False
        body = inner.body
    return path.is_file() and bool(names)


_NAMED = (ast.FunctionDef, ast.ClassDef)


def _node(case: ET.Element, *, whole: bool = False) -> str:
    """Return the test's name in the table: of `tests.unit.test_cli` or `tests.unit.test_cli.TestIt`, and `test_x[1]`.

    `whole`: with what stands in brackets.
    """
    parts = case.get("classname", "").split(".")
    file = next((index for index, part in enumerate(parts) if part.startswith("test_")), len(parts) - 1)
    name = case.get("name", "") if whole else case.get("name", "").split("[")[0]
    return "::".join(("/".join(parts[: file + 1]).removeprefix("tests/") + ".py", *parts[file + 1 :], name))


def _outcome(case: ET.Element) -> str:
    """Return `passed`, `failure`, `error` or `skipped`; of a test that this machine really cannot run, its reason."""
    found = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
    if found is None:
        return "passed"
    reason = found.get("message", "")
    return reason if found.tag == "skipped" and needs.missing(reason) else found.tag
