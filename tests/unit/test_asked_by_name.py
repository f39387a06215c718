"""Commands that look after what was deployed take its name as their argument, where no such path is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from model_dockerize import pipeline
from model_dockerize.cli import cli
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run
from model_dockerize.settings import Settings

COMMANDS = ("status", "logs", "rollback", "destroy")
Calls = list[tuple[Settings, bool]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Return the settings of each call of the pipeline, and whether it was by name."""
    made: Calls = []

    def stand_in(by_name: bool | None) -> Callable[..., Outcome]:
        def called(run: Run, *positional: Any, **named: Any) -> Outcome:
            is_by_name = named.get("by_name", positional[-1] if positional else False) if by_name is None else by_name
            made.append((run.settings, is_by_name))
            return Outcome.READ

        return called

    for name in (*COMMANDS, "submit"):
        monkeypatch.setattr(pipeline, name, stand_in(None))
    monkeypatch.setattr(pipeline, "smoke_service", stand_in(by_name=True))
    monkeypatch.setattr(pipeline, "smoke", stand_in(by_name=False))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("id\n1\n")
    return made


def call(*words: str) -> Result:
    result = CliRunner().invoke(cli, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@pytest.mark.parametrize("word", ["./churn", "churn/", "models/churn"])
@pytest.mark.parametrize("command", [*COMMANDS, "submit"])
def test_a_word_that_is_written_as_a_path_is_no_name(command: str, word: str, calls: Calls) -> None:
    assert "taken for" not in call(command, word, *(["in.csv"] if command == "submit" else [])).output
    assert [by_name for _, by_name in calls if by_name] == []


@pytest.mark.parametrize("words", [*((name,) for name in COMMANDS), ("smoke",), ("submit", "in.csv")])
def test_a_word_that_is_no_path_is_the_name_and_a_path_is_the_folder(words: tuple[str, ...], calls: Calls) -> None:
    command, *more = words
    by_name = call(command, "churn", *more)
    assert "churn is taken for the name of a service" in by_name.stderr
    settings, is_by_name = calls.pop()
    assert (settings.service.service, is_by_name) == ("churn", True)
    Path("churn").mkdir()
    assert "taken for" not in call(command, "churn", *more).output
    settings, is_by_name = calls.pop()
    assert (settings.service.service, settings.program.program_path.name, is_by_name) == ("", "churn", False)


@pytest.mark.parametrize("words", [("models/churn",), ("churn.csv",), ("churn", "--service", "other"), ("a" * 300,)])
def test_what_can_be_no_name_or_has_another_is_a_folder(words: tuple[str, ...], calls: Calls) -> None:
    assert "taken for" not in call("status", *words).output
    settings, is_by_name = calls.pop()
    assert (settings.program.program_path.name, is_by_name) == (Path(words[0]).name, False)


def test_files_are_no_names(calls: Calls) -> None:
    for place in ("in.csv", "s3://data/in.csv"):
        assert "taken for" not in call("submit", place).output
        assert calls.pop()[1] is False


@pytest.mark.parametrize("flag", ["--service", "--image-name"])
@pytest.mark.parametrize("word", ["data", "in.csv", "s3://data//in.csv"])
def test_where_the_model_is_named_every_word_is_an_input(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, flag: str, word: str
) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(pipeline, "sort_out", lambda words, *_: sent.append(words))
    Path("data").mkdir()
    assert call("submit", word, "more.csv", flag, "iris").exit_code == 0
    settings, is_by_name = calls.pop()
    assert (is_by_name, "iris" in (settings.service.service, settings.image.image_name)) == (True, True)
    assert sent == [(word, "more.csv")]


@pytest.mark.parametrize("word", ["s3://b//k", "s3://b/k", "./in.csv", "s3://b/x/../k"])
def test_the_first_word_is_sent_as_it_is_typed(calls: Calls, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(pipeline, "sort_out", lambda words, *_: sent.append(words))
    assert call("submit", word).exit_code == 0
    assert (sent, calls.pop()[1]) == ([(word,)], False)


@pytest.mark.parametrize("command", ["status", "logs", "destroy"])
def test_a_file_in_the_way_of_a_name_is_told_with_the_flag_that_names_a_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("iris", "iris.csv"):
        Path(name).touch()
        said = " ".join(call(command, name).output.split())
        assert "is not a folder" in said
        assert ("--service iris." in said) is (name == "iris"), said


@pytest.mark.parametrize("command", [*COMMANDS, "smoke", "submit"])
def test_the_help_says_that_a_name_will_do(command: str) -> None:
    assert "|NAME]" in call(command, "--help").output
