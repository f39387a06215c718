"""A container that stays: what the engine is asked for when one takes another's place, and when it cannot."""

from contextlib import suppress
from typing import Any

import pytest

from model_dockerize.errors import EngineError, SmokeError
from model_dockerize.image import Image, Place, container_name, serve, served, serves, stop
from model_dockerize.image.serve import LABEL
from tests.rig.engine_api import EngineApi

IMAGE = Image("iris:1", "sha256:1", 1, "b", None, "linux/amd64")
PLACE = Place("127.0.0.1", 9090, "jobs")
ALL = "0.0.0.0"  # noqa: S104 - it is only asked for
NAME = "model-dockerize-iris"
LOOK, LOOK_BEFORE = f"GET /containers/{NAME}/json", f"GET /containers/{NAME}-before/json"
START, SHOW = "POST /containers/new/start", "GET /containers/new/json"
STOP_OLD, REMOVE_OLD = "POST /containers/old/stop?t=60", "DELETE /containers/old?v=True&link=False&force=False"
AWAY, BACK = f"POST /containers/old/rename?name={NAME}-before", f"POST /containers/old/rename?name={NAME}"


def container(identity: str, **more: Any) -> dict[str, Any]:
    return {"Id": identity, "Name": f"/{NAME}", "Config": {"Labels": {LABEL: NAME}}, **more}


def place_of(request: Any) -> str:
    return str(request[0] if isinstance(request, tuple) else request)


def old(api: EngineApi, status: str = "running", name: str = NAME) -> None:
    api.answers |= {
        f"GET /containers/{name}/json": container("old", State={"Status": status}),
        **{f"POST /containers/old/{verb}": b"" for verb in ("stop", "start", "rename")},
        "DELETE /containers/old": b"",
    }


@pytest.fixture(autouse=True)
def new(api: EngineApi) -> None:
    api.answers |= {
        "POST /containers/create": {"Id": "new"},
        SHOW: container("new"),
        START: b"",
        "DELETE /containers/new": b"",
    }


@pytest.mark.parametrize(
    ("place", "environment", "mounts", "published"),
    [
        (
            PLACE,
            ["MODEL_ALLOWED_HOSTS=localhost,127.0.0.1"],
            [{"Target": "/var/gai_data", "Source": "jobs", "Type": "volume", "ReadOnly": False}],
            "127.0.0.1",
        ),
        (Place(ALL, 9090, ""), [], None, ALL),
        (
            Place("10.0.0.1", 9090, "", ("a.example", "b.example")),
            ["MODEL_ALLOWED_HOSTS=localhost,10.0.0.1,a.example,b.example"],
            None,
            "10.0.0.1",
        ),
    ],
)
def test_the_first_is_made_as_asked_for(
    api: EngineApi, place: Place, environment: list[str], mounts: Any, published: str
) -> None:
    with serve(api.engine(), NAME, IMAGE, place) as started:
        assert (started.id, started.name, started.urls) == ("new", NAME, (place.url,))
    assert [place_of(each) for each in api.asked] == [
        LOOK,
        LOOK_BEFORE,
        f"POST /containers/create?name={NAME}",
        SHOW,
        START,
    ]
    body = api.asked[2][1]
    assert (body["Image"], body["Labels"], body["ExposedPorts"]) == ("iris:1", {LABEL: NAME}, {"80/tcp": {}})
    assert body.get("Env", []) == environment
    bindings = {"80/tcp": [{"HostIp": published, "HostPort": "9090"}]}
    assert body["HostConfig"] == {"NetworkMode": "default", "PortBindings": bindings, "Mounts": mounts or []}


@pytest.mark.parametrize(
    ("place", "url", "is_loopback"),
    [
        (PLACE, "http://127.0.0.1:9090", True),
        (Place(ALL, 80, ""), "http://127.0.0.1:80", False),
        (Place("10.0.0.1", 80, ""), "http://10.0.0.1:80", False),
    ],
)
def test_where_it_answers(place: Place, url: str, is_loopback: bool) -> None:
    assert (place.url, place.is_loopback) == (url, is_loopback)


