"""A run says the image's version, and whether a fork asked for it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize import runner
from model_dockerize.patterns import TAG

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [
        ("tag", "v1.2.3", "v1.2.3"),
        ("tag", "1.2.3-rc.1", "1.2.3-rc.1"),
        ("tag", "iris/v1.2.3", "v1.2.3"),
        ("tag", "v1.2+gpu", "v1.2-gpu"),
        ("tag", "-.v1", "v1"),
        ("tag", "über", "ber"),
        ("tag", "v" * 200, "v" * 128),
        ("branch", "main", "0123456789ab"),
        ("branch", "7/merge", "0123456789ab"),
        ("", "", "0123456789ab"),
    ],
)
def test_the_version_of_a_run(kind: str, name: str, version: str) -> None:
    environment = {"GITHUB_REF_TYPE": kind, "GITHUB_REF_NAME": name, "GITHUB_SHA": SHA}
    assert runner.from_run(environment, Path("/w"))["image-version"].text == version


def test_outside_of_a_runner_nothing_is_said() -> None:
    assert runner.from_run({}, Path("/w")) == {}
    assert runner.from_run({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "..."}, Path("/w")) == {}


@given(st.text())
def test_whatever_the_tag_is_the_version_is_legal(name: str) -> None:
    for said in runner.from_run({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": name}, Path("/w")).values():
        assert TAG.regex.fullmatch(said.text)


def pull(head: Any) -> dict[str, Any]:
    return {"pull_request": {"head": {"repo": head}, "base": {"repo": {"full_name": "org/iris"}}}}


@pytest.mark.parametrize(
    ("event", "source"),
    [
        (pull({"full_name": "somebody/iris"}), "somebody/iris"),
        (pull({"full_name": "org/iris"}), ""),
        (pull(None), "a deleted fork"),
        ({"ref": "refs/heads/main"}, ""),
        (["no", "mapping"], ""),
        ({"pull_request": None}, ""),
    ],
)
def test_where_a_pull_request_comes_from(event: Any, source: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    assert runner.fork({"GITHUB_EVENT_PATH": str(file)}) == source


def test_an_event_that_cannot_be_read_is_no_fork(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{")
    assert runner.fork({"GITHUB_EVENT_PATH": str(tmp_path / "event.json")}) == ""
    assert runner.fork({"GITHUB_EVENT_PATH": str(tmp_path)}) == runner.fork({}) == ""
