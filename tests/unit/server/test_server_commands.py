"""The words of `model-server`: what each calls with what, and the exit code and the line of each end."""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_server import (
    __main__,
    __version__,
    array,
    converters,
    health,
    manifest,
    prepare,
    probe,
    selftest,
    serve,
    settings,
    single_job,
    volume,
)
from model_server.__main__ import main
from model_server.errors import StartError
from tests.functional.server.conftest import manifest_text

Calls = list[tuple[Any, ...]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Note what is called; the settings are a word."""
    monkeypatch.setattr(settings, "current", lambda: "settings")
    return []


def noting(calls: Calls, name: str, result: object) -> Callable[..., Any]:
    """Return a function that notes its call and gives the result, or raises it."""

    def call(*words: Any) -> Any:
        calls.append((name, *words))
        if isinstance(result, Exception):
            raise result
        return result

    return call


Told = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [[], ["serve"]])
@pytest.mark.parametrize(("result", "code"), [(3, 3), (0, 0), (StartError("no"), 1)])
def test_a_server_is_started(
    words: list[str], result: object, code: int, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.setattr(serve, "serve", noting(calls, "serve", result))
    assert main(words) == code
    assert calls == [("serve", "settings")]
    assert capsys.readouterr() == ("", "model-server: no\n" if code == 1 else "")


@pytest.mark.parametrize(
    ("chosen", "told"), [("in", ""), ("s3://b/second", "model-server: the input is s3://b/second\n")]
)
def test_one_job_is_done(chosen: str, told: str, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    monkeypatch.setattr(array, "pick", noting(calls, "pick", (chosen, "place")))
    monkeypatch.setattr(single_job, "run", noting(calls, "run", 4))
    assert main(["run", "in", "out"]) == 4
    assert calls == [("pick", "in", "out", os.environ), ("run", "settings", chosen, "place")]
    assert capsys.readouterr() == ("", told)
    monkeypatch.setattr(array, "pick", noting(calls, "pick", StartError("no list")))
    assert main(["run", "in", "out"]) == 1
    assert capsys.readouterr() == ("", "model-server: no list\n")


def test_an_image_is_prepared(calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    monkeypatch.setattr(settings, "current", lambda: settings.from_environment({"MODEL_MANIFEST": "/m/model.json"}))
    monkeypatch.chdir(tmp_path)
    for result, code in ((None, 0), (StartError("no"), 1)):
        monkeypatch.setattr(prepare, "prepare", noting(calls, "prepare", result))
        assert main(["prepare", "main.py"]) == code
    asked = ("prepare", "main.py", tmp_path, Path("/tmp"), Path("/m/found.json"), Path("/etc"))
    assert calls == [asked, asked]
    assert capsys.readouterr() == ("", "model-server: no\n")


@pytest.mark.parametrize(("given", "build"), [(None, "local"), (" ", "local"), (" abc ", "abc")])
def test_a_manifest_is_written_with_the_program_that_was_found(
    given: str | None, build: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.json"
    (tmp_path / "found.json").write_text('{"run": "/bin/run"}', encoding="utf-8")
    for name, value in (("MODEL_MANIFEST", str(path)), ("GAI_VOLUME_PATH", str(tmp_path / "data"))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MODEL_BUILD_ID", raising=False)
    if given is not None:
        monkeypatch.setenv("MODEL_BUILD_ID", given)
    text = manifest_text(Path("/x"), command=["run", "{input}", "{output}"])
    assert main(["manifest", text]) == 0
    assert manifest.read(path) == manifest.parse(
        manifest_text(Path("/x"), command=["/bin/run", "{input}", "{output}"]), build
    )
    made: list[Path] = []
    monkeypatch.setattr(volume, "prepare", made.append)
    monkeypatch.delenv("GAI_VOLUME_PATH")
    assert main(["manifest", text]) == 0
    assert made == [Path("/var/gai_data")]


@pytest.mark.parametrize(
    ("tests", "result", "code", "told"),
    [
        ([1, 2], [], 0, ("model-server: the model passed its 2 tests\n", "")),
        ([], [], 0, ("", "")),
        ([1, 2, 3], ["a: x", "b: y"], 1, ("", "model-server: 2 of 3 tests of the model failed:\n  a: x\n  b: y\n")),
        ([1], StartError("no"), 1, ("", "model-server: no\n")),
    ],
)
def test_a_model_is_tested(
    tests: list[int],
    result: object,
    code: int,
    told: tuple[str, str],
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Told,
) -> None:
    monkeypatch.setattr(selftest, "parse", noting(calls, "parse", tests))
    monkeypatch.setattr(selftest, "run", noting(calls, "run", result))
    assert main(["selftest", "[]"]) == code
    assert calls == [("parse", "[]"), ("run", "settings", tests)]
    assert capsys.readouterr() == told


@pytest.mark.parametrize(
    ("words", "port", "host", "asked"),
    [
        (["health"], None, None, ("probe", 80, "")),
        (["health"], " 81 ", " ::1 ", ("probe", 81, "::1")),
        (["health", "--ready"], None, None, ("probe_ready", 80, "")),
    ],
)
@pytest.mark.parametrize("problem", [None, "port 80 does not answer"])
def test_health_is_asked_of_the_own_port(
    words: list[str],
    port: str | None,
    host: str | None,
    asked: tuple[Any, ...],
    problem: str | None,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Told,
) -> None:
    for name, value in (("MODEL_SERVER_PORT", port), ("MODEL_SERVER_HOST", host)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    for name in ("probe", "probe_ready"):
        monkeypatch.setattr(health, name, noting(calls, name, problem))
    assert main(words) == (0 if problem is None else 1)
    assert calls == [asked]
    assert capsys.readouterr() == ("", "" if problem is None else f"model-server: {problem}\n")


def test_health_needs_a_port_that_is_a_number(monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    monkeypatch.setenv("MODEL_SERVER_PORT", "http")
    assert main(["health"]) == 1
    assert capsys.readouterr() == ("", "model-server: MODEL_SERVER_PORT is not a number\n")


@pytest.mark.parametrize(("result", "code"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("url", ["http://h:80", "https://h"])
def test_another_task_is_asked_what_the_environment_says(
    url: str, result: bool, code: int, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe.Question, "read", noting(calls, "read", "question"))
    monkeypatch.setattr(probe, "probe", noting(calls, "probe", result))
    monkeypatch.setenv("MODEL_PROBE", "{}")
    assert main(["probe", url]) == code
    assert calls == [("read", "{}"), ("probe", url, "question", sys.stdout.write)]


def test_a_question_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    monkeypatch.setattr(probe.Question, "read", noting([], "read", ValueError("no JSON")))
    assert main(["probe", "http://h"]) == 1
    assert capsys.readouterr() == ("", "model-server: MODEL_PROBE cannot be read: no JSON\n")


def test_an_image_without_python_runs_the_runner_itself(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runpy, "run_path", lambda path, run_name: calls.append((path, run_name, list(sys.argv))))
    monkeypatch.setattr(sys, "argv", ["before"])
    monkeypatch.setattr(sys, "executable", "/opt/server/model-server")
    assert main(["runner", "7", "/m.json"]) == 0
    assert calls == [("/opt/server/model_runner/runner.py", "__main__", ["runner", "7", "/m.json"])]


def test_data_is_converted_between_the_standard_streams(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = "bytes"

    monkeypatch.setattr(sys, "stdin", Input)
    monkeypatch.setattr(converters, "main", noting(calls, "convert", 9))
    assert main(["convert"]) == 9
    assert calls == [("convert", "bytes", sys.stdout)]


def test_the_version_is_told(capsys: Told) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"model-server {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        *(["serve", "x"], ["run"], ["run", "a"], ["run", "a", "b", "c"], ["prepare"], ["manifest"], ["selftest"]),
        *(["health", "x"], ["probe"], ["probe", "ftp://h"], ["runner", "7"], ["convert", "x"], ["--help"], ["-x", "y"]),
    ],
)
def test_any_other_use_of_a_word_is_told_the_usage(words: list[str], capsys: Told) -> None:
    assert main(words) == 2
    assert capsys.readouterr() == ("", __main__._USAGE)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory"), 127, "No such file or directory"),
        (PermissionError(13, "Permission denied"), 126, "Permission denied"),
    ],
)
def test_a_program_of_the_image_takes_our_place(
    error: OSError, code: int, reason: str, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.setattr(os, "execvp", noting(calls, "exec", error))
    assert main(["bash", "-c", "true"]) == code
    assert calls == [("exec", "bash", ["bash", "-c", "true"])]
    assert capsys.readouterr() == ("", f"model-server: bash cannot be run: {reason}\n{__main__._USAGE}")


LOADER = {"_PYI_ARCHIVE_FILE": "x", "_PYI_Y": "y", "LD_LIBRARY_PATH": "/ours", "A": "1"}


@pytest.mark.parametrize(
    ("frozen", "original", "left"),
    [
        (True, {}, {"A": "1"}),
        (True, {"LD_LIBRARY_PATH_ORIG": "/theirs"}, {"A": "1", "LD_LIBRARY_PATH": "/theirs"}),
        (False, {"LD_LIBRARY_PATH_ORIG": "/theirs"}, {**LOADER, "LD_LIBRARY_PATH_ORIG": "/theirs"}),
    ],
)
def test_a_program_gets_the_environment_of_the_image(
    frozen: bool, original: dict[str, str], left: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    for environment, expected in (
        ({**LOADER, **original, "MODEL_LD_PRELOAD": "p"}, {**left, "LD_PRELOAD": "p"}),
        ({"A": "1"}, {"A": "1"}),
    ):
        monkeypatch.setattr(os, "environ", environment)
        assert main(["--version"]) == 0
        environment.pop("PYTEST_CURRENT_TEST", None)
        assert environment == expected
