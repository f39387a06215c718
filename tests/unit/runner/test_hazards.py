"""Each thing that makes a fork unlike a new process is found where it is, and nowhere else."""

import atexit
import datetime
import functools
import gc
import logging
import os
import signal
import sys
import time
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_runner import hazards
from model_runner.generators import Generators, instances, is_seeded_by_system


def module(name: str, **values: Any) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__dict__.update(values)
    return made


def test_open_descriptors_are_all_but_that_of_the_listing() -> None:
    read, write = os.pipe()
    try:
        assert {read, write} <= hazards.descriptors()
        assert hazards.descriptors() - hazards.descriptors() == set()
        listing = os.open("/proc/self/fd", os.O_RDONLY)  # the number that a listing would get
        os.close(listing)
        assert listing not in hazards.descriptors()
    finally:
        os.close(read)
        os.close(write)


def test_a_folder_that_is_not_there_has_no_entries(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert hazards.entries(str(tmp_path)) == {"a"}
    assert hazards.entries(str(tmp_path / "gone")) == set()


@pytest.mark.parametrize(
    "name",
    ["tensorflow", "jax", "cupy", "pycuda", "pyopencl", "grpc", "pyspark", "ray", "mxnet", "paddle"],
)
def test_what_no_fork_survives_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "modules", {"json": module("json")})
    assert hazards.unsafe_module() is None
    sys.modules[name] = module(name)
    assert hazards.unsafe_module() == f"{name} does not survive a fork"


@pytest.mark.parametrize(("is_used", "told"), [(True, "CUDA is already in use after the imports"), (False, None)])
def test_cuda_in_use_is_named(is_used: bool, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "modules", {"torch.cuda": module("torch.cuda", is_initialized=lambda: is_used)})
    assert hazards.unsafe_module() == told


def test_a_module_that_the_program_would_find_beside_itself_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["__main__", "__mp_main__", "package.inner", "helper", "data", "other"]
    monkeypatch.setattr(sys, "modules", dict.fromkeys(names))
    for name in ("__main__.py", "__mp_main__.py", "inner.py", "data/x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert hazards.hidden_module(str(tmp_path)) is None
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").touch()
    assert hazards.hidden_module(str(tmp_path)) == ("package in the program's folder hides a module of the same name")
    (tmp_path / "helper.py").touch()
    assert hazards.hidden_module(str(tmp_path)) == "helper in the program's folder hides a module of the same name"


def test_an_opened_file_is_named_and_a_harmless_device_is_not(tmp_path: Path) -> None:
    before = hazards.descriptors()
    opened = [os.open(path, os.O_RDONLY) for path in ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")]
    try:
        assert hazards.opened_file(before) is None
        (tmp_path / "a").touch()
        opened += [os.open(tmp_path / "a", os.O_RDONLY), os.open(tmp_path, os.O_RDONLY)]
        assert hazards.opened_file(before) == f"an import opened {tmp_path}/a"
        assert hazards.opened_file(hazards.descriptors()) is None
    finally:
        for descriptor in opened:
            os.close(descriptor)


@pytest.mark.parametrize("gone", [7, 8])
def test_a_descriptor_that_is_closed_meanwhile_is_passed_over(gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(path: str) -> str:
        if path == f"/proc/self/fd/{gone}":
            raise FileNotFoundError
        return f"/{path[-1]}"

    monkeypatch.setattr(hazards, "descriptors", lambda: {7, 8, 5})
    monkeypatch.setattr(os, "readlink", link)
    assert hazards.opened_file({5}) == f"an import opened /{15 - gone}"


MAPS = """55d0-55d1 r--p 00000000 fe:00 1 /usr/bin/python3
7f00-7f01 rw-p 00000000 00:00 0
7f01-7f02 r--s 00000000 fe:00 1 /usr/lib/cache
7f01-7f02 ---s 00000000 fe:00 1 /usr/lib/w.s
"""


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", None),
        ("7f02-7f03 rw-s 00000000 00:01 5 /dev/zero (deleted)\n", "/dev/zero (deleted)"),
        ("7f02-7f03 -w-s 00000000 00:01 5 \n7f03-7f04 rw-s 0 0 0 /b\n", "anonymous"),
        ("7f02-7f03 rwxs 00000000 00:01 5                    /dev/shm/x\n", "/dev/shm/x"),
    ],
)
def test_shared_memory_is_named(line: str, what: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "maps").write_bytes(MAPS.encode() + b"\xff\n" + line.encode())
    opened = open

    def instead(path: str, **how: Any) -> Any:
        assert path == "/proc/self/maps"
        return opened(tmp_path / "maps", **how)

    monkeypatch.setattr("builtins.open", instead)
    told = what and f"an import shares memory with its children: {what}"
    assert hazards.shared_memory() == told
    (tmp_path / "maps").unlink()
    assert hazards.shared_memory() is None


def test_exit_handlers_are_counted_where_python_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hazards.handler_count()

    def handler() -> None: ...

    atexit.register(handler)
    assert hazards.handler_count() == before + 1
    atexit.unregister(handler)
    monkeypatch.delattr(atexit, "_ncallbacks")
    assert hazards.handler_count() == 0


class Owner:
    def method(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (logging.shutdown, "logging"),
        (functools.partial(functools.partial(os.path.join, "a"), "b"), "posixpath"),
        (Owner().method, __name__),
        (Owner, __name__),
        ([].append, "builtins"),
        (types.SimpleNamespace(__module__=None, __self__=weakref.WeakValueDictionary()), "weakref"),
    ],
)
def test_the_module_of_a_handler_is_found(function: Any, name: str) -> None:
    assert hazards.module_of(function) == name


