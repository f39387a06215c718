"""The stand-in for the library's `wait_for_requests` takes jobs as lines, and answers as the library does."""

import asyncio
import io
import json
import os
import socket
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import script, stand_in
from model_runner.stand_in import OTHER, StandIn, begin, is_file, is_known


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


class Library:
    """The library's module, as far as it is used."""

    def __init__(self, loop: Any, port: int | None = 20_001) -> None:
        self._port, self._loop = port, loop
        self._request_handler: Any = None
        self.printed: list[str] = []
        self.asyncio = SimpleNamespace(get_event_loop=lambda: loop, iscoroutinefunction=asyncio.iscoroutinefunction)
        self.errors: list[Any] = []
        self.handle_loop_exception = lambda *what: self.errors.append(what)

    def _print_gravity_message(self, text: str) -> None:
        self.printed.append(text)


class Place:
    """A stand-in with its library, the runner's end of its socket, and jobs that it has answered."""

    def __init__(self, folder: Path, ours: socket.socket, theirs: socket.socket) -> None:
        self.folder, self.runner = folder, theirs
        self.loop = asyncio.new_event_loop()
        self.library = Library(self.loop)
        self.it = StandIn(ours)
        self.it._library = self.library
        (folder / "in").write_text("text", encoding="utf-8")

    def send(self, name: str = "1", source: str = "in", target: str = "out") -> None:
        job = {"requestId": name, "inputFile": f"{self.folder}/{source}", "outputFile": f"{self.folder}/{target}"}
        self.runner.sendall(json.dumps(job).encode() + b"\n")

    def wait(self, handler: Any, answers: int = 1) -> list[dict[str, str]]:
        """Answer jobs until there are so many answers; return them."""
        found: list[dict[str, str]] = []
        sent = self.it._channel

        class Channel:
            """Ends the loop after the last answer."""

            def sendall(self, data: bytes) -> None:
                assert data.endswith(b"\n")
                found.append(json.loads(data))
                if len(found) == answers + 1:
                    raise KeyboardInterrupt

            def __getattr__(self, name: str) -> Any:
                return getattr(sent, name)

        channel: Any = Channel()
        self.it._channel = channel
        with pytest.raises(KeyboardInterrupt):
            self.it.wait_for_requests(handler)
        assert found[0] == {"status": "listening"}
        assert self.library.errors == []
        return found[1:]


@pytest.fixture
def place(tmp_path: Path, pair: Any) -> Iterator[Place]:
    made = Place(tmp_path, *pair)
    yield made
    made.loop.close()


def copy(source: str, target: str) -> None:
    Path(target).write_text(Path(source).read_text(encoding="utf-8").upper(), encoding="utf-8")


def test_jobs_are_done_in_their_order_however_they_come(place: Place) -> None:
    done: list[str] = []

    def handler(source: str, target: str) -> None:
        done.append(target)
        if len(done) == 1:
            place.send("3", target="c")
        copy(source, target)

    place.send('é"1', target="a")
    place.send("2", target="b")
    complete = [{"requestId": name, "status": "complete"} for name in ('é"1', "2", "3")]
    assert place.wait(handler, 3) == complete
    assert done == [f"{place.folder}/{name}" for name in "abc"]
    assert (place.folder / "a").read_text(encoding="utf-8") == "TEXT"
    assert place.library._request_handler is handler


def test_a_job_that_comes_late_or_in_pieces_is_waited_for(place: Place) -> None:
    line = json.dumps({"requestId": "1", "inputFile": f"{place.folder}/in", "outputFile": f"{place.folder}/out"})
    pieces = [line[:5].encode(), line[5:].encode(), b"\n"]

    def send() -> None:
        place.runner.sendall(pieces.pop(0))
        if pieces:
            place.loop.call_later(0.001, send)

    place.loop.call_later(0.001, send)
    assert place.wait(copy) == [{"requestId": "1", "status": "complete"}]


