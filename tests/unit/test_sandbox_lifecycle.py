"""The sandbox's life as the command line leads it: start, stop, and what is removed. Engine and processes are fakes."""

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from docker.errors import APIError, DockerException

from model_dockerize.errors import SandboxError
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox, StopReport, environment, lifecycle, record
from tests.rig.progress import Said

RUNNING = Sandbox("http://127.0.0.1:4566", "us-east-1", "123456789012", 4242, "127.0.0.1:4566", "abc", 77, "key")
NO_ENGINE = (
    "The sandbox runs real containers and found no Docker Engine that answers",
    "Start Docker Engine and make sure that you may use it (`docker info` must work), then start again.",
)


def told(error: SandboxError) -> tuple[str, str, tuple[str, ...]]:
    return str(error), error.remedy, tuple(error.details)


def write(home: Path, sandbox: Sandbox = RUNNING) -> None:
    (home / record.RECORD_NAME).write_text(json.dumps(asdict(sandbox)), encoding="utf-8")


class FakeDocker:
    """A fake of docker's client, which notes what it is asked, and that it was closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Any] = []
        self.names: list[list[str] | None] = []
        self.images: list[dict[str, Any]] = []
        self.failing: set[str] = set()
        self.is_there, self.open, self.timeouts = True, 0, list[int]()
        self.api = SimpleNamespace(
            remove_container=lambda name, force, v: self._do("container", name, force, v),
            remove_image=lambda reference: self._do("image", reference),
            images=lambda: self.images,
        )
        self.containers = SimpleNamespace(list=self._list)
        self.volumes = SimpleNamespace(list=self._volumes)
        monkeypatch.setattr(docker, "from_env", self._from_env)

    def _from_env(self, timeout: int) -> Any:
        self.timeouts.append(timeout)
        if not self.is_there:
            raise DockerException("no socket")
        self.open += 1
        return self

    def ping(self) -> None: ...

    def close(self) -> None:
        self.open -= 1

    def _do(self, *what: Any) -> None:
        self.asked.append(what)
        if what[1] in self.failing:
            raise APIError("in use")

    def _list(self, **which: Any) -> Any:
        self.asked.append(("list", which))
        return [SimpleNamespace(attrs={"Names": names}) for names in self.names]

    def _volumes(self, **which: Any) -> Any:
        self.asked.append(("volumes", which))
        return [SimpleNamespace(remove=lambda name=name: self._do("volume", name)) for name in ("v1", "v2")]


# ---- start


class Started:
    """Notes the steps of `start` in their order; each of them is a fake."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: Sandbox | None) -> None:
        self.happened: list[Any] = []
        looks = list(found)

        def note(name: str, answer: Any = None) -> Callable[..., Any]:
            return lambda *given: self.happened.append((name, *given)) or answer

        monkeypatch.setattr(lifecycle, "status", lambda _: looks.pop(0))
        monkeypatch.setattr(lifecycle, "_require_engine", note("engine"))
        monkeypatch.setattr(environment, "ensure", note("environment", Path("/env/bin/python")))
        monkeypatch.setattr(lifecycle, "_remove_state", note("removed"))
        monkeypatch.setattr(lifecycle, "_spawn", note("spawned", RUNNING))
        seconds = iter([10.0, 12.345])
        monkeypatch.setattr(lifecycle, "time", SimpleNamespace(monotonic=lambda: next(seconds)))


@pytest.mark.parametrize(("iam", "wanted"), [("", "off"), ("enforced", "enforced"), ("off", "off")])
def test_a_sandbox_is_started_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, iam: str, wanted: str) -> None:
    started, said, home = Started(monkeypatch, None, None), Said(), tmp_path / "a" / "home"
    assert lifecycle.start(home, said, iam) is RUNNING
    assert started.happened == [
        *(("engine",), ("environment", home, said), ("removed", home)),
        ("spawned", home, Path("/env/bin/python"), wanted),
    ]
    assert said.infos == ["Sandbox started in 2.3 s at http://127.0.0.1:4566"]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.parametrize("found", [[RUNNING], [None, RUNNING]])
