"""The program that a new folder gets runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_first import call


@pytest.mark.parametrize("rows", ["", "id;age\n1;2\n", 'id,note,id\n1,"a\nb",\n\n2\n3,4,5,6\n', "\ufeffid\nNaN\n"])
def test_a_new_folder_gets_a_program_that_answers_its_expected_file(tmp_path: Path, rows: str) -> None:
    folder = tmp_path / "models" / "new"
    if rows:
        folder.mkdir(parents=True)
        (folder / "train.csv").write_text(rows, newline="")
    result = call("init", folder)
    assert (result.exit_code, result.stdout) == (0, f"Next: model-dockerize run {folder} --sandbox\n"), result.stderr
    smoke, output = folder / "smoke", tmp_path / "output.csv"
    subprocess.run([sys.executable, folder / "main.py", smoke / "input.csv", output], check=True)
    assert output.read_bytes() == (smoke / "expected.csv").read_bytes()
    header, *answers = output.read_text().splitlines()
    assert header.endswith(",prediction")
    assert answers
    assert call("dockerfile", folder).exit_code == 0
