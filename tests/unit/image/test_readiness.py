"""The disk, the base image and the registry are looked at before a build, and faults are told with what helps."""

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from model_dockerize.errors import EngineError, PushError
from model_dockerize.image import RegistryAuth, find_base, free_disk, sign_in
from tests.rig.engine_api import EngineApi
from tests.rig.leaks import planted

BASE = "debian:12"
SOCKET = "unix:///run/docker.sock"
NOT_HERE = f"{BASE} is not in the engine, and its registry cannot be reached."
PULL = f"Check network and proxy, or have it here beforehand: docker pull {BASE}"


def test_the_disk_of_an_engine_here_is_looked_at(
    api: EngineApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers["GET /info"] = {"DockerRootDir": str(tmp_path)}
    monkeypatch.setattr(shutil, "disk_usage", {tmp_path: SimpleNamespace(total=9, used=2, free=7)}.__getitem__)
    assert free_disk(api.engine(host=SOCKET)) == 7


def test_a_disk_that_nobody_here_sees_is_not_known(api: EngineApi, tmp_path: Path) -> None:
    api.answers["GET /info"] = {"DockerRootDir": str(tmp_path / "in-a-virtual-machine")}
    assert free_disk(api.engine(host=SOCKET)) is None
    assert api.asked == ["GET /info"]
    assert free_disk(api.engine(host="tcp://10.0.0.1:2376")) is None
    assert api.asked == ["GET /info"]


def test_an_engine_that_hides_its_folder_is_measured_where_we_are(
    api: EngineApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers["GET /info"] = {}
    monkeypatch.setattr(shutil, "disk_usage", {Path(): SimpleNamespace(free=7)}.__getitem__)
    assert free_disk(api.engine(host=SOCKET)) == 7


class Cli:
    """Stand in for the command line's process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int, out: str, err: str) -> None:
        self.asked: list[tuple[list[str], dict[str, Any]]] = []
        self.answer: Any = SimpleNamespace(returncode=code, stdout=out, stderr=err)
        monkeypatch.setattr("subprocess.run", self)

    def __call__(self, argv: list[str], **options: Any) -> Any:
        self.asked.append((argv, options))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(monkeypatch, 0, f"sha256:{'ab' * 32}\n", "")


def test_a_base_image_that_the_engine_holds_is_sought_nowhere_else(api: EngineApi, cli: Cli) -> None:
    api.answers[f"GET /images/{BASE}/json"] = {"Id": "sha256:1"}
    assert find_base(api.engine(), BASE) == "debian:12 is in the engine"
    assert cli.asked == []


def test_else_its_registry_is_asked_and_waited_for_a_while(api: EngineApi, cli: Cli) -> None:
    engine = api.engine(environment={"PATH": "/bin", "DOCKER_CONFIG": "/config"})
    assert find_base(engine, BASE) == "debian:12 is in its registry (sha256:abababababab)"
    ((argv, options),) = cli.asked
    assert argv == ["/usr/bin/docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", BASE]
    assert options == {
        **{"env": {"PATH": "/bin", "DOCKER_CONFIG": "/config"}, "stdin": subprocess.DEVNULL},
        **{"capture_output": True, "text": True, "timeout": 20, "check": False},
    }


@pytest.mark.parametrize(
    ("said", "sentence", "remedy"),
    [
        *(
            (words, f"There is no such image: {BASE}.", "Correct base-image.")
            for words in ("ERROR: docker.io/x: Not Found", "manifest unknown", "name unknown: no")
        ),
        *(
            (words, f"Its registry limits pulls without a login: {BASE}.", "Sign in there: docker login.")
            for words in ("toomanyrequests: slow down", "status 429")
        ),
        *(
            (words, f"Its registry refuses to show it: {BASE}.", "Sign in there: docker login.")
            for words in ("401 Unauthorized", "pull access denied", "403 Forbidden")
        ),
        ("dial tcp: no route to host", NOT_HERE, PULL),
    ],
)
@pytest.mark.parametrize("stream", ["out", "err"])
def test_what_the_registry_says_is_told_with_what_helps(
    api: EngineApi, monkeypatch: pytest.MonkeyPatch, said: str, sentence: str, remedy: str, stream: str
) -> None:
    told = {"out": "", "err": ""} | {stream: f"not found: an earlier line\n{said}\n"}
    Cli(monkeypatch, 1, **told)
    with pytest.raises(EngineError) as refused:
        find_base(api.engine(), BASE)
    assert (str(refused.value), refused.value.remedy, refused.value.details) == (sentence, remedy, (said,))


def test_a_registry_that_says_nothing_or_does_not_answer_cannot_be_reached(
    api: EngineApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, slow = Cli(monkeypatch, 1, "", " \n"), "no answer within 20 s"
    for why in ("no reason was given", slow):
        with pytest.raises(EngineError) as refused:
            find_base(api.engine(), BASE)
        assert (str(refused.value), refused.value.remedy, refused.value.details) == (NOT_HERE, PULL, (why,))
        silent.answer = subprocess.TimeoutExpired("docker", 20)


AUTH = RegistryAuth("AWS", planted("registry-password"), "registry.example")


def test_the_engine_tries_credentials_and_nothing_keeps_them(
    api: EngineApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client would take an earlier login for enough.
    (tmp_path / "config.json").write_text('{"auths": {"registry.example": {"auth": "QVdTOm9sZA=="}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    before = (tmp_path / "config.json").read_bytes()
    api.answers["POST /auth"] = {"Status": "Login Succeeded"}
    sign_in(api.engine(), AUTH)
    body = {"username": "AWS", "password": AUTH.password, "serveraddress": "registry.example"}
    assert api.asked == [("POST /auth", body)]
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("answer", "kind", "sentence", "remedy", "details"),
    [
        (
            (500, "Get https://registry.example/v2/: i/o timeout"),
            PushError,
            "Docker Engine cannot sign in to registry.example.",
            "Check the engine's network and proxy (they are not this shell's), and the account's region.",
            ("Get https://registry.example/v2/: i/o timeout",),
        ),
        (
            requests.ReadTimeout("read timed out"),
            EngineError,
            "Docker Engine stopped answering.",
            "Look at its log.",
            ("read timed out",),
        ),
    ],
)
def test_credentials_that_the_engine_cannot_try(
    api: EngineApi, answer: Any, kind: type[EngineError], sentence: str, remedy: str, details: tuple[str, ...]
) -> None:
    api.answers["POST /auth"] = answer
    with pytest.raises(kind) as refused:
        sign_in(api.engine(), AUTH)
    assert (str(refused.value), refused.value.remedy, refused.value.details) == (sentence, remedy, details)