def test_one_that_runs_is_taken_if_it_is_as_wished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: list[Sandbox | None]
) -> None:
    for iam in ("", "off"):
        started = Started(monkeypatch, *found)
        assert lifecycle.start(tmp_path, Silent(), iam) is RUNNING
        assert started.happened == []
    Started(monkeypatch, *found)
    with pytest.raises(SandboxError) as caught:
        lifecycle.start(tmp_path, Silent(), "enforced")
    assert told(caught.value) == (
        "The sandbox runs already, with IAM off.",
        "Stop it first (what is in it goes with it): model-dockerize sandbox stop",
        (),
    )


def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Started(monkeypatch, None)
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    with pytest.raises(SandboxError) as caught:
        lifecycle.start(home, Silent())
    message = f"The sandbox's folder {home} cannot be made: Not a directory."
    assert told(caught.value) == (message, "Name another with MODEL_DOCKERIZE_HOME.", ())


@pytest.mark.parametrize(
    ("owner", "user", "mode", "problem"),
    [
        (1000, 1000, 0o700, ""),
        (0, 1000, 0o755, ""),
        (1001, 0, 0o775, ""),
        (1001, 1000, 0o700, "The sandbox's folder {} belongs to another user."),
        (1000, 1000, 0o702, "Everybody may write to the sandbox's folder {}."),
        (0, 0, 0o777, "Everybody may write to the sandbox's folder {}."),
    ],
)
def test_whose_folder_it_is(monkeypatch: pytest.MonkeyPatch, owner: int, user: int, mode: int, problem: str) -> None:
    class Home:
        def stat(self) -> Any:
            return SimpleNamespace(st_uid=owner, st_mode=stat.S_IFDIR | mode)

        def __str__(self) -> str:
            return "/h"

    home: Any = Home()
    monkeypatch.setattr(lifecycle, "os", SimpleNamespace(geteuid=lambda: user))
    if not problem:
        lifecycle._require_own(home)
        return
    with pytest.raises(SandboxError) as caught:
        lifecycle._require_own(home)
    remedy = "Name a folder of your own with MODEL_DOCKERIZE_HOME."
    assert told(caught.value) == (problem.format("/h"), remedy, ())


def test_an_engine_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeDocker(monkeypatch)
    lifecycle._require_engine()
    assert (client.open, client.timeouts) == (0, [30])
    client.is_there = False
    with pytest.raises(SandboxError) as caught:
        lifecycle._require_engine()
    assert told(caught.value) == (*NO_ENGINE, ("no socket",))


# ---- the process