@pytest.mark.parametrize("model", ["iris", "my model/ä"])
def test_its_name_holds_what_docker_takes(model: str) -> None:
    assert container_name(model) == f"model-dockerize-{'iris' if model == 'iris' else 'my-model--'}"


def test_the_former_gives_way_and_is_removed_when_the_new_one_has_proved_itself(api: EngineApi) -> None:
    old(api)
    with serve(api.engine(), NAME, IMAGE, PLACE):
        assert [place_of(each) for each in api.asked] == [
            *(LOOK, LOOK_BEFORE, STOP_OLD, AWAY),
            *(f"POST /containers/create?name={NAME}", SHOW, START),
        ]
        api.asked.clear()
    assert api.asked == [REMOVE_OLD]


@pytest.mark.parametrize(
    ("status", "again"), [("running", ["POST /containers/old/start"]), ("exited", []), ("created", [])]
)
def test_the_former_comes_back_where_the_new_one_fails(api: EngineApi, status: str, again: list[str]) -> None:
    old(api, status)
    with suppress(KeyboardInterrupt), serve(api.engine(), NAME, IMAGE, PLACE):
        api.asked.clear()
        raise KeyboardInterrupt
    assert api.asked == ["DELETE /containers/new?v=True&link=False&force=True", BACK, *again]


def test_without_a_former_the_failed_one_is_removed(api: EngineApi) -> None:
    with suppress(KeyboardInterrupt), serve(api.engine(), NAME, IMAGE, PLACE):
        api.asked.clear()
        raise KeyboardInterrupt
    assert api.asked == ["DELETE /containers/new?v=True&link=False&force=True"]


@pytest.mark.parametrize("both", [False, True])
def test_what_a_killed_run_left_under_its_other_name_is_the_former_unless_there_is_one(
    api: EngineApi, both: bool
) -> None:
    old(api, name=f"{NAME}-before")
    if both:
        api.answers |= {
            LOOK: container("last", State={"Status": "running"}),
            **{f"POST /containers/last/{verb}": b"" for verb in ("stop", "rename")},
            "DELETE /containers/last": b"",
        }
    with serve(api.engine(), NAME, IMAGE, PLACE):
        pass
    former = "last" if both else "old"
    tidied = ["DELETE /containers/old?v=True&link=False&force=True"] if both else [BACK]
    assert [place_of(each) for each in api.asked] == [
        *(LOOK, LOOK_BEFORE),
        *tidied,
        f"POST /containers/{former}/stop?t=60",
        f"POST /containers/{former}/rename?name={NAME}-before",
        *(f"POST /containers/create?name={NAME}", SHOW, START),
        f"DELETE /containers/{former}?v=True&link=False&force=False",
    ]


def test_a_container_that_others_made_stays(api: EngineApi) -> None:
    api.answers[LOOK] = {"Id": "x", "Config": {"Labels": {}}}
    for act in (lambda: stop(api.engine(), NAME), lambda: serves(api.engine(), NAME, IMAGE, PLACE)):
        with pytest.raises(EngineError) as refused:
            act()
        assert str(refused.value) == f"A container named {NAME} is there, and model-dockerize did not make it."
        assert refused.value.remedy == f"Rename or remove it: docker rename {NAME} OTHER"
    assert api.asked == [LOOK, LOOK]


@pytest.mark.parametrize(
    ("said", "kind", "sentence", "remedy"),
    [
        (
            "driver failed: Bind for 127.0.0.1:9090 failed: port is already allocated",
            EngineError,
            "Port 9090 of 127.0.0.1 is taken.",
            "Choose another: --port; `docker ps` shows which containers have ports.",
        ),
        (
            "listen tcp4 127.0.0.1:9090: bind: address already in use",
            EngineError,
            "Port 9090 of 127.0.0.1 is taken.",
            "Choose another: --port; `docker ps` shows which containers have ports.",
        ),
        (
            "exec format error",
            SmokeError,
            "The container does not start: exec format error",
            "Check that the image is for this computer's processor.",
        ),
    ],
)
def test_one_that_does_not_start_is_removed_and_says_why(
    api: EngineApi, said: str, kind: type[EngineError], sentence: str, remedy: str
) -> None:
    old(api)
    api.answers[START] = (400, said)
    with pytest.raises(kind) as refused, serve(api.engine(), NAME, IMAGE, PLACE):
        pass
    assert (str(refused.value), refused.value.remedy) == (sentence, remedy)
    assert api.asked[-3:] == [
        "DELETE /containers/new?v=True&link=False&force=True",
        BACK,
        "POST /containers/old/start",
    ]


