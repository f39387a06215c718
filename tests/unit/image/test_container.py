"""A container of a test: what the engine is asked for, where it answers, and that nothing of it stays."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import EngineError, SmokeError
from model_dockerize.image import run
from tests.rig.engine_api import EngineApi

HOST = "0123456789ab"  # what docker calls a container from inside
OWN = f"GET /containers/{HOST}/json"
SHOWN = "GET /containers/c1/json"
REMOVED = "DELETE /containers/c1?v=True&link=False&force=True"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this computer be called so, and its containers have a proxy, which none on ECS has."""
    proxies = {"proxies": {"default": {"httpProxy": "http://proxy:3128"}}}
    (tmp_path / "config.json").write_text(json.dumps(proxies))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)


def container(ports: Any = None, networks: Any = None, **more: Any) -> dict[str, Any]:
    network = {"Ports": ports or {}, "Networks": networks or {}}
    return {"Id": "c1", "Name": "/try-1", "NetworkSettings": network, "Config": {"Tty": False}, **more}


def ready(api: EngineApi, shown: Any) -> EngineApi:
    api.answers |= {
        "POST /containers/create": {"Id": "c1"},
        SHOWN: shown,
        "POST /containers/c1/start": b"",
        "DELETE /containers/c1": b"",
    }
    return api