class Process:
    """A fake of the sandbox's process. `does` is done at each look whether it has ended; it returns the exit code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, does: Callable[[int], int | None]) -> None:
        self.pid, self.returncode = 4242, None
        self.happened: list[str] = []
        self.begun: Any = None
        self._does, self._looks = does, 0
        now = [0.0]

        def sleep(seconds: float) -> None:
            self.happened.append(f"slept {seconds}")
            now[0] += 10.0

        monkeypatch.setattr(lifecycle, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
        fake = SimpleNamespace(Popen=self._popen, DEVNULL=subprocess.DEVNULL, STDOUT=subprocess.STDOUT)
        monkeypatch.setattr(lifecycle, "subprocess", fake)
        monkeypatch.setattr(environment, "of_child", lambda folder: {"PYTHONPATH": str(folder)})

    def _popen(self, argv: list[str], **how: Any) -> Any:
        self.begun = (argv, {**how, "stdout": stat.S_IMODE(os.fstat(how["stdout"].fileno()).st_mode)})
        how["stdout"].write("".join(f"line {number}\n" for number in range(20)).encode())
        how["stdout"].flush()
        return self

    def poll(self) -> int | None:
        self._looks += 1
        return self._does(self._looks)

    def kill(self) -> None:
        self.happened.append("killed")

    def wait(self) -> None:
        self.happened.append("waited for")


def test_a_process_is_begun_apart_from_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(record, "answers", lambda _: next(answers))
    recycled = Sandbox(**{**asdict(RUNNING), "pid": 1})

    def does(looks: int) -> None:
        # An older record, one that does not answer yet, and one that does.
        write(tmp_path, recycled if looks == 1 else RUNNING)

    process = Process(monkeypatch, does)
    old = tmp_path / record.LOG_NAME
    assert lifecycle._spawn(tmp_path, Path("/env/bin/python"), "enforced") == RUNNING
    assert process.returncode == 0
    argv, how = process.begun
    assert argv == [
        *("/env/bin/python", "-m", "model_sandbox", "--home", str(tmp_path)),
        *("--instance", lifecycle.instance_of(tmp_path), "--iam", "enforced"),
    ]
    assert how == {
        **{"env": {"PYTHONPATH": str(tmp_path / "state" / "program")}, "cwd": "/", "stdin": subprocess.DEVNULL},
        **{"stdout": 0o600, "stderr": subprocess.STDOUT, "start_new_session": True},
    }
    assert process.happened == ["slept 0.02"] * 3
    assert old.exists()


def failed(process: Process, home: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        lifecycle._spawn(home, Path("/env/bin/python"), "off")
    log = home / record.LOG_NAME
    lines = tuple(f"line {number}" for number in range(5, 20))
    assert told(caught.value) == ("The sandbox did not come up", f"Read its log: {log}", lines)


def test_a_process_that_ends_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    process = Process(monkeypatch, lambda looks: 3 if looks == 2 else None)
    failed(process, tmp_path)
    assert process.happened == ["slept 0.02"]


def test_a_process_that_does_not_answer_for_a_minute_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    process = Process(monkeypatch, lambda _: None)
    failed(process, tmp_path)
    assert process.happened == [*["slept 0.02"] * 6, "killed", "waited for"]


def test_its_log_is_no_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Process(monkeypatch, lambda _: None)
    (tmp_path / record.LOG_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        lifecycle._spawn(tmp_path, Path("/env/bin/python"), "off")
    assert not (tmp_path / "elsewhere").exists()


class Ending:
    """A process that is asked to end. `born` says its start at each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, born: Callable[[float], int], error: Exception | None) -> None:
        self.signals: list[tuple[float, int, int]] = []
        self.waited: list[Any] = []
        self._error, now = error, [0.0]
        self._now = now

        def sleep(seconds: float) -> None:
            assert seconds == 0.02
            now[0] += 1.0

        monkeypatch.setattr(lifecycle, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
        monkeypatch.setattr(record, "born", lambda pid: born(now[0]) if pid == 4242 else 0)
        fake = SimpleNamespace(kill=self._kill, waitpid=self._waitpid, WNOHANG=os.WNOHANG)
        monkeypatch.setattr(lifecycle, "os", fake)
        lifecycle._end(4242, 77)

    def _kill(self, pid: int, sign: int) -> None:
        self.signals.append((self._now[0], pid, sign))
        if self._error:
            raise self._error

    def _waitpid(self, pid: int, how: int) -> None:
        self.waited.append((pid, how))
        raise ChildProcessError


def test_a_process_has_45_seconds_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = Ending(monkeypatch, lambda now: 77 if now < 44 else 0, None)
    assert soon.signals == [(0.0, 4242, signal.SIGTERM)]
    assert set(soon.waited) == {(4242, os.WNOHANG)}
    late = Ending(monkeypatch, lambda now: 77 if now < 47 else 0, None)
    assert late.signals == [(0.0, 4242, signal.SIGTERM), (45.0, 4242, signal.SIGKILL)]
    assert len(Ending(monkeypatch, lambda _: 77, None).signals) == 2


def test_a_process_that_is_gone_or_another_ones_number_needs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(Ending(monkeypatch, lambda _: 0, ProcessLookupError()).signals) == 1
    assert len(Ending(monkeypatch, lambda _: 78, None).signals) == 1


# ---- stop


class Stopped:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, answers: bool, born: int = 77) -> None:
        self.client = FakeDocker(monkeypatch)
        self.client.names = [["/mdsbx-b"], ["/mdsbx-a"]]
        self.ended: list[Any] = []
        monkeypatch.setattr(record, "answers", lambda _: answers)
        monkeypatch.setattr(record, "born", lambda _: born)
        monkeypatch.setattr(lifecycle, "_end", lambda *given: self.ended.append(given))


