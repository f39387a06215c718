"""The process's state, on which an import may depend, and how imports are told."""

import decimal
import locale
import multiprocessing
import os
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from model_runner import process_state
from model_runner.process_state import Recorder, by_name, difference, state, tell


def changed(before: process_state.State) -> list[str]:
    now = state("/work")
    assert now.keys() == before.keys()
    return [name for name in now if now[name] != before[name]]


def test_each_setting_has_a_sum_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert list(state("/work")) == [
        *("the environment", "sys.path", "the import system", "the working directory", "the umask"),
        *("the signal handlers", "the start method of multiprocessing", "the locale", "the decimal context"),
        *("the recursion limit", "the standard library"),
    ]
    monkeypatch.setenv("A", "1")
    monkeypatch.setattr(sys, "path", ["/work", "/a"])
    monkeypatch.chdir(tmp_path)
    context = decimal.getcontext().copy()
    mask, limit, handler, sort = (
        os.umask(0o22),
        sys.getrecursionlimit(),
        signal.getsignal(signal.SIGUSR1),
        locale.setlocale(locale.LC_TIME),
    )
    finder: Any = type("Finder", (), {"find_spec": lambda *_: None})()
    steps: list[tuple[str, Any]] = [
        ("the environment", lambda: monkeypatch.setenv("A", "2")),
        ("sys.path", lambda: monkeypatch.setattr(sys, "path", ["/work", "/b"])),
        ("the import system", lambda: monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])),
        ("the import system", lambda: monkeypatch.setattr(sys, "path_hooks", sys.path_hooks[:1])),
        ("the working directory", lambda: monkeypatch.chdir("/")),
        ("the umask", lambda: os.umask(0o27)),
        ("the signal handlers", lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)),
        ("the start method of multiprocessing", lambda: monkeypatch.setattr(
            multiprocessing.context._default_context, "_actual_context",  # type: ignore[attr-defined]
            multiprocessing.get_context("spawn"))),
        ("the locale", lambda: locale.setlocale(locale.LC_TIME, "C.UTF-8")),
        ("the decimal context", lambda: setattr(decimal.getcontext(), "prec", 5)),
        ("the recursion limit", lambda: sys.setrecursionlimit(limit + 100)),
        *(("the standard library", lambda place=place: monkeypatch.setattr(place, print))
          for place in ("time.sleep", "socket.socket", "threading.Thread", "os.fork", "builtins.open")),
    ]  # fmt: skip
    try:
        for name, step in steps:
            before = state("/work")
            assert changed(before) == []
            step()
            assert changed(before) == [name]
    finally:
        monkeypatch.undo()
        os.umask(mask)
        sys.setrecursionlimit(limit)
        signal.signal(signal.SIGUSR1, handler)
        locale.setlocale(locale.LC_TIME, sort)
        decimal.setcontext(context)


def test_what_the_runner_itself_adds_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/a", "/b"])
    before = state("/work")
    monkeypatch.setattr(sys, "path", ["/work", "/a", "/b"])
    monkeypatch.setattr(sys, "meta_path", [Recorder("/work"), *sys.meta_path])
    assert state("/work") == before
    monkeypatch.setattr(sys, "path", ["/a", "/work", "/b"])
    assert changed(before) == ["sys.path"]
    monkeypatch.setattr(sys, "path", [])
    assert changed(before) == ["sys.path"]


def test_a_folder_that_is_gone_and_modules_that_are_not_there_are_states_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)
    for name in ("decimal", "multiprocessing.context", "socket"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert len(state("/work")) == 11
    monkeypatch.setattr(signal, "getsignal", lambda _number: (_ for _ in ()).throw(ValueError))
    assert len(state("/work")) == 11


def test_the_umask_stays() -> None:
    mask = os.umask(0o26)
    try:
        state("/work")
    finally:
        assert os.umask(mask) == 0o26


def test_a_recorder_finds_nothing_and_records_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Recorder("/work")
    assert one.find_spec("a") is None
    first = dict(one.states)
    monkeypatch.setenv("A", "9")
    assert one.find_spec("b", ["/x"], object()) is None
    one.find_spec("a")
    assert list(one.states) == ["a", "b"]
    assert one.states["a"] == first["a"] != one.states["b"]


A, B = {"the umask": 1}, {"the umask": 2}


def recorded(**states: process_state.State) -> Recorder:
    one = Recorder("/work")
    one.states.update(states)
    return one


@pytest.mark.parametrize(
    ("names", "states", "most", "told"),
    [
        (["b", "a", "c"], {"a": A, "b": A, "x": B, "c": B, "d": B}, 1000, [A, "a", "b", B, "c"]),
        (["a"], {}, 1000, []),
        (["a", "b", "c"], {"a": {}, "b": A, "c": {}}, 1000, ["a", A, "b", {}, "c"]),
        (["a", "bb"], {"a": {}, "bb": {}}, 11, ["a", "bb"]),
        (["a", "bb"], {"a": {}, "bb": {}}, 10, ["a"]),
        (["a", "b"], {"a": {}, "b": A}, 10 + len(repr(A)), ["a", A, "b"]),
        (["a", "b", "c"], {"a": {}, "b": A, "c": A}, 9 + len(repr(A)), ["a", A]),
    ],
)
def test_imports_are_told_in_order_with_each_change_of_the_state_up_to_a_size(
    names: list[str], states: dict[str, process_state.State], most: int, told: list[Any]
) -> None:
    assert tell(names, recorded(**states), most) == told


def test_what_is_told_is_read_back() -> None:
    assert by_name([A, "a", "b", B, "c"]) == [("a", A), ("b", A), ("c", B)]
    assert by_name([]) == []


def test_another_state_than_the_scripts_is_named() -> None:
    then = {"x": 1, "b": 1, "a": 1}
    told = [then, "one", "two"]
    assert difference(told, recorded(one=then, two=then)) is None
    assert difference(told, recorded(one={**then, "b": 2, "a": 3})) == "the program changes a before it imports one"
    assert difference(told, recorded(one=then, two={"x": 2})) == "the program changes x before it imports two"
    assert difference(["one"], recorded(one=then)) is None
    assert difference(told, recorded(three={"x": 2}, one={"new": 1})) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "None"), (3, "3"), (signal.SIG_IGN, str(int(signal.SIG_IGN))), ("x", "x"), (print, "builtins.print"),
        (Path, f"{Path.__module__}.Path"), (Path("/"), f"{type(Path()).__module__}.PosixPath"),
        (time.sleep, "time.sleep"), (Recorder("").find_spec, "model_runner.process_state.Recorder.find_spec"),
    ],
)  # fmt: skip
def test_a_value_is_known_by_its_name_in_every_process(value: Any, name: str) -> None:
    assert process_state._name(value) == name


def test_a_start_method_that_is_the_default_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    context: Any = multiprocessing.context._default_context  # type: ignore[attr-defined]
    monkeypatch.setattr(context, "_actual_context", None)
    before = state("/work")
    monkeypatch.setattr(context, "_actual_context", context._default_context)
    assert changed(before) == []


def test_a_module_that_is_still_being_imported_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("decimal", "multiprocessing.context", "socket"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    half = state("/work")
    for name in ("decimal", "multiprocessing.context", "socket"):
        monkeypatch.delitem(sys.modules, name)
    assert changed(half) == []


def test_an_environment_that_is_no_utf_8_has_a_sum_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = state("/work")
    monkeypatch.setenv("A", "\udcff")
    assert changed(before) == ["the environment"]
