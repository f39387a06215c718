"""A script's life in a process that was not started for it."""

import atexit
import io
import sys
import threading
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from model_runner import script


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give back the tests' own `__main__`, and what `finish` takes away."""
    kept = {name: sys.__dict__[name] for name in ("last_type", "last_value", "last_exc") if name in sys.__dict__}
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    yield
    sys.__dict__.update(kept)


def test_main_is_as_python_makes_it_of_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = script.load("main.py")
    main = sys.modules["__main__"]
    loader = main.__dict__.pop("__loader__")
    path = str(tmp_path / "main.py")
    assert (type(loader), loader.name, loader.path) == (SourceFileLoader, "__main__", path)
    assert main.__dict__.pop("__builtins__") is sys.modules["builtins"]
    old = {"__annotations__": {}} if sys.version_info < (3, 14) else {}
    assert main.__dict__ == {
        **{"__name__": "__main__", "__file__": path, "__doc__": None, "__package__": None, "__spec__": None},
        **{"__cached__": None, **old},
    }
    assert code.co_filename == path
    assert code.co_flags & 0xFFF_0000 == 0  # no __future__ of ours
    assert script.run(code) == 0
    assert main.__dict__["x"] == 1


def test_a_script_that_is_none_is_an_error_and_main_stays(tmp_path: Path) -> None:
    main = sys.modules["__main__"]
    (tmp_path / "main.py").write_text("x = (", encoding="utf-8")
    with pytest.raises(SyntaxError):
        script.load(str(tmp_path / "main.py"))
    assert sys.modules["__main__"] is main


@pytest.mark.parametrize(
    ("code", "number", "said"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(0)", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit(True)", 1, ""),
        ("import sys; sys.exit(256 + 7)", 7, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit('it is so')", 1, "it is so\n"),
        ("import sys; sys.exit('')", 1, "\n"),
        ("import sys; sys.exit(1.5)", 1, "1.5\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
        ("raise GeneratorExit", 1, "GeneratorExit"),
    ],
)
def test_a_script_ends_with_the_code_that_python_would_end_with(
    code: str, number: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_text(code, encoding="utf-8")
    assert script.run(script.load(str(tmp_path / "main.py"))) == number
    error = capsys.readouterr().err
    assert error == said if not said or said.endswith("\n") else said in error.splitlines()[-1]


def test_an_exception_is_shown_from_the_scripts_own_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *what: shown.append(what))
    (tmp_path / "main.py").write_text("def f():\n    1 / 0\nf()\n", encoding="utf-8")
    assert script.run(script.load(str(tmp_path / "main.py"))) == 1
    ((kind, error, trace),) = shown
    assert (kind, type(error)) == (ZeroDivisionError, ZeroDivisionError)
    assert error.__traceback__ is trace
    lines = []
    while trace is not None:
        lines.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    assert lines == [(str(tmp_path / "main.py"), 3), (str(tmp_path / "main.py"), 2)]


class Stream(io.StringIO):
    """Notes what was written when it is flushed; or cannot be."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.flushed: list[str] = []

    def flush(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.flushed.append(self.getvalue())


def test_what_was_printed_is_out_before_the_reason_of_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Stream()
    out.write("half")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", None)
    assert script.exit_code("why") == 1
    assert out.flushed == ["half"]


@pytest.mark.parametrize(
    ("stream", "is_written"),
    [
        (Stream(), True),
        (None, True),
        (Stream(OSError()), False),
        (Stream(ValueError()), False),
        (object(), False),
    ],
)
def test_output_that_cannot_be_written_is_lost_unless_the_program_closed_it(stream: Any, is_written: bool) -> None:
    assert script.flush(stream) is is_written
    if isinstance(stream, Stream) and isinstance(stream.failure, ValueError):
        failure, stream.failure = stream.failure, None
        stream.close()
        stream.failure = failure
        assert script.flush(stream) is True


@pytest.fixture
def no_end(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let `finish` end nothing of the tests' own process; note what it asks for."""
    ends: list[str] = []
    monkeypatch.setattr(threading, "_shutdown", lambda: ends.append("threads"))
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: ends.append("handlers"))
    return ends


def module(name: str, **values: Any) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__dict__.update(values)
    return made


def test_an_end_is_in_pythons_order(no_end: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        def __init__(self, name: str) -> None:
            self.name = name

        def __del__(self) -> None:
            no_end.append(self.name)

    class Noted(Stream):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def flush(self) -> None:
            no_end.append(self.name)

    cycle = Kept("a cycle")
    cycle.me = cycle  # type: ignore[attr-defined]
    del cycle
    monkeypatch.setattr(sys, "stdout", Noted("out"))
    monkeypatch.setattr(sys, "stderr", Noted("error"))
    main = module("__main__", __builtins__=1, b=Kept("public"), __d__=Kept("dunder"), _a=Kept("private"))
    monkeypatch.setitem(sys.modules, "__main__", main)
    local = [module("first", x=Kept("first")), object(), module("second", x=Kept("second"))]
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        sys.__dict__[name] = 1
    assert script.finish(local) is True
    assert no_end == [
        *("threads", "handlers", "out", "error", "private", "public", "dunder", "second", "first", "a cycle"),
        *("out", "error"),
    ]
    assert main.__dict__["__builtins__"] == 1
    assert not {"last_type", "last_value", "last_traceback", "last_exc"} & sys.__dict__.keys()


@pytest.mark.parametrize(("out", "error"), [(OSError(), None), (None, OSError()), (None, None)])
def test_lost_output_of_either_stream_is_told(
    out: Exception | None, error: Exception | None, no_end: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(out))
    monkeypatch.setattr(sys, "stderr", Stream(error))
    monkeypatch.setitem(sys.modules, "__main__", module("__main__"))
    assert script.finish([]) is (out is None and error is None)


def test_what_the_end_of_a_module_cannot_write_is_lost_too(no_end: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks:
        def __del__(self) -> None:
            sys.stdout.failure = OSError()  # type: ignore[attr-defined]

    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    monkeypatch.setitem(sys.modules, "__main__", module("__main__", kept=Breaks()))
    assert script.finish([]) is False


def test_an_error_of_an_exit_handler_is_shown(monkeypatch: pytest.MonkeyPatch, no_end: list[str]) -> None:
    failure = ZeroDivisionError("x")

    def failed() -> None:
        raise failure

    shown: list[Any] = []
    monkeypatch.setattr(atexit, "_run_exitfuncs", failed)
    monkeypatch.setattr(sys, "excepthook", lambda *what: shown.append(what))
    monkeypatch.setitem(sys.modules, "__main__", module("__main__"))
    assert script.finish([]) is True
    assert shown == [(ZeroDivisionError, failure, failure.__traceback__)]


def test_what_was_imported_is_the_folders_or_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(name: str, origin: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        made.__spec__ = ModuleSpec(name, None, origin=origin)
        return made

    local = spec("near", "/work/near.py")
    there = {
        "known": spec("known", "/lib/known.py"),
        "near": local,
        "far": spec("far", "/lib/far.py"),
        "built-in": spec("built-in", "built-in"),
        "beside": spec("beside", "/workshop/beside.py"),
        "venv": spec("venv", "/work/venv/lib/site-packages/venv.py"),
        "debian": spec("debian", "/work/dist-packages/debian.py"),
        "namespace": spec("namespace", None),
        "__main__": spec("__main__", "/work/main.py"),
        "nothing": None,
        "no spec": object(),
    }
    monkeypatch.setattr(sys, "modules", there)
    assert script.imported({"known"}, "/work") == ([local], ["far", "built-in", "beside", "venv", "debian"])