def test_an_async_function_is_awaited_with_the_paths_as_they_came(place: Place) -> None:
    (place.folder / "link").symlink_to("in")

    async def handler(source: str, target: str) -> str:
        await asyncio.sleep(0)
        return source + target

    place.send(source="link")
    error = f"Error returned during processing: {place.folder}/link{place.folder}/out"
    assert place.wait(handler) == [{"requestId": "1", "status": "error", "error": error}]


class Odd:
    """A result that cannot be asked whether it is one."""

    def __bool__(self) -> bool:
        raise KeyError("odd")


def handler_of(result: Any) -> Callable[[str, str], Any]:
    def handler(source: str, target: str) -> Any:
        copy(source, target)
        if isinstance(result, BaseException):
            raise result
        return result

    return handler


@pytest.mark.parametrize(
    ("handler", "source", "error"),
    [
        (handler_of(None), "in", None),
        (handler_of(""), "in", None),
        (handler_of(0), "in", None),
        (handler_of("why"), "in", "Error returned during processing: why"),
        (handler_of(7), "in", "Error returned during processing: 7"),
        (handler_of(ValueError("why")), "in", "Exception generated during processing: why"),
        (handler_of(SystemExit(3)), "in", "Exception generated during processing: 3"),
        (handler_of(Odd()), "in", "Exception generated during processing: 'odd'"),
        (copy, "gone", "Input file not found"),
        (lambda *_: None, "in", "Output file not generated during processing"),
        (3, "in", "Request Handler is not callable"),
    ],
)
def test_what_is_answered_is_the_librarys_word(handler: Any, source: str, error: str | None, place: Place) -> None:
    place.send(source=source)
    end = {"status": "complete"} if error is None else {"status": "error", "error": error}
    assert place.wait(handler) == [{"requestId": "1", **end}]


def test_an_error_without_words_has_the_librarys(place: Place) -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    place.send()
    error = "Unhandle exception during processing"
    assert place.wait(handler_of(SilentError())) == [{"requestId": "1", "status": "error", "error": error}]


def test_a_program_that_sets_its_own_arguments_waits_as_the_library_does(place: Place) -> None:
    called: list[Any] = []
    place.library._port = None
    place.it._original = called.append
    place.it.wait_for_requests(copy)
    assert called == [copy]


