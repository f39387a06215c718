"""A folder with gravityai-build.json as an image: tests in the build, data through the API, its mapping file."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from chaos.fuzz_api import served
from model_dockerize import image
from model_dockerize.cli import cli as commands
from tests.integration.conftest import Cli
from tests.rig.waiting import eventually

PROGRAM = """
import csv, json, sys
with open(sys.argv[1], newline="") as file:
    rows = list(csv.DictReader(file))
with open(sys.argv[2], "w") as file:
    json.dump([{"name": row["name"], "double": 2 * float(row["age"] or 0)} for row in rows], file)
"""
BUILD_FILE = """{
  'systempackages': [],
  "Tests": [
    {"RelativeInputPath": "tests/in.csv", "RelativeReferencePath": "tests/out.json"},
    {"relativeInputPath": "tests/in.csv", "RelativeReferencePath": null},
  ],
  "UseGaiLib": false,
  "Schema": {"InputType": "csv_header", "OutputType": "json",
    "InputSchema": [{"DataType": "String", "Optional": false, "Path": "name"}, {"DataType": "Number", "Optional": true, "Path": "age"}],
    "OutputSchema": [{"DataType": "string", "Path": "name"}, {"DataType": "Number", "Path": "double"}],
  },
}"""  # noqa: E501
FILES = {
    "main.py": PROGRAM,
    "gravityai-build.json": BUILD_FILE,
    "tests/in.csv": "name,age\nAl,7\n",
    "tests/out.json": '[{"name": "Al", "double": 14.0}]',
    "smoke/input.csv": "name,age\nBo,\n",
    "smoke/expected.json": '[{"name": "Bo", "double": 0.0}]',
}
NAME = "gravityai-build-test"


def write(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    subprocess.run(["docker", "image", "rm", "-f", f"{NAME}:latest"], capture_output=True, check=False)


def test_the_image_has_passed_its_tests_and_knows_its_data(cli: Cli, tmp_path: Path) -> None:
    folder = write(tmp_path / "program")
    built = cli.run(folder, "--image-name", NAME, command="build")
    assert built.code == 0, built.log
    data = tmp_path / "data.csv"
    data.write_text("Names,years\nCy,3\n", encoding="utf-8")
    target = tmp_path / "mapping.json"
    mapped = cli("mapping", folder, "--image-name", NAME, "--data", data, "--output", target)
    assert mapped.returncode == 0, mapped.stderr
    assert "Not found in the data: age" in mapped.stderr
    mapping = json.loads(target.read_text(encoding="utf-8"))
    assert [(entry["source"], entry["destination"]) for entry in mapping] == [("Names", "name"), ("", "age")]
    mapping[1] |= {"source": "YEARS", "defaultValue": 1}
    engine = image.probe(os.environ)
    with image.run(engine, f"{NAME}:latest", {}, NAME) as container:
        url = eventually(lambda: next((url for url in container.urls if answers(url)), ""), tell=container.logs)
        form = {"Mappings": json.dumps(mapping)}
        sent = requests.post(f"{url}/data/add-job", files={"File": data.read_bytes()}, data=form, timeout=20)
        job = sent.json()["data"]["id"]
        assert requests.get(f"{url}/data/status/{job}?wait=20", timeout=40).json()["data"]["status"] == "Complete"
        result = requests.get(f"{url}/data/result/csv/{job}", timeout=20)
        assert result.text == "name,double\nCy,6.0\n"


def mapping_command(url: str, data: Path, target: Path) -> Result:
    arguments = ["mapping", "--data", str(data), "--output", str(target), "--smoke-url", url]
    return CliRunner().invoke(commands, arguments)


def test_a_model_that_runs_is_asked_without_an_engine(tmp_path: Path) -> None:
    data, target = tmp_path / "data.csv", tmp_path / "mapping.json"
    with served("csv", tmp_path) as url:
        data.write_text("Born,NAME,age\n", encoding="utf-8")
        assert mapping_command(url, data, target).exit_code == 0
        assert json.loads(target.read_text(encoding="utf-8")) == [
            {"source": "NAME", "destination": "name"},
            {"source": "age", "destination": "age"},
            {"source": "Born", "destination": "born"},
            {"source": "", "destination": "member", "defaultValue": None},
        ]
        data.write_text("", encoding="utf-8")
        assert mapping_command(url, data, target).exit_code == 2


def answers(url: str) -> bool:
    """Tell whether the model answers there now."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{url}/health", timeout=5).ok
    return False