def test_a_stop_ends_and_removes_all_but_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopped, said = Stopped(monkeypatch, answers=True), Said()
    write(tmp_path)
    (tmp_path / record.LOG_NAME).touch()
    (tmp_path / "state" / "aws").mkdir(parents=True)
    stopped.client.images = [
        {"RepoTags": ["127.0.0.1:4566/iris:1", "iris:1"], "RepoDigests": ["127.0.0.1:4566/iris@sha256:1"]},
        {"RepoTags": None, "RepoDigests": None},
        {"RepoTags": ["127.0.0.1:45660/iris:1", "127.0.0.1:4566/used:1"]},
    ]
    stopped.client.failing = {"mdsbx-a", "v1", "127.0.0.1:4566/used:1"}
    images = ("127.0.0.1:4566/iris:1", "127.0.0.1:4566/iris@sha256:1")
    paths = tuple(tmp_path / name for name in (record.RECORD_NAME, record.LOG_NAME, "state"))
    report = lifecycle.stop(tmp_path, said)
    assert report == StopReport(True, ("mdsbx-a", "mdsbx-b"), images, paths)
    assert stopped.ended == [(4242, 77)]
    assert said.infos == [
        "Stopping the sandbox (process 4242)",
        *("Removed container mdsbx-a", "Removed container mdsbx-b"),
        *(f"Removed image {each}" for each in images),
        *(f"Removed path {each}" for each in paths),
    ]
    which = {"label": f"model-dockerize.sandbox={lifecycle.instance_of(tmp_path)}"}
    listed = ("list", {"all": True, "sparse": True, "filters": which})
    assert stopped.client.asked == [
        *(listed, listed, ("container", "mdsbx-a", True, True), ("container", "mdsbx-b", True, True)),
        *(("volumes", {"filters": which}), ("volume", "v1"), ("volume", "v2")),
        *(("image", images[0]), ("image", images[1]), ("image", "127.0.0.1:4566/used:1")),
    ]
    assert stopped.client.open == 0
    assert set(stopped.client.timeouts) == {30, 60}
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize(("born", "ended"), [(77, [(4242, 77)]), (78, [])])
def test_one_that_hangs_is_ended_if_it_is_still_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, born: int, ended: list[Any]
) -> None:
    stopped = Stopped(monkeypatch, answers=False, born=born)
    write(tmp_path)
    assert not lifecycle.stop(tmp_path, Silent()).was_running
    assert stopped.ended == ended


def test_without_a_record_what_is_left_is_removed_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopped = Stopped(monkeypatch, answers=True)
    stopped.client.names = [None, []]
    stopped.client.images = [{"RepoTags": ["127.0.0.1:4566/iris:1"]}]
    assert lifecycle.stop(tmp_path, Silent()) == StopReport(False, ("?", "?"), (), ())
    assert stopped.ended == []


def test_without_an_engine_nothing_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopped = Stopped(monkeypatch, answers=True)
    stopped.client.is_there = False
    write(tmp_path)
    with pytest.raises(SandboxError) as caught:
        lifecycle.stop(tmp_path, Silent())
    assert (told(caught.value)[:2], stopped.ended) == (NO_ENGINE, [])


def test_without_a_folder_there_is_nothing_to_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopped = Stopped(monkeypatch, answers=True)
    assert lifecycle.stop(tmp_path / "none", Silent()) == StopReport(False, (), (), ())
    assert stopped.client.timeouts == []


def erasing(monkeypatch: pytest.MonkeyPatch, code: int) -> list[Any]:
    """Let nobody remove the state but the eraser, a fake that ends with this code."""
    ran: list[Any] = []

    def refuse(_: Path) -> None:
        raise PermissionError

    def run(argv: list[str], **how: Any) -> Any:
        ran.append((argv, how))
        return SimpleNamespace(returncode=code, stderr="".join(f"{number}\n" for number in range(20)))

    monkeypatch.setattr(lifecycle, "shutil", SimpleNamespace(rmtree=refuse))
    monkeypatch.setattr(lifecycle, "subprocess", SimpleNamespace(run=run, DEVNULL=subprocess.DEVNULL))
    return ran


