"""Mode `warm`: what is said to a fork server, what is made of its answers, and when another takes over."""

import array
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_runner import fork_server, warm
from model_runner.imports import Script
from model_runner.warm import Preloaded, UnfitError, WarmMode, has_message

from .conftest import Clock, descriptors

SCRIPT = Script("python3", ("-u",), "main.py", ("{input}", "{output}.png"))


class Server:
    """The other end of a fork server's socket."""

    def __init__(self, world: "World", argv: list[str], named: dict[str, Any], number: int) -> None:
        self.world, self.argv, self.named = world, argv, named
        self.pid = 5000 + len(world.servers)
        self.end = socket.socket(fileno=os.dup(number))
        self.end.settimeout(5)
        for answer in world.answers.pop(0) if world.answers else ():
            self.say(**answer)

    def say(self, **message: Any) -> None:
        self.end.sendall(json.dumps(message).encode())

    def hear(self) -> tuple[dict[str, Any], list[str]]:
        """Receive a message; return it, and where its descriptors lead."""
        message, numbers = fork_server.receive(self.end)
        places = [str(Path(f"/proc/self/fd/{number}").readlink()) for number in numbers]
        for number in numbers:
            os.close(number)
        return message, places

    def wait(self) -> int:
        self.world.done.append(f"wait {self.pid}")
        return 0


class World:
    """Fork servers as they are started, with what they answer at once."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.answers: list[Any] = []
        self.done: list[str] = []
        self.said: list[str] = []
        self.failure: OSError | None = None


HIDDEN, READY = {"hidden": True}, {"ready": 70, "hazard": None}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()

    def started(argv: list[str], **named: Any) -> Server:
        if made.failure is not None:
            raise made.failure
        (number,) = named["pass_fds"]
        made.servers.append(Server(made, argv, named, number))
        return made.servers[-1]

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr(warm, "death_signal_setter", lambda *what: ("dies by", what))
    monkeypatch.setattr(warm, "kill_group", lambda pid: made.done.append(f"kill {pid}"))
    monkeypatch.setattr(warm, "kill_orphans", lambda known: made.done.append(f"orphans {known}"))
    monkeypatch.setattr(warm, "log", made.said.append)
    yield made
    for server in made.servers:
        server.end.close()


def test_a_fork_server_is_started_with_a_socket_and_told_what_to_import(world: World, clock: Clock) -> None:
    world.answers = [[HIDDEN, READY]]
    one = Preloaded(SCRIPT, "/work", ["csv", {"the umask": 1}], True)
    (server,) = world.servers
    number = server.named["pass_fds"][0]
    assert server.argv == ["python3", "-u", "-s", str(Path(warm.__file__).with_name("fork_server.py")), str(number)]
    assert server.named == {
        **{"cwd": "/work", "stdin": -3, "pass_fds": [number], "start_new_session": True},
        "preexec_fn": ("dies by", (9, os.getpid())),
    }
    assert server.end.type == socket.SOCK_SEQPACKET
    told = {"script": "main.py", "words": ["python3", "-u"], "imports": ["csv", {"the umask": 1}], "check": True}
    assert server.hear() == (told, [])
    assert one.pid == server.pid
    clock.now += 2.25
    one.wait(9)
    assert world.said == ["runner: 70 modules are loaded, after 2.2 s"]
    assert one.channel.gettimeout() is None
    one.stop()
    assert world.done == [f"kill {server.pid}", f"wait {server.pid}"]
    assert one.channel.fileno() == -1


def test_the_servers_end_of_the_socket_is_closed_here(world: World) -> None:
    before = descriptors()
    world.failure = FileNotFoundError(2, "No such file or directory")
    with pytest.raises(UnfitError, match=r"^it could not be started: No such file or directory$"):
        Preloaded(SCRIPT, "/work", [], False)
    assert descriptors() == before
    world.failure, world.answers = None, [[HIDDEN]]
    one = Preloaded(SCRIPT, "/work", [], False)
    world.servers[0].hear()
    world.servers[0].end.close()
    with pytest.raises(EOFError, match="the fork server is gone"):
        one.receive()
    one.stop()
    assert descriptors() == before


def test_a_hazard_stops_it_and_is_the_reason(world: World) -> None:
    world.answers = [[HIDDEN, {"ready": 7, "hazard": "it is so"}]]
    one = Preloaded(SCRIPT, "/work", [], True)
    with pytest.raises(UnfitError, match=r"^it is so$"):
        one.wait(9)
    assert world.done == ["kill 5000", "wait 5000"]
    assert world.said == []


@pytest.mark.parametrize("when", ["hidden", "ready"])
@pytest.mark.parametrize("how", ["ends", "is slow"])
def test_a_server_that_crashes_or_takes_too_long_is_stopped(
    when: str, how: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def hear(one: Preloaded) -> Any:
        limits.append(one.channel.gettimeout() or 0)
        if len(limits) == (1 if when == "hidden" else 2):
            raise EOFError if how == "ends" else TimeoutError
        return HIDDEN

    monkeypatch.setattr(Preloaded, "receive", hear)
    why = "it crashed" if how == "ends" else f"it took longer than {120 if when == 'hidden' else 7.5:g} s"
    with pytest.raises(UnfitError, match=f"^preloading its imports failed: {why}$"):
        Preloaded(SCRIPT, "/work", [], True).wait(7.5)
    assert limits == [120.0, 7.5][: len(limits)]
    assert world.done == ["kill 5000", "wait 5000"]


class Job:
    """A job in a fork, whose server answers as it should."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.world, self.breach, self.followed = world, None, None
        self.imports: list[Any] = []
        self.exit = 3
        self.connection, self.runner = socket.socketpair()
        self.request = {"job": "1", "input": "/in", "output": f"{folder}/out", "timeout": 5, "told": "t"}
        monkeypatch.setattr(warm, "follow", self.follow)

    def answer(self, server: Server) -> None:
        server.say(pid=77)
        server.say(ended=True)
        server.say(exit=self.exit, imports=self.imports)

    def follow(self, streams: Any, log: Any, limits: Any, session: int, connection: Any, wake: int, over: Any) -> Any:
        assert over() is True
        self.followed = (session, connection, limits._output, limits._seconds, limits._known, log._label, log._told)
        assert wake == self.mode._server.channel.fileno()
        self.pipes = [str(Path(f"/proc/self/fd/{number}").readlink()) for number in streams.descriptors]
        log.feed("stderr", b"last words")
        end = os.open(f"/proc/self/fd/{streams.descriptors[0]}", os.O_WRONLY)
        os.write(end, b"not read yet\n")
        os.close(end)
        return self.breach

    def run(self, mode: WarmMode) -> Any:
        self.mode: Any = mode
        self.answer(self.world.servers[mode._server.pid - 5000])
        return mode.run(self.request)


