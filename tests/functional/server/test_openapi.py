"""The OpenAPI document: valid by a public validator, for every kind of model, and ready to be executed."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from openapi_spec_validator import validate
from starlette.routing import Route

from model_server import example, manifest, pages
from model_server.api import app, openapi

from .conftest import Server, StartServer, manifest_text

CSV, JSON = "text/csv; header=present", "application/json"


def document(folder: Path, wants_key: bool = False, **changes: object) -> dict[str, Any]:
    model = example.with_example(manifest.parse(manifest_text(folder, **changes)))
    return openapi.document(model, wants_key)


@pytest.mark.parametrize("kind", [CSV, JSON, "image/png", "application/octet-stream", "*/*"])
@pytest.mark.parametrize("wants_key", [False, True])
def test_it_is_valid(tmp_path: Path, kind: str, wants_key: bool) -> None:
    name = "a $model {x} \\ \"y\": - 'z'"
    described = document(tmp_path, wants_key, input_types=[kind], output_types=[kind], name=name)
    validate(json.loads(json.dumps(described)))
    assert described["info"]["title"] == name
    assert ("security" in described) == wants_key
    assert "$name" not in json.dumps(described).replace("a $model", "")


def test_it_describes_every_route_for_programs(server: Server) -> None:
    described = requests.get(f"{server.url}/swagger/v1/swagger.json", timeout=60).json()
    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    assert len(operations) == len({operation["operationId"] for operation in operations})
    tags = ["Jobs", "Results", "Server", "License", "SageMaker", "Inference", "Hosted"]
    assert [tag["name"] for tag in described["tags"]] == tags
    assert {operation["tags"][0] for operation in operations} == {tag["name"] for tag in described["tags"]}
    results = [each for each in operations if "Results" in each["tags"]]
    assert ["X-Model-Build-Id" in each["responses"]["200"]["headers"] for each in results] == [True] * 3
    for_people = {route.path for route in pages.ROUTES if isinstance(route, Route)}
    routes = {
        (route.path.replace("{job_id}", "{id}"), method.lower())
        for name, module in vars(app).items()
        if name != "pages"
        for route in getattr(module, "ROUTES", ())
        for method in route.methods - {"HEAD"}
    }
    undescribed = {("/swagger/v1/swagger.json", "get"), ("/openapi.json", "get"), ("/v2/", "get")}
    assert routes - undescribed == {
        (path, method) for path, methods in described["paths"].items() for method in methods
    }
    assert not for_people & set(described["paths"])


def test_it_is_at_the_usual_addresses_and_its_server_is_this_one(server: Server) -> None:
    found = {}
    for path in ("/swagger/v1/swagger.json", "/openapi.json"):
        found[path] = requests.get(server.url + path, timeout=60).json()
        (place,) = found[path].pop("servers")
        assert urljoin(server.url + path, place["url"]) == f"{server.url}/"
    first, second = found.values()
    assert first == second


def test_what_a_person_need_not_fill_in_is_empty(tmp_path: Path) -> None:
    described = document(tmp_path)
    form = described["components"]["requestBodies"]["Job"]["content"]["multipart/form-data"]["schema"]
    optional = {name: field for name, field in form["properties"].items() if name not in form["required"]}
    assert {name: field["default"] for name, field in optional.items()} == dict.fromkeys(
        ("MimeType", "Mappings", "OutputMappings", "CallbackUrl", "Pipeline"), ""
    )
    assert optional["MimeType"]["enum"] == ["", CSV, "text/csv; header=absent", JSON]


def test_the_example_is_the_models_sample(start_server: StartServer, program_folder: Path) -> None:
    (program_folder / "input.csv").write_text("length,site\n5.1,Kew\n" + "4.9,Kew\n" * 9)
    server = start_server(sample="input.csv", output_types=["application/octet-stream"])
    described = requests.get(f"{server.url}/swagger/v1/swagger.json", timeout=60).json()
    run = described["paths"]["/data/run-job"]["post"]
    assert "curl -F File=@input.csv ADDRESS/data/run-job" in run["description"]
    assert "    length,site\n    5.1,Kew\n    4.9,Kew\n    4.9,Kew\n    …\n" in run["description"]
    assert list(run["responses"]["200"]["content"]) == ["application/octet-stream", JSON, "text/csv"]
    form = described["components"]["requestBodies"]["Job"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["File"]["description"] == "The data file. The sample has the fields length, site."


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0", b"\x1b[2J", b"\xff\xfe"])
def test_a_sample_that_is_no_text_is_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input.bin").write_bytes(content)
    model = example.with_example(manifest.parse(manifest_text(tmp_path, sample="input.bin")))
    assert model.example is not None
    assert model.example.head == ""


def test_a_sample_that_is_not_there_does_not_stop_the_server(tmp_path: Path) -> None:
    model = manifest.parse(manifest_text(tmp_path, sample="gone.csv"))
    assert example.with_example(model) is model
