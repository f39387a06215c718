"""Every page in every state: axe-core, the common checker of accessibility (npm, at test time), finds nothing; none is
wider than its window; without JavaScript they are there, too."""

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from rig.chromium import Page
from tests.rig.page_states import served_states
from tests.rig.waiting import BUSY_SECONDS

AXE = "axe-core@4"
LOOKS = {"desktop": (1100, False), "tablet": (840, False), "phone": (360, False), "dark": (1100, True)}


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Name -> the address of a page."""
    with served_states(tmp_path_factory.mktemp("states") / "model") as (url, paths):
        yield {name: f"{url}/{path}" for name, path in paths.items()}


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install axe-core; return its source."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which brings axe-core, is not here")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-save", AXE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUSY_SECONDS, check=False)
    if done.returncode:
        pytest.skip(f"npm does not bring axe-core: {done.stderr[-200:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def look(page: Page, look: str) -> int:
    """Set the window; return its width."""
    width, is_dark = LOOKS[look]
    page.size(width, 900)
    if is_dark:
        page.dark()
    return width


@pytest.mark.parametrize("name", LOOKS)
def test_axe_finds_nothing(axe: str, page: Page, states: dict[str, str], name: str) -> None:
    look(page, name)
    found = {}
    for state, address in states.items():
        page.open(address)
        page.value(axe + "; true")
        result = json.loads(page.value("axe.run().then((found) => JSON.stringify(found))"))
        assert len(result["passes"]) > 15, state  # it looked
        problems = [
            f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
        if problems:
            found[state] = problems[:3]
    assert found == {}


@pytest.mark.parametrize("name", LOOKS)
def test_no_page_is_wider_than_its_window(page: Page, states: dict[str, str], name: str) -> None:
    width = look(page, name)
    wide = {}
    for state, address in states.items():
        page.open(address)
        wide[state] = page.value("document.documentElement.scrollWidth")
    assert {state: found for state, found in wide.items() if found > width} == {}


def test_without_javascript_each_state_is_there(page: Page, states: dict[str, str]) -> None:
    page.open(states["dashboard"])
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    rows, points = (
        "document.querySelectorAll('.data tbody tr').length",
        "document.querySelectorAll('.plot circle').length",
    )
    for state, expression, expected in (
        ("jobs", "document.querySelectorAll('.jobs tbody tr').length", 25),
        ("failed-jobs", "document.querySelectorAll('.jobs .wrong').length", 6),
        ("table", rows, 50),
        ("sorted-table", rows, 50),
        ("sorted-table", "document.querySelector('.data th[aria-sort]').innerText", "age ↓"),
        ("plot", points, 1000),
        ("complete", rows, 3),
        ("running", "document.querySelector('progress').value", 0.125),
        ("failed", "document.querySelector('main .bad').innerText.includes('n/a')", True),
    ):
        page.open(states[state])
        assert (state, page.value(expression)) == (state, expected)