def test_a_loop_that_cannot_listen_ends_as_with_a_bad_port(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(_loop: Any) -> Any:
        raise OSError("no")

    monkeypatch.setattr(place.it, "_listen", failed)
    with pytest.raises(SystemExit) as raised:
        place.it.wait_for_requests(copy)
    assert raised.value.code == 2
    assert capsys.readouterr().err == "Failed to start server: no"
    assert place.library.printed == ["Bad Port"]


def test_errors_of_the_loop_are_the_librarys(place: Place) -> None:
    place.send()
    place.wait(copy)
    assert place.loop.get_exception_handler() is place.library.handle_loop_exception


@pytest.mark.parametrize(
    ("result", "code", "said"), [(None, 0, ""), ("why", 2, "Error returned during processing: why")]
)
def test_a_child_that_the_function_made_ends_and_answers_nothing(
    result: Any, code: int, said: str, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = os.getpid()

    def handler(source: str, target: str) -> Any:
        copy(source, target)
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        return result

    place.send()
    with pytest.raises(SystemExit) as raised:
        place.it.wait_for_requests(handler)
    assert raised.value.code == code
    assert capsys.readouterr().err == said
    place.runner.setblocking(False)
    assert place.runner.recv(1000) == b'{"status": "listening"}\n'
    place.send()
    place.it._read()  # it leaves its parent's jobs alone
    assert place.it._waiting == []


def test_what_was_said_is_flushed_before_the_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    out, error = Stream(), Stream()
    out.write("half a line")
    error.write("half an error")
    monkeypatch.setattr(sys, "__stdout__", out)
    monkeypatch.setattr(sys, "__stderr__", error)
    place.send()
    place.wait(copy)
    assert flushed == ["half a line", "half an error"]


def test_a_runner_that_is_gone_is_the_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", ended)
    place.it._read()  # there is nothing yet
    place.runner.close()
    with pytest.raises(SystemExit) as raised:
        place.it._read()
    assert raised.value.code == 0


def test_a_function_gets_real_paths_as_the_library_resolves_them(tmp_path: Path, pair: Any) -> None:
    one = StandIn(pair[0])
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").touch()
    (tmp_path / "real/link").symlink_to("file")
    (tmp_path / "real/dangling").symlink_to("gone")
    (tmp_path / "real/folder").mkdir()
    (tmp_path / "linked").symlink_to("real")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    linked, real, other = f"{tmp_path}/linked", f"{tmp_path}/real", f"{tmp_path}/other"
    for path, resolved in (
        (f"{linked}/file", f"{real}/file"),
        (f"{linked}/file", f"{real}/file"),
        (f"{other}/file", f"{other}/file"),
        (f"{linked}/link", f"{real}/file"),
        (f"{linked}/dangling", f"{linked}/dangling"),
        (f"{linked}/folder", f"{linked}/folder"),
        (f"{linked}/gone", f"{linked}/gone"),
    ):
        assert one._resolve(path) == resolved


def test_what_is_a_file_links_followed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    for name, found in (("file", True), ("link", True), ("gone", False), ("file/x", False), (".", False)):
        assert is_file(str(tmp_path / name)) is found
    with pytest.raises(OSError, match="too long"):
        is_file("x" * 5000)


def test_the_library_is_known_by_all_of_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gravityai.py"
    for content, known in ((b"abc", (3, 891568578)), (b"", (0, 0))):
        path.write_bytes(content)
        monkeypatch.setattr(stand_in, "KNOWN", known)
        assert is_known(str(path))
    monkeypatch.setattr(stand_in, "KNOWN", (3, 891568578))
    for other in (b"abd", b"ab", b"abcd"):
        path.write_bytes(other)
        assert not is_known(str(path))
    assert not is_known(None)
    assert not is_known(str(tmp_path / "gone"))


class Finder:
    """Finds a module whose code the test has."""

    def __init__(self, origin: str) -> None:
        self.spec = SimpleNamespace(origin=origin, loader=SimpleNamespace(exec_module=self.exec_module))
        self.sought: list[Any] = []

    def exec_module(self, module: Any) -> None:
        assert not hasattr(module, "wait_for_requests")
        module.wait_for_requests = "the library's"

    def find_spec(self, *sought: Any) -> Any:
        self.sought.append(sought)
        return self.spec


def test_the_function_is_replaced_in_the_librarys_module_only_and_once(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, finder = StandIn(pair[0]), Finder("/lib/gravityai.py")
    old, late = object(), Finder("/late")
    nothing = SimpleNamespace(find_spec=lambda *_: None)
    monkeypatch.setattr(sys, "meta_path", [one, old, nothing, finder, late])
    monkeypatch.setattr(stand_in, "is_known", lambda origin: origin == "/lib/gravityai.py")
    assert one.find_spec("gravityai") is None
    assert sys.meta_path[0] is one
    spec: Any = one.find_spec("gravityai.gravityai", ["/lib"], "target")
    assert spec is finder.spec
    assert (finder.sought, late.sought) == ([("gravityai.gravityai", ["/lib"], "target")], [])
    assert sys.meta_path == [old, nothing, finder, late]
    module: Any = types.ModuleType("gravityai.gravityai")
    own = type(spec.loader).__dict__.get("exec_module")
    spec.loader = SimpleNamespace(exec_module=spec.loader.exec_module, own=own)
    with pytest.raises(AttributeError):  # the loader's own is there again after the first time
        spec.loader.exec_module(module)


def test_the_librarys_own_function_is_kept_for_programs_that_need_it(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loader:
        def exec_module(self, module: Any) -> None:
            module.wait_for_requests = "the library's"

    one, loader = StandIn(pair[0]), Loader()
    spec: Any = SimpleNamespace(origin="/lib/gravityai.py", loader=loader)
    monkeypatch.setattr(sys, "meta_path", [one, SimpleNamespace(find_spec=lambda *_: spec)])
    monkeypatch.setattr(stand_in, "is_known", lambda _origin: True)
    assert one.find_spec("gravityai.gravityai") is spec
    module: Any = types.ModuleType("gravityai.gravityai")
    spec.loader.exec_module(module)
    assert module.wait_for_requests == one.wait_for_requests
    assert (one._library, one._original) == (module, "the library's")
    assert vars(loader) == {}


def test_a_library_that_is_not_there_is_pythons_to_tell(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = StandIn(pair[0])
    monkeypatch.setattr(sys, "meta_path", [one, SimpleNamespace(find_spec=lambda *_: None)])
    assert one.find_spec("gravityai.gravityai") is None


def test_another_version_ends_the_program_with_a_word(
    pair: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    one = StandIn(pair[0])
    monkeypatch.setattr(sys, "meta_path", [one, Finder("/dev/null")])
    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit) as raised:
        one.find_spec("gravityai.gravityai")
    assert raised.value.code == 1
    assert capsys.readouterr().err == OTHER + "\n"


class Begun:
    """This process's arguments, path and modules, as they are when stand_in.py was started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...] = ("-u",)) -> None:
        words = ["stand_in.py", "7", "src/main.py", "serve", "-p", "1"]
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", list(words))
        monkeypatch.setattr(sys, "orig_argv", ["python3", *options, *words])
        monkeypatch.setattr(sys, "path", ["/lib", "/lib/model_runner", "/usr/lib"])
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        modules = {name: module for name, module in sys.modules.items() if not name.startswith("model_runner")}
        monkeypatch.setattr(sys, "modules", {**modules, "model_runner": 1, "model_runner.x": 1, "model_runners": 1})


def test_a_process_is_made_what_python_makes_for_a_script(
    tmp_path: Path, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/main.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").symlink_to("../real/main.py")
    Begun(tmp_path, monkeypatch)
    pair[0].set_inheritable(True)
    code = begin(pair[0], "src/main.py")
    assert code.co_filename == f"{tmp_path}/src/main.py"
    assert sys.argv == ["src/main.py", "serve", "-p", "1"]
    assert sys.orig_argv == ["python3", "-u", "src/main.py", "serve", "-p", "1"]
    assert sys.path == [f"{tmp_path}/real", "/usr/lib"]
    assert [name for name in sys.modules if name.startswith("model_runner")] == ["model_runners"]
    assert not pair[0].get_inheritable()
    assert isinstance(sys.meta_path[0], StandIn)
    assert sys.meta_path[0]._channel is pair[0]


@pytest.mark.parametrize("flag", ["isolated", "safe_path"])
def test_an_isolated_python_does_not_look_into_the_scripts_folder(
    flag: str, tmp_path: Path, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("x = 1\n", encoding="utf-8")
    Begun(tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "flags", SimpleNamespace(**{"isolated": 0, "safe_path": False, flag: 1}))
    monkeypatch.setattr(sys, "path", ["/lib", "/usr/lib"])
    begin(pair[0], "src/main.py")
    assert sys.path == ["/usr/lib"]


@pytest.mark.parametrize("has_words", [True, False])
@pytest.mark.parametrize("failure", [OSError(), SyntaxError(), ValueError()])
def test_a_script_that_is_none_is_pythons_to_explain(
    failure: Exception, has_words: bool, tmp_path: Path, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(_path: str) -> None:
        raise failure

    def replaced(*words: Any) -> None:
        raise SystemExit(words)

    Begun(tmp_path, monkeypatch, ("-u", "-X", "dev"))
    if not has_words:  # before Python 3.10
        monkeypatch.delattr(sys, "orig_argv")
    monkeypatch.setattr(script, "load", failed)
    monkeypatch.setattr(os, "execv", replaced)
    with pytest.raises(SystemExit) as raised:
        begin(pair[0], "src/main.py")
    options = ["-u", "-X", "dev"] if has_words else []
    words: Any = raised.value.code
    assert words == (sys.executable, [sys.executable, *options, "src/main.py", "serve", "-p", "1"])
