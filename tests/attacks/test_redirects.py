"""Attacks by a model that is tested: it sends the smoke test to addresses that only this computer reaches."""

import http.server
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.smoke import Expectation, check, check_foreign
from model_dockerize.smoke.client import CheckFailed, ModelClient
from tests.rig.listening import listening
from tests.rig.progress import Said

SECRET = "internal-only-secret-value"


@dataclass
class Servers:
    """A model, and a service inside that it has no business with."""

    model: str
    inside: str
    asked_inside: list[str] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)
    #: Path -> the Location that the model answers with.
    redirects: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def servers() -> Iterator[Servers]:
    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self, code: int, text: str, **headers: str) -> None:
            self.send_response(code)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

    class Inside(Quiet):
        def do_GET(self) -> None:
            found.asked_inside.append(self.path)
            self.answer(200, json.dumps({"SecretAccessKey": SECRET, "paths": {"/health": {"get": {}}}}))

        do_POST = do_DELETE = do_GET  # noqa: N815  names of the standard library

    class Model(Quiet):
        def do_GET(self) -> None:
            location = found.redirects.get(self.path) or found.redirects.get("*")
            if location:
                self.answer(302, "", Location=location)
            elif self.path.endswith(".json"):
                self.answer(200, json.dumps(found.spec))
            else:
                self.answer(200, "ok")

        do_POST = do_DELETE = do_GET  # noqa: N815  names of the standard library

    with listening(Model) as model, listening(Inside) as inside:
        found = Servers(*(f"127.0.0.1:{server.server_port}" for server in (model, inside)))
        yield found


def told(servers: Servers, tmp_path: Path, kind: Callable[..., Any] = check_foreign) -> str:
    """Return everything that the smoke test says of the model."""
    sample = tmp_path / "input.txt"
    sample.write_text("hello", encoding="utf-8")
    words = Said()
    result = kind([f"http://{servers.model}"], Expectation("", sample, None, "text/plain"), 0.2, 0.2, words)
    return repr(result) + repr(vars(words))


PATHS = {"/health": {"get": {}}, "/data/add-job": {"post": {}}}


@pytest.mark.parametrize(
    "start", ["@{}/latest?x=", "/@{}/latest?x=", "//{}/latest", "http://{}/latest", "\\@{}/", ":80@{}/", "?@{}/"]
)
@pytest.mark.parametrize("version", ["basePath", "servers"])
def test_a_specification_names_no_other_address(servers: Servers, tmp_path: Path, start: str, version: str) -> None:
    where = start.format(servers.inside)
    place = {"basePath": where} if version == "basePath" else {"servers": [{"url": where}]}
    servers.spec = {"swagger": "2.0", **place, "paths": PATHS}
    assert SECRET not in told(servers, tmp_path)
    assert servers.asked_inside == []


@pytest.mark.parametrize("path", ["@{}/latest", "//{}/latest", "http://{}/latest", ".{}/x", "\\\\{}/x"])
def test_a_path_of_a_specification_is_no_address(servers: Servers, tmp_path: Path, path: str) -> None:
    servers.spec = {"swagger": "2.0", "paths": {path.format(servers.inside): {"get": {}}}}
    assert SECRET not in told(servers, tmp_path)
    assert servers.asked_inside == []


@pytest.mark.parametrize("scheme", ["http://{}/latest", "//{}/latest", "http://model@{}/latest", "file:///etc/passwd"])
@pytest.mark.parametrize("path", ["*", "/", "/health", "/swagger", "/swagger/v1/swagger.json", "/data/add-job"])
@pytest.mark.parametrize("kind", [check, check_foreign])
def test_a_redirect_to_another_address_is_not_followed(
    servers: Servers, tmp_path: Path, kind: Callable[..., Any], path: str, scheme: str
) -> None:
    servers.redirects = {path: scheme.format(servers.inside)}
    servers.spec = {"openapi": "3.0.0", "paths": PATHS}
    assert SECRET not in told(servers, tmp_path, kind)
    assert servers.asked_inside == []


def test_a_redirect_of_the_model_to_itself_is_followed(servers: Servers) -> None:
    servers.redirects = {"/a": "b", "/b": f"http://{servers.model}/c"}
    assert ModelClient(f"http://{servers.model}").get("/a").url == f"http://{servers.model}/c"


def test_redirects_in_a_circle_end(servers: Servers) -> None:
    servers.redirects = {"/a": "/b", "/b": "/a"}
    assert ModelClient(f"http://{servers.model}").get("/a").status_code == 302


def test_a_path_begins_with_a_slash(servers: Servers) -> None:
    with pytest.raises(CheckFailed, match="slash"):
        ModelClient(f"http://{servers.model}").get(f"@{servers.inside}/latest")