def test_one_that_cannot_be_made_brings_the_former_back(api: EngineApi) -> None:
    old(api)
    api.answers["POST /containers/create"] = (400, "no such option")
    with pytest.raises(EngineError) as refused, serve(api.engine(), NAME, IMAGE, PLACE):
        pass
    assert str(refused.value) == "The engine makes no container of iris:1: no such option"
    assert api.asked[-2:] == [BACK, "POST /containers/old/start"]


def running(**other: Any) -> dict[str, Any]:
    """Return how the engine shows the model at its place, with what is otherwise."""
    config = {
        "Labels": {LABEL: NAME},
        "Env": other.pop("Env", ["PATH=/bin", "MODEL_ALLOWED_HOSTS=localhost,127.0.0.1"]),
    }
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9090"}]}
    return {
        **{"Id": "old", "Image": "sha256:1", "State": {"Status": "running"}, "Config": config},
        "HostConfig": {"PortBindings": ports},
        "Mounts": [{"Destination": "/var/gai_data", "Name": "jobs"}, {"Destination": "/other", "Name": "other"}],
        **other,
    }


@pytest.mark.parametrize(
    ("shown", "volume", "is_it"),
    [
        (running(), "jobs", True),
        (running(), "", False),
        (running(Mounts=[]), "jobs", False),
        (running(Mounts=[]), "", True),
        (running(Mounts=[{"Destination": "/var/gai_data"}]), "", True),
        (running(Mounts=[{"Destination": "/var/gai_data", "Name": "others"}]), "jobs", False),
        (running(State={"Status": "exited"}), "jobs", False),
        (running(Image="sha256:2"), "jobs", False),
        (running(Env=["MODEL_ALLOWED_HOSTS=localhost"]), "jobs", False),
        (running(HostConfig={"PortBindings": None}), "jobs", False),
        (running(HostConfig={}), "jobs", False),
        (running(HostConfig={"PortBindings": {"80/tcp": None}}), "jobs", False),
        (running(HostConfig={"PortBindings": {"80/tcp": [{"HostIp": ALL, "HostPort": "9090"}]}}), "jobs", False),
        (running(HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1"}]}}), "jobs", False),
        ((404, "none"), "jobs", False),
    ],
)
def test_whether_the_model_runs_there_already(api: EngineApi, shown: Any, volume: str, is_it: bool) -> None:
    api.answers[LOOK] = shown
    assert serves(api.engine(), NAME, IMAGE, Place("127.0.0.1", 9090, volume)) is is_it
    assert api.asked == [LOOK]


def test_stopped_it_may_end_its_job_and_goes_with_what_nobody_named(api: EngineApi) -> None:
    old(api)
    assert stop(api.engine(), NAME) is True
    assert api.asked == [LOOK, STOP_OLD, REMOVE_OLD]
    assert stop(api.engine(), "other") is False


def test_the_engine_is_asked_for_those_that_run_with_our_label(api: EngineApi) -> None:
    names = {"b": NAME, "a": f"{NAME}-before", "c": "model-dockerize-churn"}
    api.answers["GET /containers/json"] = [{"Id": identity} for identity in names]
    for identity, name in names.items():
        label = name.removesuffix("-before")
        shown = {"Id": identity, "Name": f"/{name}", "Config": {"Labels": {LABEL: label}}}
        api.answers[f"GET /containers/{identity}/json"] = shown
    assert served(api.engine()) == ("model-dockerize-churn", NAME)
    assert api.asked[0] == (
        'GET /containers/json?limit=-1&all=0&size=0&trunc_cmd=0&filters={"label":+["io.model-dockerize.serves"]}'
    )
