"""The scripts of the old service, as processes: what needs neither an engine nor AWS."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.command import ROOT
from tests.rig.existing_files import CONFIG, write


class TestScripts:
    @pytest.mark.parametrize("name", ["main.py", "main_b.py", "main2.py", "main_docker.py", "main_batch.py"])
    def test_a_script_without_its_packages_says_how_to_get_them(self, tmp_path: Path, name: str) -> None:
        shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        # -S: none of the packages that are installed for this Python.
        script = [sys.executable, "-S", str(tmp_path / "scripts" / name), "Config.ini"]
        done = subprocess.run(script, env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "setup_python main" in done.stderr
        assert "Traceback" not in done.stderr

    def test_main_py_runs_from_any_folder(self, tmp_path: Path) -> None:
        config = write(tmp_path) / "Config.ini"
        config.write_text(CONFIG.replace("program_path = program", "program_path ="), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "main.py"), str(config.relative_to(tmp_path))],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "[dockerfile] program_path: it is missing or empty" in done.stdout


class TestPushScript:
    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("123456789012", "iris:v1", "iris"),
            ("123456789012", "iris:v1", "iris", "v1", "more"),
            ("12345", "iris:v1", "iris", "v1"),
            ("12345678901x", "iris:v1", "iris", "v1"),
            ("123456789012", "--privileged", "iris", "v1"),
            ("123456789012", "iris v1", "iris", "v1"),
            ("123456789012", "iris:v1", "Iris", "v1"),
            ("123456789012", "iris:v1", "--iris", "v1"),
            ("123456789012", "iris:v1", "iris", "-v1"),
            ("123456789012", "iris:v1", "iris", ""),
        ],
    )
    def test_wrong_usage_is_told_and_is_not_zero(self, arguments: tuple[str, ...]) -> None:
        script = ["sh", str(ROOT / "scripts" / "push-to-ecr.sh"), *arguments]
        done = subprocess.run(script, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: sh push-to-ecr.sh ACCOUNT NAME:VERSION REPOSITORY ECR_VERSION")
