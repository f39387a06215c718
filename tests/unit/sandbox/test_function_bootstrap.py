"""A function's container runs this first: it calls the handler as Lambda does, and writes down what came of it."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import function_bootstrap
from model_sandbox.function_bootstrap import Context

TOLD = ("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id")
HANDLER = """
import os

def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    if event.get("leave"):
        raise SystemExit(event["leave"])
    if event.get("odd"):
        return {1, 2}
    told = {name: value for name, value in vars(context).items() if name[0] != "_"}
    return [told, context.get_remaining_time_in_millis(), os.getcwd()]
"""


class Place:
    """The folders of a container, in one of the test's. `alarms`: what the kernel was asked for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.alarms = folder, list[tuple[Any, ...]]()
        self.child, self.status = 0, 0
        self.waited: list[tuple[int, int]] = []
        (folder / "in").mkdir()
        for name in ("early_model.py", "in/deep_model.py"):
            (folder / name).write_text(HANDLER)
        monkeypatch.chdir(folder.parent)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(sys, "modules", dict(sys.modules))
        monkeypatch.setattr(function_bootstrap, "_ROOT", str(folder))
        monkeypatch.setattr(function_bootstrap, "_EVENT", str(folder / "event.json"))
        monkeypatch.setattr(function_bootstrap, "_ANSWER", str(folder / "answer.json"))
        monkeypatch.setattr(function_bootstrap, "time", SimpleNamespace(time=lambda: 1000.0))
        alarm = SimpleNamespace(ITIMER_REAL="real", setitimer=lambda *asked: self.alarms.append(asked))
        monkeypatch.setattr(function_bootstrap, "signal", alarm)
        monkeypatch.setattr(os, "fork", lambda: self.child)
        monkeypatch.setattr(os, "waitpid", self._wait)

    def _wait(self, child: int, options: int) -> tuple[int, int]:
        self.waited.append((child, options))
        return child, self.status

    def invoke(self, handler: str = "early_model.handler", **event: Any) -> Any:
        context = {name: name for name in TOLD}
        told = {"handler": handler, "event": event, "seconds": 1.5, "context": context}
        (self.folder / "event.json").write_text(json.dumps(told))
        function_bootstrap.main()
        return json.loads((self.folder / "answer.json").read_text())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "task").mkdir()
    return Place(tmp_path / "task", monkeypatch)


@pytest.mark.parametrize("handler", ["early_model.handler", "in/deep_model.handler", "in.deep_model.handler"])
def test_a_handler_finds_in_its_context_what_lambda_gives_to_whoever_is_not_a_phone(
    place: Place, handler: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = {"log_group_name": "/aws/lambda/function_name", "log_stream_name": ""}
    found = {**{name: name for name in TOLD}, **logs, "identity": None, "client_context": None}
    assert place.invoke(handler) == {"result": [found, 1500, str(place.folder)]}
    assert place.alarms == [("real", 1.5)]
    assert sys.path[0] == str(place.folder)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({"fail": "no model"}, "ValueError", "no model"),
        ({"leave": "at once"}, "SystemExit", "at once"),
        ({"odd": True}, "TypeError", "Object of type set is not JSON serializable"),
    ],
)
def test_an_error_is_the_answer_and_in_the_log_after_lambdas_word_for_it(
    place: Place, capsys: pytest.CaptureFixture[str], event: dict[str, Any], kind: str, message: str
) -> None:
    failed = place.invoke(**event)["error"]
    trace = failed.pop("stackTrace")
    assert failed == {"errorMessage": message, "errorType": kind}
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):\n", f"{kind}: {message}\n")
    assert capsys.readouterr().out == "[ERROR] " + "".join(trace) + "\n"


def test_a_handler_that_is_missing_is_an_answer_and_takes_no_time_of_the_function(place: Place) -> None:
    assert place.invoke("early_model.other")["error"]["errorType"] == "AttributeError"
    assert place.invoke("none.handler")["error"]["errorType"] == "ModuleNotFoundError"
    assert place.alarms == []


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3 << 8, 3), (14, 142), (9, 137)])
def test_the_first_process_ends_as_the_handlers_does(place: Place, status: int, code: int) -> None:
    place.child, place.status = 77, status
    with pytest.raises(SystemExit) as ended:
        place.invoke()
    assert (ended.value.code, place.waited, place.alarms) == (code, [(77, 0)], [])
    assert not (place.folder / "answer.json").exists()


@pytest.mark.parametrize(("deadline", "left"), [(1000.5, 500), (1000.0, 0), (999.0, 0)])
def test_no_less_time_is_left_than_none(place: Place, deadline: float, left: int) -> None:
    assert Context({name: name for name in TOLD}, deadline).get_remaining_time_in_millis() == left