@pytest.mark.parametrize(
    ("name", "is_harmless"),
    [
        *((name, True) for name in ("logging", "weakref", "concurrent.futures", "multiprocessing.util", "joblib")),
        *((name, True) for name in ("matplotlib._pylab_helpers", "certifi", "PIL", "logging.handlers", "PIL.Image")),
        *((name, False) for name in ("logging2", "", "concurrent", "multiprocessing")),
    ],
)
def test_what_cleans_up_after_itself_only_is_harmless(name: str, is_harmless: bool) -> None:
    assert hazards.is_harmless(name) is is_harmless


def finalizers(monkeypatch: pytest.MonkeyPatch, *entries: tuple[object, bool] | None) -> None:
    def known(entry: tuple[object, bool] | None) -> types.SimpleNamespace:
        return types.SimpleNamespace(peek=lambda: entry and (entry[0], print, (), {}), atexit=entry and entry[1])

    registry = [known(entry) for entry in entries]
    monkeypatch.setitem(sys.modules, "weakref", module("weakref", finalize=types.SimpleNamespace(_registry=registry)))


def test_what_every_job_would_clean_up_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    finalizers(monkeypatch, None, (Path(), False))
    assert hazards.left_finalizer() is None
    finalizers(monkeypatch, None, (Path(), False), (Owner(), True))
    assert hazards.left_finalizer() == f"an import keeps {__name__}.Owner, which is cleaned up at exit"
    monkeypatch.setattr(sys, "modules", {})
    assert hazards.left_finalizer() is None


def test_a_configured_logger_is_one_that_has_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    assert hazards.configured_logging() is None
    monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
    assert hazards.configured_logging() == "an import configures logging"
    monkeypatch.setattr(sys, "modules", {})
    assert hazards.configured_logging() is None


