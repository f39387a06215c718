"""The shares of the suite hold each test once, and CI runs them all."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def collected(share: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-n0", "--collect-only", "-qq", f"--share={share}", "tests/unit/report"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith("tests/")]


def test_each_file_is_in_one_share() -> None:
    first, second, whole = collected("1/2"), collected("2/2"), collected("1/1")
    assert first
    assert second
    assert sorted([*first, *second]) == sorted(whole)


def test_ci_runs_every_share() -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["test"]
    shares = job["strategy"]["matrix"]["share"]
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    found = re.fullmatch(r'\./scripts/test "\$SHARE/([1-9])"', command)
    assert found
    assert shares == list(range(1, int(found[1]) + 1))