@pytest.fixture
def job(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Job]:
    made = Job(world, monkeypatch, tmp_path)
    with made.connection, made.runner:
        yield made


def mode_of(job: Job, *answers: Any, imports: Any = (), check: bool = True) -> WarmMode:
    job.world.answers = [[HIDDEN, READY], *answers]
    made = WarmMode(SCRIPT, "/work", job.connection, imports=imports, check=check, seconds=3.5)
    job.world.servers[0].hear()
    return made


def test_a_job_is_forked_with_pipes_of_its_own(world: World, job: Job, tmp_path: Path, said: list[str]) -> None:
    mode = mode_of(job, imports=["csv"])
    before = descriptors()
    assert job.run(mode) == (3, "last words")
    assert [line[21:] for line in said] == ["job 1 | not read yet\n", "job 1 | last words\n"]
    (server,) = world.servers
    message, places = server.hear()
    assert message == {"argv": ["/in", f"{tmp_path}/out.png"], "tell": True}
    assert places == job.pipes
    assert len(set(places)) == 2
    assert server.hear() == ({"reap": True}, [])
    assert job.followed == (77, job.connection, f"{tmp_path}/out.png", 5.0, [5000], "job 1", "t")
    assert world.done == ["kill 77", "orphans [5000]"]
    assert descriptors() == before
    mode.stop()
    assert world.done[2:] == []
    mode._running = 78
    mode.stop()
    mode.leave()
    assert world.done[2:] == ["kill 78", "kill 5000", "orphans ()"]
    assert (mode.name, mode.imports) == ("warm", ["csv"])