def test_files_of_other_users_are_erased_by_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = erasing(monkeypatch, 0)
    (tmp_path / "state").mkdir()
    assert lifecycle._remove_state(tmp_path) == (tmp_path / "state",)
    argv = [sys.executable, "-P", str(environment.PROGRAM / "erase.py"), str(tmp_path / "state")]
    how = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False}
    assert ran == [(argv, how)]


def test_what_cannot_be_erased_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    erasing(monkeypatch, 1)
    path = tmp_path / "state"
    path.mkdir()
    with pytest.raises(SandboxError) as caught:
        lifecycle._remove_state(tmp_path)
    assert told(caught.value) == (
        f"Containers have left files in {path} that are not yours",
        f"Remove it as root: sudo rm -rf {path}",
        tuple(str(number) for number in range(5, 20)),
    )


# ---- the environment


def test_the_packages_are_installed_by_hash_in_an_environment_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(environment, "_run", lambda argv, progress, what: ran.append((argv, what)) or made())
    folder = environment.environment_path(tmp_path)

    def made() -> None:
        folder.mkdir(exist_ok=True)

    said = Said()
    python = environment.ensure(tmp_path, said)
    assert python == folder / "bin" / "python"
    assert ran == [
        ([sys.executable, "-m", "venv", str(folder)], "make a virtual environment"),
        (
            [
                *(str(python), "-m", "pip", "install", "-qq", "--require-hashes", "--no-input", "--no-deps"),
                *("--requirement", str(environment.REQUIREMENTS)),
            ],
            "install the sandbox's packages",
        ),
    ]
    assert said.infos == [
        f"Making the sandbox's Python environment in {folder} (first use, about ten seconds)",
        "The sandbox's Python environment is ready",
    ]
    assert environment.REQUIREMENTS.is_file()
    # Without its interpreter it is made again, marker or not.
    environment.ensure(tmp_path, said)
    assert len(ran) == 4
    (folder / "bin").mkdir()
    python.touch()
    (folder / environment.READY_MARKER).touch()
    assert (environment.ensure(tmp_path, said), len(ran)) == (python, 4)


def test_an_environment_is_named_by_its_python_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = environment.environment_path(tmp_path)
    assert here.parent == tmp_path
    assert len(here.name) == len("sandbox-env-") + 12
    monkeypatch.setattr(environment, "platform", SimpleNamespace(python_version=lambda: "3.99.0"))
    assert environment.environment_path(tmp_path) != here


def test_the_sandbox_is_given_no_variable_of_python_or_of_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables = {
        **{"PATH": "/bin", "HTTPS_PROXY": "p", "AWS_PROFILE": "x", "PYTHONPATH": "x", "PYTHONHASHSEED": "0"},
        **{"MINISTACK_REGION": "x", "VIRTUAL_ENV": "v"},
    }
    monkeypatch.setattr(environment, "os", SimpleNamespace(environ=variables))
    folder = tmp_path / "state" / "program"
    assert environment.of_child(folder) == {
        **{"PATH": "/bin", "HTTPS_PROXY": "p", "VIRTUAL_ENV": "v", "PYTHONPATH": str(folder)},
        **{"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
    }
    assert [path.resolve() for path in folder.iterdir()] == [environment.PROGRAM]
    assert (folder / "model_sandbox" / "__main__.py").is_file()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder)] == [0o700, 0o700]