@pytest.mark.parametrize(
    ("left", "told"),
    [((0.0, 0.0), None), ((5.0, 0.0), "an import sets a timer"), ((0.0, 5.0), "an import sets a timer")],
)
def test_a_timer_is_found(left: tuple[float, float], told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getitimer", lambda which: left if which == signal.ITIMER_REAL else (9.0, 9.0))
    assert hazards.timer() == told


STARTED = time.mktime((2026, 2, 3, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("value", "is_kept"),
    [
        (STARTED, True), (STARTED + 5, True), (STARTED - 0.25, False), (STARTED + 5.25, False),
        (int(STARTED * 1e9), True), (int((STARTED + 5) * 1e9), True), (int(STARTED * 1e9) - 1000, False),
        (int((STARTED + 5) * 1e9) + 1000, False), (int(STARTED), False), (True, False), (str(STARTED), False),
        (datetime.date(2026, 2, 3), True), (datetime.date(2026, 2, 4), False),
        (datetime.datetime(2026, 2, 3, 1), True), (datetime.datetime(2026, 2, 2, 23), False),
        (datetime.time(1), False), (None, False),
    ],
)  # fmt: skip
def test_a_module_that_keeps_the_time_of_its_import_is_named(
    value: object, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {
        "standard": module("standard", __file__=f"{Path(os.__file__).parent}/standard.py", now=STARTED),
        "built-in": module("built-in", now=STARTED),
        "nothing": None,
        "other": module("other", __file__="/app/other.py", seconds=value),
        "datetime": datetime,
    }
    monkeypatch.setattr(sys, "modules", there)
    told = "other keeps the time of its import in seconds" if is_kept else None
    assert hazards.kept_time(STARTED, STARTED + 5) == told
    if isinstance(value, datetime.date):
        del there["datetime"]
        assert hazards.kept_time(STARTED, STARTED + 5) is None


LIBRARY = Path(os.__file__).parent


@pytest.mark.parametrize(
    ("file", "is_standard"),
    [
        (f"{LIBRARY}/json/__init__.py", True), (f"{LIBRARY}/site-packages/x.py", False), ("/app/x.py", False),
        (None, True), (f"{LIBRARY}/dist-packages/x.py", False),
    ],
)  # fmt: skip
def test_which_modules_come_with_python(file: str | None, is_standard: bool) -> None:
    assert hazards.is_standard(module("x") if file is None else module("x", __file__=file)) is is_standard


def kind(name: str, *bases: type, **values: Any) -> type:
    return type("Kept", bases, {"__module__": name, **values})


def test_an_object_whose_end_no_job_would_see_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_self: object) -> None: ...

    monkeypatch.setattr(
        sys,
        "modules",
        {"other": module("other", __file__="/app/other.py"), "json": module("json", __file__=os.__file__)},
    )
    for name in ("logging", "PIL.Image"):
        sys.modules[name] = module(name, __file__="/app/x.py")
    for harmless in (
        kind("json", __del__=end),
        kind("PIL.Image", __del__=end),
        kind("other"),
        kind("gone", __del__=end),
    ):
        monkeypatch.setattr(gc, "get_objects", lambda harmless=harmless: [harmless()])
        assert hazards.left_object() is None
    for ends in (kind("other", __del__=end), kind("other", kind("other", __del__=end))):
        monkeypatch.setattr(gc, "get_objects", lambda ends=ends: ["", ends()])
        assert hazards.left_object() == "an import keeps an object with a finalizer (other.Kept)"


@pytest.mark.parametrize(("found", "told"), [(None, "an import starts a process"), (ChildProcessError(), None)])
def test_a_process_of_an_import_is_found_even_while_it_runs(
    found: Exception | None, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waited(*asked: int) -> None:
        assert asked == (os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            raise found

    monkeypatch.setattr(os, "waitid", waited)
    assert hazards.child() == told


@pytest.mark.parametrize(
    ("status", "threads", "told"),
    [
        (0, 1, None),
        (0, 2, "2 threads run after the imports"),
        (256, 1, "a trial fork crashed"),
        (11, 3, "a trial fork crashed"),
    ],
)
def test_threads_are_counted_after_a_trial_fork(
    status: int, threads: int, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", lambda: 4321)
    monkeypatch.setattr(os, "waitpid", lambda pid, options: (pid, status) if options == 0 else None)
    monkeypatch.setattr(os, "listdir", lambda path: ["1"] * threads if path == "/proc/self/task" else [])
    assert hazards.left_thread() == told


def test_the_trial_fork_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit) as raised:
        hazards.left_thread()
    assert raised.value.code == 0


class Random:
    """As `random.Random`: it notes that it was seeded."""

    def __init__(self) -> None:
        self.seeds = 0

    def seed(self) -> None:
        self.seeds += 1


class SystemRandom(Random):
    """It has no seed."""


class BitGenerator:
    """As numpy's: the state of each new one is another number."""

    made = 100

    def __init__(self, entropy: Any = 2**64, name: str = "seed_seq") -> None:
        BitGenerator.made += 1
        self.state = BitGenerator.made
        setattr(self, name, types.SimpleNamespace(entropy=entropy))


class Old:
    """As numpy's RandomState."""


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    def there(*objects: object, **modules: Any) -> dict[str, Any]:
        found = {name.replace("_", "."): found for name, found in modules.items()}
        monkeypatch.setattr(sys, "modules", found)
        monkeypatch.setattr(gc, "get_objects", lambda: list(objects))
        return found

    return there


RANDOM = {"Random": Random, "SystemRandom": SystemRandom}
MADE = "an import makes a generator of random numbers ({})"


def test_a_generator_of_an_import_is_named(libraries: Callable[..., Any]) -> None:
    own, theirs, temporary = Random(), Random(), Random()
    names = type("Names", (), {})()
    names._rng = temporary
    standard = {
        "random": module("random", **RANDOM, _inst=own),
        "tempfile": module("tempfile", _RandomNameSequence=type(names)),
    }
    libraries(own, SystemRandom(), temporary, names, "text", **standard)
    assert Generators().hazard() is None
    libraries(own, theirs, **standard)
    assert Generators().hazard() == MADE.format("Random")
    libraries(own, kind("x", Random)(), **standard)
    assert Generators().hazard() == MADE.format("Kept")
    libraries(own, temporary, names, random=standard["random"])
    assert Generators().hazard() == MADE.format("Random")
    libraries(own)
    assert Generators().hazard() is None


def test_a_generator_of_an_old_numpy_is_named(libraries: Callable[..., Any]) -> None:
    own = Old()
    numpy = module("numpy.random", RandomState=Old, mtrand=types.SimpleNamespace(_rand=own), seed=lambda: None)
    libraries(own, numpy_random=numpy)
    assert Generators().hazard() is None
    libraries(own, Old(), numpy_random=numpy)
    assert Generators().hazard() == MADE.format("numpy.random.RandomState")
    numpy.BitGenerator = BitGenerator  # type: ignore[attr-defined]
    assert Generators().hazard() is None


def test_each_job_has_new_seeds_where_nobody_chose_one(libraries: Callable[..., Any]) -> None:
    own, done = Random(), list[str]()
    chosen, by_system, older = BitGenerator(7), BitGenerator(), BitGenerator(name="_seed_seq")
    states = (chosen.state, by_system.state, older.state)
    libraries(
        chosen,
        by_system,
        older,
        random=types.SimpleNamespace(**RANDOM, seed=own.seed),
        numpy_random=module("numpy.random", BitGenerator=BitGenerator, seed=lambda: done.append("numpy")),
        torch=module("torch", seed=lambda: done.append("torch")),
    )
    Generators().reseed()
    assert (own.seeds, done) == (1, ["torch"])
    assert chosen.state == states[0]
    assert states[1] != by_system.state != older.state != states[2]
    assert max(states) < min(by_system.state, older.state)


def test_an_old_numpy_is_seeded_as_a_whole_and_what_is_not_there_is_not(libraries: Callable[..., Any]) -> None:
    done: list[str] = []
    libraries(Old(), numpy_random=module("numpy.random", RandomState=Old, seed=lambda: done.append("numpy")))
    Generators().reseed()
    assert done == ["numpy"]
    libraries()
    Generators().reseed()
    assert done == ["numpy"]


@pytest.mark.parametrize(
    ("generator", "is_system"),
    [
        (BitGenerator(2**64), True), (BitGenerator(2**64 - 1), False), (BitGenerator(2**128, "_seed_seq"), True),
        (BitGenerator([1, 2]), False), (BitGenerator(None), False), (object(), False),
    ],
)  # fmt: skip
def test_a_seed_of_the_system_is_known_by_its_size(generator: object, is_system: bool) -> None:
    assert is_seeded_by_system(generator) is is_system


def test_objects_of_a_kind_are_found_whatever_they_say_of_themselves() -> None:
    class Proxy:
        """As a lazy object that fails whoever asks for its class."""

        @property
        def __class__(self) -> Any:
            raise ZeroDivisionError

    class Outer: ...

    class Inner(Outer): ...

    kept = [Outer(), Inner(), Proxy()]
    assert sorted(type(found).__name__ for found in instances(Outer)) == ["Inner", "Outer"]
    assert len(kept) == 3
