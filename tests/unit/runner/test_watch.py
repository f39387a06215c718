"""All that imports create, ask and leave is seen while they are watched, and not after."""

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_runner import hazards
from model_runner.watch import Arguments, Watch

NAMES = (
    *("unsafe_module", "hidden_module", "opened_file", "shared_memory", "left_finalizer", "configured_logging"),
    *("timer", "kept_time", "left_object", "child", "left_thread"),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let no hazard be found but those of the watch itself; return what was asked."""
    found: dict[str, Any] = {}
    for name in NAMES:
        monkeypatch.setattr(hazards, name, lambda *given, name=name: found.setdefault(name, given) and None)
    monkeypatch.setattr(sys, "argv", ["tests"])
    return found


@pytest.fixture
def watch(tmp_path: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/there").mkdir()
    (tmp_path / "old").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    originals = (os.mkdir, os.open, atexit.register, getattr(threading, "_register_atexit", None))
    made = Watch(str(tmp_path / "work/main.py"))
    yield made
    made.stop()
    assert (os.mkdir, os.open, atexit.register, getattr(threading, "_register_atexit", None)) == originals


def test_imports_that_do_nothing_are_no_hazard(watch: Watch, asked: dict[str, Any], tmp_path: Path) -> None:
    assert isinstance(sys.argv, Arguments)
    watch.stop()
    assert sys.argv == [str(tmp_path / "work/main.py")]
    assert type(sys.argv) is list
    assert watch.hazard() is None
    assert list(asked) == list(NAMES)
    assert asked["hidden_module"] == (str(tmp_path / "work"),)
    ((before,), (started, now)) = (asked["opened_file"], asked["kept_time"])
    assert {0, 1, 2} <= before
    assert started <= now
    assert [given for name, given in asked.items() if name not in ("hidden_module", "opened_file", "kept_time")] == (
        [()] * 8
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_hazard_counts(name: str, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.stop()
    monkeypatch.setattr(hazards, name, lambda *_: f"it is {name}")
    assert watch.hazard() == f"it is {name}"


def test_the_folder_of_a_linked_script_is_where_it_leads(tmp_path: Path, asked: dict[str, Any]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").touch()
    (tmp_path / "main.py").symlink_to("src/main.py")
    one = Watch(str(tmp_path / "main.py"))
    one.stop()
    one.hazard()
    assert asked["hidden_module"] == (str(tmp_path / "src"),)


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (lambda folder: (folder / "new").mkdir(), "new"),
        (lambda folder: os.mkdir(os.fsencode(folder / "new")), "new"),  # noqa: PTH102
        (lambda folder: os.mkdir(path=folder / "new"), "new"),  # noqa: PTH102
        (lambda folder: os.close(os.open(folder / "new", os.O_CREAT | os.O_WRONLY)), "new"),
        (lambda folder: os.close(os.open(str(folder / "new"), flags=os.O_CREAT | os.O_WRONLY)), "new"),
        (lambda folder: os.close(os.open(folder / "old", os.O_CREAT | os.O_WRONLY)), None),
        (lambda folder: os.close(os.open(folder / "old", os.O_RDONLY)), None),
        (lambda folder: ((folder / "new").mkdir(), (folder / "new").rmdir()), None),
        (lambda folder: (folder / "__pycache__").mkdir(), None),
        (lambda folder: ((folder / "one").mkdir(), (folder / "one").rmdir(), (folder / "two").mkdir()), "two"),
    ],
)
def test_what_an_import_makes_and_leaves_is_named(make: Any, left: str | None, watch: Watch, tmp_path: Path) -> None:
    make(tmp_path)
    watch.stop()
    assert watch.hazard() == (left and f"an import makes {tmp_path}/{left}")


def test_a_path_is_remembered_wherever_the_import_goes(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("new")  # noqa: PTH102 - a relative path
    monkeypatch.chdir("/")
    watch.stop()
    assert watch.hazard() == f"an import makes {tmp_path}/new"


def test_what_comes_into_home_by_whatever_way_is_named(watch: Watch, tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "home" / name).symlink_to("there")
    assert watch.hazard() == "an import makes ~/a"
    (tmp_path / "home/a").unlink()
    assert watch.hazard() == "an import makes ~/b"
    (tmp_path / "home/b").unlink()
    assert watch.hazard() is None


def test_a_failed_mkdir_is_as_it_was(watch: Watch, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        (tmp_path / "home").mkdir()
    with pytest.raises(TypeError):
        os.mkdir(3)  # type: ignore[arg-type]  # noqa: PTH102
    watch.stop()
    assert watch.hazard() is None


REGISTERS = "registers an exit handler when it is imported"


@pytest.mark.parametrize(
    ("code", "name", "told"),
    [
        ("register(handler)", "installed", f"installed {REGISTERS}"),
        ("register(handler)", "importlib.x", "{} " + REGISTERS),
        ("register(harmless)", "installed", None),
        ("threads(handler)", "installed", f"installed {REGISTERS}"),
        ("(lambda: register(handler))()", "installed", f"installed {REGISTERS}"),
    ],
)
def test_who_registers_an_exit_handler_is_named(
    code: str, name: str, told: str | None, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler() -> None: ...

    def harmless() -> None: ...

    harmless.__module__ = "logging"
    threads: Any = getattr(threading, "_register_atexit", None)
    kept: Any = getattr(threading, "_threading_atexits", None)
    before = list(kept) if kept is not None else []
    values = {"register": atexit.register, "threads": threads, "handler": handler, "harmless": harmless}
    exec(code, {"__name__": name, **values})  # noqa: S102 - code of the test
    watch.stop()
    try:
        assert watch.hazard() == (told and told.format(__name__))
    finally:
        atexit.unregister(handler)
        atexit.unregister(harmless)
        if kept is not None:
            kept[:] = before


def test_a_handler_that_came_past_python_is_counted(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    count = hazards.handler_count()
    watch.stop()
    monkeypatch.setattr(hazards, "handler_count", lambda: count + 1)
    assert watch.hazard() == "an import registers an exit handler"


@pytest.mark.parametrize(
    "read",
    [
        lambda words: words[0],
        lambda words: words[1:],
        lambda words: list(iter(words)),
        len,
        lambda words: "x" in words,
    ],
)
def test_an_import_that_reads_the_arguments_is_seen(read: Any, watch: Watch) -> None:
    read(sys.argv)
    watch.stop()
    assert watch.hazard() == "an import reads sys.argv"


def test_an_import_that_keeps_the_arguments_is_seen(watch: Watch) -> None:
    kept = sys.argv
    watch.stop()
    assert watch.hazard() == "an import reads sys.argv"
    del kept


def test_arguments_are_a_list_like_any() -> None:
    words = Arguments(["a", "b"])
    assert not words.was_read
    assert (words[0], words[-1:], list(words), len(words)) == ("a", ["b"], ["a", "b"], 2)
    assert "a" in words
    assert "c" not in words
    assert words.was_read
