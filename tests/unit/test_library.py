"""Commands for programs: what each is handed, and what a logger hears."""

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import library, pipeline
from model_dockerize.library import LoggingDisplay
from model_dockerize.outcome import Outcome
from model_dockerize.report import StageResult
from tests.rig.told import Calls


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("MODEL_DOCKERIZE_", "INPUT_")):
            monkeypatch.delenv(name)
    made = Calls(monkeypatch)
    for name in ("run", "list_models", "status", "rollback"):
        made.stand_in(pipeline, name, Outcome.READ)
    return made


def test_a_folder_is_run_with_its_own_settings_below_the_inputs(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "model-dockerize.yml").write_text("image-name: own\nimage-version: '7'\n")
    inputs = {"image-version": "8", "cluster": Path("c"), "service": None, "repository": ""}
    report = library.run("iris", inputs)
    assert report.outcome == "read"
    ((_, run),) = calls.made
    settings = run.settings
    assert (settings.image.image_name, settings.image.image_version) == ("own", "8")
    assert (settings.service.cluster, settings.service.service) == ("c", "")
    assert settings.program.program_path == tmp_path / "iris"
    assert dict(run.environment) == dict(os.environ)


def test_each_command_is_for_the_service_that_is_named(calls: Calls) -> None:
    library.list_models({"cluster": "c"})
    library.status("iris", {"cluster": "c"})
    library.rollback("iris", "3", {"cluster": "d"})
    library.rollback("iris")
    listed, status, rolled, last = calls.made
    assert (listed[0], listed[1].settings.service.cluster) == ("list_models", "c")
    assert (status[0], status[2]) == ("status", {"by_name": True})
    ((run,), (back, to)) = status[1], rolled[1]
    assert (run.settings.service.service, run.settings.service.cluster) == ("iris", "c")
    assert (back.settings.service.service, back.settings.service.cluster, to) == ("iris", "d", "3")
    assert (rolled[2], last[1][1]) == ({"by_name": True}, "")


def test_an_answer_comes_whole(calls: Calls) -> None:
    def ask(*given: Any) -> Outcome:
        given[4](b"one ")
        given[4](b"two")
        return Outcome.ANSWERS

    calls.stand_in(pipeline, "ask", ask)
    assert library.ask("iris", "in.csv", True, {"cluster": "c"}) == b"one two"
    assert library.ask("http://m", Path("in.csv")) == b"one two"
    first, second = calls.made
    assert (first[1].settings.service.cluster, *first[2:5]) == ("c", "iris", Path("in.csv"), True)
    assert second[2:5] == ("http://m", Path("in.csv"), False)


def test_a_session_may_have_other_surroundings(calls: Calls) -> None:
    run = library.session("mine", {"cluster": "c"}, {"MODEL_DOCKERIZE_REGION": "x", "AWS_REGION": "eu-west-1"})
    assert dict(run.environment) == {"MODEL_DOCKERIZE_REGION": "x", "AWS_REGION": "eu-west-1"}
    assert run.settings.service.cluster == "c"


def test_a_logger_hears_what_a_terminal_shows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="mine")
    with library.stage("mine", "build") as stage:
        stage.info("one")
        stage.warning("two", Path("main.py"), 3)
        stage.warning("three", Path("main.py"))
        stage.output("four")
        stage.transfer("sending", 1, 2)
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert lines[:-1] == [
        ("mine", "INFO", "build: one"),
        ("mine", "WARNING", "build: two (main.py:3)"),
        ("mine", "WARNING", "build: three (main.py)"),
        ("mine", "DEBUG", "build: four"),
    ]
    assert lines[-1][2].startswith("build: done in ")
    caplog.clear()
    display = LoggingDisplay(logging.getLogger("mine"))
    display.begin("build")
    display.tick()
    display.secret("x")
    display.end(StageResult("push", "unchanged", 1.25))
    assert [record.getMessage() for record in caplog.records] == ["push: unchanged in 1.2 s"]


def test_one_client_is_an_account_for_its_service() -> None:
    client: Any = SimpleNamespace(meta=SimpleNamespace(region_name="eu-west-3"))
    account = library.account_of("ecr", client, "mine")
    assert account.client("ecr") is client
    assert (account.identity.account, account.identity.region) == ("", "eu-west-3")