def test_a_job_that_cannot_be_told_leaves_no_pipe(world: World, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    mode = mode_of(job)
    before = len(descriptors())
    monkeypatch.setattr(Preloaded, "send", failed)
    with pytest.raises(BrokenPipeError):
        mode.run(job.request)
    assert len(descriptors()) == before + 2  # what it would have read


def test_an_input_that_cannot_be_linked_is_the_jobs_error(world: World, job: Job) -> None:
    mode = mode_of(job)

    def failed(_request: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/in")

    call: Any = SimpleNamespace(fill=failed, place=lambda output: output)
    mode._call = call
    assert mode.run(job.request) == (None, "The program could not be started: /in: No such file or directory")
    assert world.done == []


def test_a_broken_limit_is_the_error_and_teaches_nothing(world: World, job: Job) -> None:
    mode = mode_of(job)
    job.breach, job.imports, job.exit = "it took too long", ["json"], -9  # type: ignore[assignment]
    assert job.run(mode) == (-9, "it took too long")
    assert mode.improve(9) is False


def test_what_a_job_imports_is_learned_by_another_server(world: World, job: Job) -> None:
    mode = mode_of(job, [HIDDEN, READY], imports=["csv"])
    job.imports = [{"the umask": 1}, "json"]
    job.run(mode)
    assert mode.improve(9) is True
    old, new = world.servers
    assert new.hear()[0]["imports"] == ["csv", {"the umask": 1}, "json"]
    assert new.hear is not old.hear
    assert mode.imports == ["csv", {"the umask": 1}, "json"]
    assert world.done[2:] == ["kill 5000", "wait 5000"]
    assert mode._server.pid == 5001
    assert mode.improve(9) is False


def test_three_lessons_are_enough(world: World, job: Job) -> None:
    mode = mode_of(job, *[[HIDDEN, READY]] * 4)
    job.imports = ["json"]
    told = []
    for number in range(5):
        job.run(mode)
        server = world.servers[-1]
        if number:
            server.hear()
        told.append(server.hear()[0]["tell"])
        assert mode.improve(9) is (number < 3)
        if number >= 3:
            server.hear()
            break
    assert told == [True, True, True, False]
    assert len(world.servers) == 4


def test_nothing_more_is_learned_when_it_is_said(world: World, job: Job) -> None:
    mode = mode_of(job, [HIDDEN, READY])
    mode.stop_learning()
    job.imports = ["json"]
    job.run(mode)
    assert world.servers[0].hear()[0]["tell"] is False
    assert mode.improve(9) is False


def test_a_better_server_takes_over_between_two_jobs(world: World, job: Job) -> None:
    mode = mode_of(job, [HIDDEN, READY])
    job.imports = ["json"]
    mode.attend()  # nothing is to be learned: it does not wait
    job.run(mode)
    mode.attend()
    assert mode._server.pid == 5001
    assert mode.imports == ["json"]
    assert world.said == ["runner: 70 modules are loaded, after 0.0 s"] * 2


def test_a_server_that_calls_is_not_kept_waiting(world: World, job: Job) -> None:
    mode = mode_of(job, [HIDDEN])
    job.imports = ["json"]
    job.run(mode)
    job.runner.sendall(b"x")
    mode.attend()
    assert mode._server.pid == 5000
    assert mode._own() == [5000, 5001]
    job.run(mode)
    assert job.followed is not None
    assert job.followed[4] == [5000, 5001]
    assert len(world.servers) == 2  # one at a time
    mode.leave()
    assert world.done[-3:] == ["kill 5000", "kill 5001", "orphans ()"]


def test_one_that_is_unfit_ends_the_lessons(world: World, job: Job) -> None:
    mode = mode_of(job, [HIDDEN, {"ready": 1, "hazard": "it is so"}], [HIDDEN, READY])
    job.imports = ["json"]
    job.run(mode)
    mode.attend()
    assert world.said[1:] == ["runner: goes on without the modules that the last job imported: it is so"]
    assert (mode._server.pid, mode._own()) == (5000, [5000])
    job.run(mode)
    mode.attend()
    assert len(world.servers) == 2


def test_one_that_cannot_be_started_ends_the_lessons_too(world: World, job: Job) -> None:
    mode = mode_of(job)
    job.imports = ["json"]
    world.failure = OSError(12, "Cannot allocate memory")
    for _ in range(2):
        job.run(mode)
        mode.attend()
        world.failure = None
    assert len(world.servers) == 1


def test_whether_there_is_a_message_is_seen_without_taking_it() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert has_message(ours) is False
        theirs.sendall(b"ab")
        assert has_message(ours) is True
        assert ours.recv(9) == b"ab"
        theirs.close()
        assert has_message(ours) is True


Send = Callable[..., None]


def test_a_fork_server_hears_messages_with_their_descriptors() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    read, write = os.pipe()
    with ours, theirs:
        fork_server.send(ours, a="é", b=1)
        assert fork_server.receive(theirs) == ({"a": "é", "b": 1}, [])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [read, write]))]
        ours.sendmsg([b"{}"], rights)
        message, numbers = fork_server.receive(theirs)
        assert message == {}
        assert [os.fstat(number).st_ino for number in numbers] == [os.fstat(one).st_ino for one in (read, write)]
        for number in (*numbers, read, write):
            os.close(number)
        ours.close()
        with pytest.raises(EOFError, match="the runner is gone"):
            fork_server.receive(theirs)


def test_what_can_be_imported_is_and_the_rest_is_the_scripts_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code in (("fails", "1 / 0"), ("exits", "import sys; sys.exit(3)"), ("works", "x = 1")):
        (tmp_path / f"preloaded_{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    fork_server.preload(["preloaded_gone", {"a": 1}, "preloaded_fails", "preloaded_exits", "preloaded_works"])
    assert set(sys.modules) - before == {"preloaded_works"}
    del sys.modules["preloaded_works"]


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_report_is_read_to_its_end_or_as_far_as_it_is_there(is_closed: bool) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.write(write, b"x" * 65_536)
    if is_closed:
        os.close(write)
    assert fork_server.read_all(read) == b"x" * 65_536
    if not is_closed:
        os.close(write)
    os.close(read)


@pytest.mark.parametrize(
    ("told", "imports"),
    [
        (b'["a", {"the umask": 1}, "b"]', ["a", {"the umask": 1}, "b"]), (b"[]", []), (b"", []), (b"{}", []),
        (b'["a", 1]', []), (b'[["a"]]', []), (b'"a"', []), (b"\xff", []), (b'["a"', []),
    ],
)  # fmt: skip
def test_a_report_that_the_program_forged_teaches_nothing(told: bytes, imports: list[Any]) -> None:
    assert fork_server.read_imports(told) == imports
