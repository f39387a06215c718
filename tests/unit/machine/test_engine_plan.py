"""The plan for an engine follows from the findings on a machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from machine.engine import Facts, Origin, Step, choose_origin, plan
from machine.host import MachineError

READY = Facts(
    engine="28.0.4", denied=False, docker_host="", has_cli=True, has_buildx=True, dockerd="", root=False, apt=True
)
BARE = replace(READY, engine="", has_cli=False, has_buildx=False, root=True)
ALL = (Step.GET_ENGINE, Step.GET_CLIENT, Step.START)


@pytest.mark.parametrize(
    ("facts", "steps"),
    [
        pytest.param(READY, (), id="an ordinary user with an engine needs nothing"),
        pytest.param(replace(READY, apt=False), (), id="nor on another system"),
        pytest.param(replace(READY, docker_host="tcp://127.0.0.1:2375"), (), id="nor with a remote engine"),
        pytest.param(replace(READY, engine="20.10.24+dfsg1"), (), id="an old engine of theirs is left alone"),
        pytest.param(replace(READY, root=True, has_buildx=False), (Step.GET_CLIENT,), id="only the plugin"),
        pytest.param(
            replace(READY, root=True, has_cli=False, has_buildx=False), (Step.GET_CLIENT,), id="only the client"
        ),
        pytest.param(BARE, ALL, id="a bare machine"),
        pytest.param(replace(BARE, dockerd="20.10.24+dfsg1"), ALL, id="an old daemon is not started"),
        pytest.param(
            replace(BARE, has_cli=True, has_buildx=True, dockerd="26.1.5+dfsg1"), (Step.START,), id="stopped, not gone"
        ),
        pytest.param(
            replace(BARE, has_cli=True, has_buildx=True), (Step.GET_ENGINE, Step.START), id="a client without an engine"
        ),
    ],
)
def test_plan(facts: Facts, steps: tuple[Step, ...]) -> None:
    assert plan(facts) == steps


@pytest.mark.parametrize(
    ("facts", "advice"),
    [
        pytest.param(replace(READY, engine="", denied=True), ["docker group", "sudo"], id="socket refuses"),
        pytest.param(replace(BARE, root=False), ["No Docker Engine", "docs.docker.com", "sudo"], id="not root"),
        pytest.param(replace(BARE, apt=False), ["No Docker Engine", "docs.docker.com"], id="not Debian"),
        pytest.param(replace(READY, has_buildx=False), ["buildx", "docs.docker.com"], id="plugin missing, not root"),
        pytest.param(replace(BARE, docker_host="tcp://h:1"), ["DOCKER_HOST=tcp://h:1", "unset"], id="DOCKER_HOST"),
    ],
)
def test_a_refusal_is_one_line_with_the_thing_to_do(facts: Facts, advice: list[str]) -> None:
    with pytest.raises(MachineError) as refusal:
        plan(facts)
    message = str(refusal.value)
    assert "\n" not in message
    assert [word for word in advice if word not in message] == []


def test_sudo_is_not_offered_where_it_would_not_help() -> None:
    with pytest.raises(MachineError) as refusal:
        plan(replace(BARE, apt=False))
    assert "sudo" not in str(refusal.value)


@pytest.mark.parametrize(
    ("distribution", "codename", "candidates", "origin"),
    [
        ("debian", "bookworm", {"docker.io": "20.10.24+dfsg1-1+deb12u1+b6"}, Origin.BESIDE),
        ("debian", "bookworm", {"docker.io": "28.2.2-1", "docker-buildx": "0.13.1-3"}, Origin.DISTRIBUTION),
        ("debian", "bookworm", {}, Origin.BESIDE),
        ("debian", "trixie", {"docker.io": "26.1.5+dfsg1-9", "docker-buildx": "0.13.1+ds1-3"}, Origin.DISTRIBUTION),
        ("ubuntu", "noble", {"docker.io": "28.2.2-0ubuntu1", "docker-buildx": "0.21.3-0ubuntu1"}, Origin.DISTRIBUTION),
    ],
)
def test_origin(distribution: str, codename: str, candidates: dict[str, str], origin: Origin) -> None:
    assert choose_origin(distribution, codename, candidates) is origin


@pytest.mark.parametrize(
    ("distribution", "codename", "candidates"),
    [
        ("debian", "bullseye", {"docker.io": "20.10.5+dfsg1-1"}),
        ("ubuntu", "focal", {"docker.io": "26.1.3-0ubuntu1"}),
        ("ubuntu", "bionic", {}),
    ],
)
def test_a_release_that_is_too_old_is_refused(distribution: str, codename: str, candidates: dict[str, str]) -> None:
    with pytest.raises(MachineError, match=codename):
        choose_origin(distribution, codename, candidates)
