"""Builds on networks as companies have them: behind a proxy, with a registry that wants a login or limits pulls."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from model_dockerize.errors import BuildError
from model_dockerize.image import BuildRequest, Engine, build, probe
from model_dockerize.image import run as started
from model_dockerize.progress import Silent
from rig.small_base import SMALL_BASE as BASE
from rig.small_base import make_small_base
from tests.rig.listening import listening
from tests.rig.progress import Said

from .test_image import context, remove

NAME = f"mdnet-{os.getpid()}:1"


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Find the engine of this computer."""
    make_small_base()
    return probe(os.environ)


def behind(engine: Engine, **proxies: str) -> Engine:
    return replace(engine, environment={**engine.environment, **proxies})


def test_every_step_of_a_build_has_the_proxies_and_the_image_does_not(engine: Engine) -> None:
    steps = f"""FROM {BASE}
RUN : {secrets.token_hex(8)} && echo "upper ${{#HTTPS_PROXY}} lower ${{#https_proxy}} plain ${{#HTTP_PROXY}}" \\
    "none for $no_proxy and $NO_PROXY"
"""
    said = Said()
    words = [secrets.token_hex(12) for _ in range(2)]
    proxy = f"http://build:{words[0]}@proxy.example:3128"
    request = BuildRequest(tags=(NAME,))
    try:
        told = {"https_proxy": proxy, "HTTP_PROXY": "http://proxy.example", "NO_PROXY": "a.example"}
        build(behind(engine, **told), context(steps), request, said)
        expected = f"upper {len(proxy)} lower {len(proxy)} plain 20 none for a.example and a.example"
        assert any(expected in line for line in said.outputs), said.outputs

        history = subprocess.run(
            ["docker", "image", "history", "--no-trunc", NAME], capture_output=True, text=True, check=True
        )
        inspected = subprocess.run(["docker", "image", "inspect", NAME], capture_output=True, text=True, check=True)
        kept = history.stdout + inspected.stdout + "".join(said.outputs + said.infos)
        assert words[0] not in kept
        assert "proxy.example" not in history.stdout + inspected.stdout

        # Another password is no other build.
        told["https_proxy"] = proxy.replace(words[0], words[1])
        assert build(behind(engine, **told), context(steps), request, Silent()).ran_steps == 0
    finally:
        remove(engine, NAME)


def test_a_container_of_ours_has_no_proxy(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured = {"proxies": {"default": {"httpsProxy": "http://proxy.example:3128"}}}
    (tmp_path / "config.json").write_text(json.dumps(configured), encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    build(engine, context(f'FROM {BASE}\nCMD ["sleep", "60"]\n'), BuildRequest(tags=(NAME,)), Silent())
    try:
        with started(behind(engine, HTTPS_PROXY="http://proxy.example"), NAME, {}, "mdnet") as container:
            done = subprocess.run(["docker", "exec", container.name, "env"], capture_output=True, text=True, check=True)
        assert "proxy" not in done.stdout.lower()
    finally:
        remove(engine, NAME)


@pytest.mark.needs("containerd-store")
def test_no_password_of_a_proxy_is_in_the_provenance(engine: Engine, tmp_path: Path) -> None:
    word = secrets.token_hex(12)
    there = behind(engine, https_proxy=f"http://build:{word}@proxy.example:3128")
    request = BuildRequest(tags=(NAME,), provenance=True, labels={"made": "here"})
    build(there, context(f"FROM {BASE}\n"), request, Silent())
    try:
        archive = tmp_path / "image.tar"
        subprocess.run(["docker", "image", "save", "--output", archive, NAME], check=True)
    finally:
        remove(engine, NAME)
    content = archive.read_bytes()
    assert b"slsa.dev/provenance" in content
    assert b"proxy.example" not in content
    assert word.encode() not in content


@contextmanager
def registry(status: int, code: str) -> Iterator[str]:
    """Run a registry that answers everything with one error; yield its HOST:PORT."""

    class Handler(BaseHTTPRequestHandler):
        default_request_version = "HTTP/1.1"  # so that TLS is refused in HTTP, after which engines try without

        def do_GET(self) -> None:
            body = json.dumps({"errors": [{"code": code, "message": f"{code.lower()}: no"}]}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    with listening(Handler) as server:
        yield f"127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (403, "DENIED", "Check the base image's name, and that the engine reaches its registry."),
        (429, "TOOMANYREQUESTS", "The registry limits how many images are pulled without a login"),
    ],
)
def test_a_registry_that_gives_nothing_without_a_login(engine: Engine, status: int, code: str, sentence: str) -> None:
    for workspace, remedy in (
        ("/github/workspace", "`docker login` and `docker pull BASE-IMAGE` in a step before this one."),
        ("/home/somebody", "run `docker login`, and build again."),
    ):
        with registry(status, code) as address, pytest.raises(BuildError) as refused:
            there = behind(engine, GITHUB_WORKSPACE=workspace)
            build(there, context(f"FROM {address}/private/base:1\n"), BuildRequest(tags=(NAME,)), Silent())
        assert sentence in f"{refused.value} {refused.value.remedy}", refused.value.details
        assert refused.value.remedy.endswith(remedy)