@pytest.mark.parametrize(("memory", "limit"), [(0, {}), (512, {"Memory": 512 << 20, "MemorySwap": 512 << 20})])
def test_it_is_made_as_asked_for_and_removed_with_its_volumes(
    api: EngineApi, memory: int, limit: dict[str, int]
) -> None:
    ready(api, container({"81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}]}))
    with run(api.engine(), "iris:1", {"A": "b"}, "try", port=81, memory=memory) as started:
        assert (started.id, started.name, started.urls) == ("c1", "try-1", ("http://127.0.0.1:32768",))
    own, (created, body), *others = api.asked
    assert own == OWN
    assert others == [SHOWN, "POST /containers/c1/start", SHOWN, REMOVED]
    place, _, name = created.partition("=try-")
    assert place == "POST /containers/create?name"
    assert len(bytes.fromhex(name)) == 4
    ports = {"81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]}
    assert {key: value for key, value in body.items() if value is not None} == {
        "Image": "iris:1",
        "Env": ["A=b"],
        "ExposedPorts": {"81/tcp": {}},
        "HostConfig": {"NetworkMode": "default", "PortBindings": ports, **limit},
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": False,
        "StdinOnce": False,
        "Tty": False,
        "NetworkDisabled": False,
    }


@pytest.mark.parametrize(
    ("networks", "joined", "urls"),
    [
        ({"ci": {"IPAddress": "172.18.0.2"}}, "ci", ("http://172.18.0.9:80", "http://127.0.0.1:1")),
        ({"none": {}, "ci": {}, "more": {}}, "ci", ("http://172.18.0.9:80", "http://127.0.0.1:1")),
        ({"host": {}}, None, ("http://127.0.0.1:1",)),
        ({}, None, ("http://127.0.0.1:1",)),
    ],
)
def test_from_a_container_its_network_is_joined(
    api: EngineApi, networks: dict[str, Any], joined: str | None, urls: tuple[str, ...]
) -> None:
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1"}]}
    ready(api, container(ports, {"ci": {"IPAddress": "172.18.0.9"}, "more": {"IPAddress": "172.19.0.9"}}))
    api.answers[OWN] = {"Id": f"{HOST}cdef", "NetworkSettings": {"Networks": networks}}
    with run(api.engine(), "iris:1", {}, "try") as started:
        assert started.urls == urls
    body = api.asked[1][1]
    assert body["HostConfig"]["NetworkMode"] == (joined or "default")


@pytest.mark.parametrize(
    "own",
    [
        {"Id": "another", "NetworkSettings": {"Networks": {"ci": {}}}},  # it merely bears this computer's name
        (400, "a name that no container has"),
        (404, "none"),
    ],
)
def test_on_a_computer_no_network_is_joined(api: EngineApi, own: Any) -> None:
    ready(api, container({"80/tcp": None}, {"ci": {"IPAddress": "172.18.0.9"}}))
    api.answers[OWN] = own
    with run(api.engine(), "iris:1", {}, "try") as started:
        assert started.urls == ()
    assert api.asked[1][1]["HostConfig"]["NetworkMode"] == "default"


def test_without_an_address_in_the_network_it_is_asked_by_its_port(api: EngineApi) -> None:
    ready(api, container({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1"}]}, {"ci": {"IPAddress": ""}}))
    api.answers[OWN] = {"Id": HOST, "NetworkSettings": {"Networks": {"ci": {}}}}
    with run(api.engine(), "iris:1", {}, "try") as started:
        assert started.urls == ("http://127.0.0.1:1",)


@pytest.mark.parametrize(
    ("answer", "kind", "says", "remedy"),
    [
        ((404, "No such image: iris:1"), EngineError, "The engine holds no image iris:1.", "List what there is"),
        ((400, "bad name"), EngineError, "The engine makes no container of iris:1: bad name", ""),
    ],
)
def test_one_that_cannot_be_made_leaves_nothing_to_remove(
    api: EngineApi, answer: Any, kind: type[Exception], says: str, remedy: str
) -> None:
    api.answers["POST /containers/create"] = answer
    with pytest.raises(kind) as refused, run(api.engine(), "iris:1", {}, "try"):
        pass
    assert str(refused.value) == says
    assert refused.value.remedy.startswith(remedy)
    assert len(api.asked) == 2


def test_one_that_does_not_start_is_removed(api: EngineApi) -> None:
    ready(api, container())
    api.answers["POST /containers/c1/start"] = (400, "exec format error")
    with pytest.raises(SmokeError) as refused, run(api.engine(), "iris:1", {}, "try"):
        pass
    assert str(refused.value) == "A container of iris:1 does not start: exec format error"
    assert refused.value.remedy == ("Check the image's command and that it was built for this computer's architecture.")
    assert api.asked[-1] == REMOVED


def test_it_is_removed_whatever_ends_the_block_and_may_have_gone_before(api: EngineApi) -> None:
    ready(api, container({"80/tcp": []}))
    with pytest.raises(KeyboardInterrupt), run(api.engine(), "iris:1", {}, "try"):
        raise KeyboardInterrupt
    assert api.asked[-1] == REMOVED
    api.answers["DELETE /containers/c1"] = (404, "no such container")
    with run(api.engine(), "iris:1", {}, "try"):
        pass
    assert api.asked[-1] == REMOVED


@pytest.mark.parametrize(
    ("state", "code"),
    [
        *(({"Status": name, "ExitCode": 0}, None) for name in ("created", "running", "restarting", "paused")),
        ({"Status": "exited", "ExitCode": 3}, 3),
        ({"Status": "dead", "ExitCode": 0}, 0),
        (None, 137),
    ],
)
def test_whether_it_ended_and_how(api: EngineApi, state: Any, code: int | None) -> None:
    ready(api, container({"80/tcp": []}))
    with run(api.engine(), "iris:1", {}, "try") as started:
        api.answers[SHOWN] = container(State=state) if state else (404, "gone")
        assert started.exited() == code


def test_its_last_lines_are_read_whatever_they_hold(api: EngineApi) -> None:
    ready(api, container({"80/tcp": []}))
    api.answers["GET /containers/c1/logs"] = b"\x01\0\0\0\0\0\0\x04a\xff\n\n"
    with run(api.engine(), "iris:1", {}, "try") as started:
        assert started.logs(7) == "a\N{REPLACEMENT CHARACTER}\n\n"
        started.logs()
    asked = [place for place in api.asked if "/logs?" in place]
    assert [place.rpartition("&tail=")[2].partition("&")[0] for place in asked] == ["7", "50"]