class Installer:
    """A fake of the process that installs, which prints lines and ends with a code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        self.begun: Any = None
        self.returncode = code
        self.stdout = [f"line {number}  \n" for number in range(20)]
        variables = {"PATH": "/bin", "PYTHONPATH": "x", "PYTHONHOME": "x", "VIRTUAL_ENV": "x", "PIP_CERT": "c"}
        monkeypatch.setattr(environment, "os", SimpleNamespace(environ=variables))
        fake = SimpleNamespace(
            Popen=self._popen, DEVNULL=subprocess.DEVNULL, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT
        )
        monkeypatch.setattr(environment, "subprocess", fake)

    def _popen(self, argv: list[str], **how: Any) -> Any:
        self.begun = (argv, how)
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_an_installer_runs_in_an_environment_that_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    installer, said = Installer(monkeypatch, 0), Said()
    environment._run(["pip", "install"], said, "install")
    assert installer.begun == (
        ["pip", "install"],
        {
            **{"env": {"PATH": "/bin", "PIP_CERT": "c"}, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE},
            **{"stderr": subprocess.STDOUT, "text": True, "umask": 0o022},
        },
    )
    assert said.outputs == [f"line {number}" for number in range(20)]


def test_an_installer_that_fails_is_quoted_with_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    Installer(monkeypatch, 3)
    with pytest.raises(SandboxError) as caught:
        environment._run(["pip", "install"], Silent(), "install the packages")
    assert told(caught.value) == (
        "Could not install the packages for the sandbox (exit code 3)",
        "Check that pip can reach a package index (pip config, PIP_INDEX_URL, PIP_CERT), then start it again.",
        tuple(f"line {number}" for number in range(5, 20)),
    )


# ---- the record


class Health:
    """A fake of the sandbox's health page. `does` makes the answer from the nonce that was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, does: Callable[[str], Any], status: int = 200) -> None:
        self.happened: list[Any] = []
        self._does, self._status = does, status
        monkeypatch.setattr(
            record,
            "http",
            SimpleNamespace(
                client=SimpleNamespace(HTTPConnection=self._connect, HTTPException=http.client.HTTPException)
            ),
        )

    def _connect(self, host: str, port: int, timeout: float) -> Any:
        self.happened.append((host, port, timeout))
        nonces: list[str] = []

        def request(method: str, path: str) -> None:
            self.happened.append((method, path.partition("=")[0]))
            nonces.append(path.partition("=")[2])

        def getresponse() -> Any:
            answer = self._does(nonces[0])
            if isinstance(answer, Exception):
                raise answer
            return SimpleNamespace(status=self._status, read=lambda: answer)

        return SimpleNamespace(request=request, getresponse=getresponse, close=lambda: self.happened.append("closed"))


def proof(nonce: str) -> bytes:
    assert len(nonce) == 32
    return json.dumps({"proof": record.health_proof("key", nonce)}).encode()


def test_a_sandbox_proves_that_it_is_the_one_of_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health(monkeypatch, proof)
    assert record.answers(RUNNING)
    assert health.happened == [("127.0.0.1", 4566, 5.0), ("GET", "/_sandbox/health?nonce"), "closed"]
    record.answers(RUNNING, 1.5)
    assert health.happened[3] == ("127.0.0.1", 4566, 1.5)


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"[]", b"{}", b"null", b'{"proof": "x"}', b'{"proof": 1}', ConnectionRefusedError()),
        http.client.BadStatusLine("x"),
    ],
)
def test_whoever_cannot_prove_it_is_another(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    health = Health(monkeypatch, lambda _: answer)
    assert not record.answers(RUNNING)
    assert health.happened[-1] == "closed"


def test_a_proof_with_an_error_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Health(monkeypatch, proof, status=503)
    assert not record.answers(RUNNING)


@pytest.mark.parametrize(
    ("text", "born"),
    [
        ("4242 (a b) c) S " + " ".join(str(number) for number in range(1, 25)), 19),
        ("4242 (a) Z " + " ".join(str(number) for number in range(1, 25)), 0),
        ("4242 (a) X " + " ".join(str(number) for number in range(1, 25)), 0),
        ("4242 (a) S 1 2", 0),
        ("", 0),
        ("4242 (a) S " + " ".join(["x"] * 30), 0),
    ],
)
def test_the_start_of_a_process_is_read_from_the_kernel(monkeypatch: pytest.MonkeyPatch, text: str, born: int) -> None:
    asked: list[str] = []

    def path(name: str) -> Any:
        asked.append(name)
        return SimpleNamespace(read_text=lambda encoding: text)

    monkeypatch.setattr(record, "Path", path)
    assert record.born(4242) == born
    assert asked == ["/proc/4242/stat"]


def test_variables_of_a_sandbox_that_runs() -> None:
    assert RUNNING.environment() == {
        **{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ACCESS_KEY_ID": "123456789012"},
        **{"AWS_SECRET_ACCESS_KEY": "key", "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1"},
    }
    assert RUNNING.unset() == ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE")
    assert RUNNING.iam == "off"
