"""The side that the command line imports: the record, the environment and where the home is."""

import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.errors import SandboxError
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox, default_home, environment, lifecycle, record, status, stop
from model_sandbox.record import Record, save
from tests.rig.progress import Said

RUNNING = Sandbox("http://127.0.0.1:9", "us-east-1", "123456789012", 4242, "127.0.0.1:9", "abc", 1, "key")


def test_home_comes_from_the_variable_then_from_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODEL_DOCKERIZE_HOME", str(tmp_path / "a"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "b"))
    assert default_home() == tmp_path / "a"
    monkeypatch.delenv("MODEL_DOCKERIZE_HOME")
    assert default_home() == tmp_path / "b" / "model-dockerize"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_home() == Path.home() / ".local" / "state" / "model-dockerize"


def test_record_is_private_and_a_broken_one_is_none(tmp_path: Path) -> None:
    save(tmp_path, Record(**asdict(RUNNING)))
    assert record.load(tmp_path) == RUNNING
    assert (tmp_path / record.RECORD_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [record.RECORD_NAME]
    for broken in ("", "[]", '{"pid": 1}'):
        (tmp_path / record.RECORD_NAME).write_text(broken)
        assert record.load(tmp_path) is None


def test_a_record_whose_port_does_not_answer_is_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, Record(**asdict(RUNNING)))
    assert status(tmp_path) is None
    with monkeypatch.context() as patch:
        patch.setattr(record, "answers", lambda known: known == RUNNING)
        assert status(tmp_path) == RUNNING
    assert status(tmp_path / "missing") is None
    assert stop(tmp_path / "missing", Silent()).paths == ()


def test_environment_hides_whatever_would_lead_elsewhere() -> None:
    before = {
        "PATH": "/bin",
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "s",
        "AWS_CA_BUNDLE": "/ca",
        "AWS_ENDPOINT_URL_ECS": "https://elsewhere",
        "AWS_ACCESS_KEY_ID": "real",
    }
    after = RUNNING.applied_to(before)
    assert after == {"PATH": "/bin", **RUNNING.environment()}
    assert after["AWS_ACCESS_KEY_ID"] == RUNNING.account_id
    assert before["AWS_PROFILE"] == "work"
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"} <= set(RUNNING.unset())


def test_environment_is_named_by_its_requirements(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("a==1\n")
    other.write_text("a==2\n")
    assert environment.environment_path(tmp_path, one) != environment.environment_path(tmp_path, other)
    assert environment.environment_path(tmp_path, one) == environment.environment_path(tmp_path, one)


def test_shipped_requirements_are_pinned_by_hash_and_lie_beside_the_code() -> None:
    text = environment.REQUIREMENTS.read_text()
    assert "ministack==1.5.33" in text
    pins = [line for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")]
    assert all(line.endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_environment_is_made_once_again_after_a_kill_and_old_ones_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], progress: object, what: str) -> None:
        calls.append(argv)
        if argv[1:3] == ["-m", "venv"]:
            (Path(argv[3]) / "bin").mkdir(parents=True)
            environment.python_of(Path(argv[3])).touch()

    monkeypatch.setattr(environment, "_run", run)
    stale = tmp_path / "sandbox-env-old"
    stale.mkdir()
    half = environment.environment_path(tmp_path)
    (half / "bin").mkdir(parents=True)
    environment.python_of(half).touch()
    (half / "leftover").touch()
    python = environment.ensure(tmp_path, Silent())
    assert (len(calls), python) == (2, half / "bin" / "python")
    assert "--require-hashes" in calls[1]
    assert not stale.exists()
    assert not (half / "leftover").exists()
    assert environment.ensure(tmp_path, Silent()) == python
    assert len(calls) == 2


def test_without_an_engine_it_says_so_and_makes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(SandboxError, match="Docker Engine") as caught:
        lifecycle.start(tmp_path / "home", Silent())
    assert "docker info" in caught.value.remedy
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["lock"]


def test_instance_names_the_home(tmp_path: Path) -> None:
    assert lifecycle.instance_of(tmp_path) == lifecycle.instance_of(Path(os.path.relpath(tmp_path)))
    assert lifecycle.instance_of(tmp_path) != lifecycle.instance_of(tmp_path / "other")


def test_stop_tells_each_thing_that_it_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lifecycle, "_containers", lambda _: ())
    monkeypatch.setattr(lifecycle, "_remove_containers", lambda _: None)
    left = tmp_path / record.LOG_NAME, tmp_path / lifecycle.STATE_NAME
    left[0].write_text("")
    left[1].mkdir()
    (tmp_path / "sandbox-env-x").mkdir()
    said = Said()
    assert lifecycle.stop(tmp_path, said).paths == left
    assert said.infos == [f"Removed path {path}" for path in left]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["sandbox-env-x"]


def test_one_that_somebody_started_meanwhile_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[Any] = [None, SimpleNamespace(iam="off")]
    monkeypatch.setattr(lifecycle, "status", lambda _: found.pop(0))
    monkeypatch.setattr(lifecycle, "_as_wished", lambda running, _: running)
    assert lifecycle.start(tmp_path / "home", Silent()).iam == "off"
    assert found == []
