"""A model's program that looks for the data of another customer finds none, in every mode (tests/attacks/snoop.py)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from model_runner.call import LINK
from tests.attacks.snoop import SET_UID
from tests.rig.docker_command import docker
from tests.rig.waiting import eventually

from .test_container import Container, build, bundle

__all__ = ["bundle"]  # the fixture

SNOOP = Path(__file__).parents[2] / "attacks/snoop.py"
WORD = "PLANTED-WORD-4711"
HELD = "PLANTED-WORD-4712"
LARGE = " " * 20_000
MODES = ("command", "warm", "resident")


def model(**more: object) -> str:
    command = {"command": ["python", "main.py", "{input}", "{output}"], "working_directory": "/program"}
    types = {"input_types": ["text/plain"], "output_types": ["application/json"]}
    return json.dumps({"name": "snoop", "version": "1", **command, **types, **more})


@pytest.fixture(scope="module")
def image(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "main.py").write_text(SNOOP.read_text(encoding="utf-8"), encoding="utf-8")
    server = "/opt/model-server/model-server"
    name = build(
        folder,
        "FROM python:3.13-slim-trixie\nCOPY main.py /program/\n"
        f"RUN cp /usr/bin/id {SET_UID} && chmod 4755 {SET_UID}\n"
        f"COPY --from={bundle} /opt/model-server /opt/model-server\n"
        f"RUN {json.dumps([server, 'manifest', model()])}\n"
        f'ENTRYPOINT ["/opt/model-server/tini","--","{server}"]\n',
    )
    yield name
    docker("image", "rm", "--force", name)


def options(mode: str, *more: str) -> list[str]:
    return [f"--env=MODEL_RUNNER_MODE={mode}", "--env=MODEL_WORKERS=2", *more]


def send(container: Container, text: str) -> str:
    answer = requests.post(f"{container.url}/data/add-job", files={"File": text.encode()}, timeout=30)
    return str(answer.json()["data"]["id"])


def end_of(container: Container, job_id: str) -> str:
    """Return the error of a job that is over, "" if it has none."""

    def over() -> dict[str, object] | None:
        body = requests.get(f"{container.url}/data/status/{job_id}", timeout=30).json()
        return dict(body) if body["isError"] or body["data"]["status"] == "Complete" else None

    return str(eventually(over, tell=lambda: docker("logs", container.name))["errorMessage"] or "")


def result(container: Container, text: str) -> dict[str, object]:
    job_id = send(container, text)
    assert end_of(container, job_id) == ""
    return dict(requests.get(f"{container.url}/data/result/{job_id}", timeout=30).json())


def has(container: Container, path: str) -> bool:
    return docker("exec", container.name, "sh", "-c", f"test -e {path} && echo yes || true") == "yes"


def found_by_root(container: Container) -> object:
    script = "echo look > /tmp/l; HOME=/root python /program/main.py /tmp/l /tmp/o; cat /tmp/o; rm /tmp/l /tmp/o"
    return json.loads(docker("exec", container.name, "sh", "-c", script))["found"]


def assert_nothing_is_found(container: Container, places: str) -> None:
    """Have one customer's jobs leave their word wherever they can, and another's look for it, on both workers."""
    assert result(container, f"plant {WORD} {places}")["said"] == WORD
    assert result(container, f"plant {WORD} {places}{LARGE}")["said"] == WORD
    holding = send(container, f"hold {HELD} folder{LARGE}")
    eventually(lambda: has(container, "/tmp/holds"))
    for text in ("look", f"look{LARGE}"):  # one worker holds, so the other does both
        looked = result(container, text)
        assert (looked["found"], looked["victims"]) == ([], [])
    if "--user=4321:4321" not in container.options:
        assert found_by_root(container)  # it does find it, if it may
    docker("exec", container.name, "touch", "/tmp/enough")
    assert end_of(container, holding) == ""
    looked = result(container, "look")
    assert (looked["found"], looked["victims"]) == ([], [])


@pytest.mark.parametrize("mode", ["command", "warm"])
def test_the_word_of_another_customer_is_nowhere(image: str, mode: str) -> None:
    with Container(image, *options(mode)) as container:
        assert_nothing_is_found(container, "home folder tmp shm var processes")
        assert result(container, "look")["user"] in (20000, 20001)
        assert result(container, "look")["home"] == []


def test_nor_can_a_resident_program_reach_beyond_itself(image: str) -> None:
    with Container(image, *options("resident")) as container:
        assert_nothing_is_found(container, "folder processes")


@pytest.mark.needs("landlock")
@pytest.mark.parametrize("mode", MODES)
def test_with_a_user_of_the_container_landlock_hides_all_but_tmp(image: str, mode: str) -> None:
    with Container(image, *options(mode, "--user=4321:4321")) as container:
        assert_nothing_is_found(container, "folder processes")


def test_a_program_that_kills_whomever_it_may_ends_neither_the_server_nor_other_jobs(image: str) -> None:
    with Container(image, *options("warm")) as container:
        holding = send(container, f"hold {HELD} folder")
        eventually(lambda: has(container, "/tmp/holds"))
        killer = send(container, "murder")
        assert "worker" in end_of(container, killer)
        docker("exec", container.name, "touch", "/tmp/enough")
        assert end_of(container, holding) == ""
        eventually(lambda: f"job {holding} complete" in docker("logs", container.name))
        assert docker("logs", container.name).count(f"job {holding} started") == 1
        assert result(container, f"plant {WORD} tmp")["said"] == WORD


@pytest.mark.parametrize("wanted", ["/var/gai_data/jobs.sqlite3", "/proc/1/environ", "/proc/self/environ"])
def test_a_link_as_output_leads_nowhere(image: str, wanted: str) -> None:
    with Container(image, *options("command", "--env=MODEL_SECRET=top")) as container:
        answered = end_of(container, send(container, f"link {wanted}"))
        assert answered == LINK
