"""axe-core, the common checker of accessibility (npm, at test time), finds nothing on any page in any state."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from rig.chromium import Page
from tests.rig.served_model import served
from tests.rig.waiting import BUSY_SECONDS, eventually

AXE = "axe-core@4"
PROGRAM = """
import os, sys, time
text = open(sys.argv[1]).read()
if "bad" in text:
    sys.exit("Traceback:\\n  line 1\\nValueError: bad")
if "tree" in text:
    text = '{"a": {"b": [1, {"c": null}]}, "d": "e"}'
if "prose" in text:
    text = "prose\\n" * 100
while "slow" in text and not os.path.exists(os.path.join(os.path.dirname(__file__), "enough")):
    print("row 5/40", flush=True)
    time.sleep(0.1)
open(sys.argv[2], "w").write(text)
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its source."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which brings axe-core, is not here")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-save", AXE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUSY_SECONDS, check=False)
    if done.returncode:
        pytest.skip(f"npm does not bring axe-core: {done.stderr[-200:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def test_axe_finds_nothing(axe: str, page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "input.csv").write_text("customer,age,score\nann,34,0.5\nbob,51,0.1\n")
    changes = {"schema": {}, "output_types": ["application/octet-stream"], "sample": "input.csv"}
    with served(folder, program=PROGRAM, **changes) as url:

        def send(text: str) -> str:
            files = {"File": ("customers.csv", text.encode())}
            return str(requests.post(f"{url}/data/add-job", files=files, timeout=20).json()["data"]["id"])

        table = send("customer,age,score\n" + "".join(f"c{n},{n % 60},{n / 7}\n" for n in range(10_000)))
        others = [send(text) for text in ("tree\n", "prose\n", "bad\n")]
        for job in (table, *others):
            requests.get(f"{url}/data/status/{job}?wait=50", timeout=60)
        running, waiting = send("slow\n"), send("a\n1\n")
        eventually(lambda: "row 5/40" in requests.get(f"{url}/Job/{running}", timeout=10).text)
        jobs = [f"Job/{job}" for job in (table, *others, running, waiting)]
        found = {}
        for mode in ("desk", "phone", "dark"):
            page.size(360 if mode == "phone" else 1100, 900)
            if mode == "dark":
                page.dark()
            for address in (
                *("", "AddJob", "Jobs", "Jobs?state=Error", "License", "Mapping"),
                *jobs,
                *(f"{jobs[0]}?rows=3&sort=1&order=desc", f"{jobs[0]}/Delete"),
            ):
                page.open(f"{url}/{address}")
                page.value(axe + "; true")
                result = json.loads(page.value("axe.run().then((found) => JSON.stringify(found))"))
                assert len(result["passes"]) > 15, address  # it looked
                problems = [
                    f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
                    for violation in result["violations"]
                    for node in violation["nodes"]
                ]
                if problems:
                    found[f"{mode} {address}"] = problems[:3]
        (folder / "enough").touch()
        assert found == {}
