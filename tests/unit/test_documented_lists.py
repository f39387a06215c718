"""The pages name every endpoint and every file of a tool."""

import re
from pathlib import Path

import pytest
import yaml

from model_dockerize.program.formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]
_DESCRIBED = yaml.safe_load((ROOT / "lib/model_server/api/openapi.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", _DESCRIBED["paths"])
def test_the_page_of_the_container_api_names_each_endpoint(path: str) -> None:
    page = (ROOT / "docs/container-api.md").read_text(encoding="utf-8")
    # The page says once that /versions/VERSION may stand in a path.
    named = path.replace("{model}", "NAME").replace("/versions/{version}", "")
    assert re.search(re.escape(named) + r"(?![\w/-])", page)


@pytest.mark.parametrize("file", [file for each in FORMATS for file in each.files])
def test_the_page_of_the_project_formats_names_each_file(file: str) -> None:
    page = (ROOT / "docs/project-formats.md").read_text(encoding="utf-8")
    assert f"`{file.replace('.yaml', '.yml')}`" in page
