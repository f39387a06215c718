"""The sandbox's process: its arguments, how its parts are joined, its doors, and its end. Its HTTP server is a fake."""

import asyncio
import importlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from model_sandbox.pace import Pace
from model_sandbox.record import Record
from model_sandbox.tokens import Grant, Scope

SCOPE = Scope("123456789012", "us-east-1")
RECORD = Record("http://127.0.0.1:4566", "us-east-1", "123456789012", 1, "127.0.0.1:4566", "abc", 2, "secret", "off")


class Config:
    """A fake of hypercorn's settings."""


@pytest.fixture(scope="module")
def program() -> Iterator[Any]:
    """Load the program beside a fake of hypercorn, which is installed in the sandbox's own environment only."""
    fakes: dict[str, Any] = {name: ModuleType(name) for name in ("hypercorn", "hypercorn.asyncio", "hypercorn.config")}
    fakes["hypercorn.asyncio"].serve = None
    fakes["hypercorn.config"].Config = Config
    with pytest.MonkeyPatch.context() as patch:
        for name, module in fakes.items():
            patch.setitem(sys.modules, name, module)
        patch.delitem(sys.modules, "model_sandbox.__main__", raising=False)
        yield importlib.import_module("model_sandbox.__main__")
        sys.modules.pop("model_sandbox.__main__")


class Begun:
    """The program's start, noted step by step, with a socket, an event loop and rights that are fakes."""

    def __init__(self, program: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
        self.happened: list[Any] = []
        monkeypatch.setattr(sys, "argv", ["model_sandbox", *arguments])
        monkeypatch.setattr(program.rights, "give_up", lambda: self.happened.append("rights"))
        listener = SimpleNamespace(
            bind=lambda address: self.happened.append(("bind", address)), getsockname=lambda: ("127.0.0.1", 4566)
        )
        monkeypatch.setattr(program, "socket", SimpleNamespace(socket=lambda: listener))
        fake_os = SimpleNamespace(umask=lambda mask: self.happened.append(("umask", mask)), getpid=lambda: 4242)
        monkeypatch.setattr(program, "os", fake_os)
        monkeypatch.setattr(program, "secrets", SimpleNamespace(token_hex=lambda size: "ab" * size))
        monkeypatch.setattr(program.record, "born", lambda: 77)
        monkeypatch.setattr(program, "_serve", lambda *given: given)
        monkeypatch.setattr(program, "asyncio", SimpleNamespace(run=self._run))
        self.listener = listener
        self.served: Any = None

    def _run(self, given: Any) -> None:
        self.served = given


@pytest.mark.parametrize(("more", "iam"), [((), "off"), (("--iam", "enforced"), "enforced")])
def test_a_sandbox_is_what_its_arguments_say(
    program: Any, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], iam: str
) -> None:
    begun = Begun(program, monkeypatch, "--home", "/h", "--instance", "abc", *more)
    program.main()
    sandbox = Record(
        endpoint_url="http://127.0.0.1:4566",
        region="us-east-1",
        account_id="123456789012",
        pid=4242,
        registry="127.0.0.1:4566",
        instance="abc",
        born=77,
        secret_key="ab" * 20,
        iam=iam,
    )
    assert begun.served == (sandbox, Path("/h"), begun.listener)
    assert begun.happened == ["rights", ("umask", 0o077), ("bind", ("127.0.0.1", 0))]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--instance", "abc"), "the following arguments are required: --home"),
        (("--home", "/h"), "the following arguments are required: --instance"),
        (("--home", "/h", "--instance", "abc", "--iam", "on"), "argument --iam: invalid choice: 'on'"),
    ],
)
def test_arguments_that_are_missing_or_wrong(
    program: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    begun = Begun(program, monkeypatch, *arguments)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert (caught.value.code, begun.happened) == (2, [])
    assert f"python -m model_sandbox: error: {told}" in capsys.readouterr().err


# ---- serving


class Ended(BaseException):
    """The process has ended, with this code."""


@contextmanager
def unheard(sign: Any) -> Iterator[None]:
    """Let a signal that the program does not hear be an error, and not the end of this process."""

    def fail(*_: object) -> None:
        raise AssertionError("nobody heard the signal")

    former = signal.signal(sign, fail) if isinstance(sign, int) else None
    try:
        yield
    finally:
        if isinstance(sign, int):
            signal.signal(sign, former)


class Serving:
    """A run of the program's server; `ends` is what ends it: a signal, or the end of a door."""

    def __init__(self, program: Any, monkeypatch: pytest.MonkeyPatch, home: Path, *, ends: Any, inner: bool) -> None:
        self.happened: list[Any] = []
        self.doors: list[Any] = []
        self.code: Any = None
        self._ends, self.inner = ends, socket.socket() if inner else None
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        engine = SimpleNamespace(close=lambda: self.happened.append("engine closed"))

        def build(sandbox: Record, state: Path, port: int) -> Any:
            self.built = (sandbox, state, port)
            return "front", "bridge", engine, self.inner

        def leave(code: int) -> None:
            self.code = code
            raise Ended

        monkeypatch.setattr(program, "_build", build)
        monkeypatch.setattr(program, "serve", self._serve)
        monkeypatch.setattr(program.record, "save", self._save)
        monkeypatch.setattr(program, "os", SimpleNamespace(_exit=leave))
        monkeypatch.setattr(program.logging, "shutdown", lambda: self.happened.append("logs written"))
        with pytest.raises(Ended), unheard(ends):
            asyncio.run(program._serve(RECORD, home, self.listener))
        for each in filter(None, (self.inner, self.listener)):
            each.close()

    def _save(self, home: Path, sandbox: Record) -> None:
        listens = self.listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        self.happened.append(("saved", home, sandbox, listens))

    async def _serve(self, application: Any, config: Any, shutdown_trigger: Any) -> None:
        self.doors.append((application, vars(config)))
        if isinstance(self._ends, int):
            if len(self.doors) == 1 + bool(self.inner):
                os.kill(os.getpid(), self._ends)
            await shutdown_trigger()
        self.happened.append(f"{application} over")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(
    program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sign: signal.Signals
) -> None:
    serving = Serving(program, monkeypatch, tmp_path, ends=sign, inner=True)
    assert serving.code == 0
    assert [application for application, _ in serving.doors] == ["front", "bridge"]
    for _, config in serving.doors:
        assert config.pop("bind")[0].startswith("fd://")
        assert config == {"loglevel": "WARNING", "graceful_timeout": 1}
    assert serving.built[:2] == (RECORD, tmp_path / "state")
    assert serving.happened[0] == ("saved", tmp_path, RECORD, 1)  # who reads it can connect already
    assert sorted(serving.happened[1:3]) == ["bridge over", "front over"]
    assert serving.happened[3:] == ["engine closed", "logs written"]


def test_a_door_that_closes_by_itself_is_a_failure(
    program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serving = Serving(program, monkeypatch, tmp_path, ends="door", inner=False)
    assert (serving.code, [application for application, _ in serving.doors]) == (1, ["front"])
    assert serving.happened[1:] == ["front over", "engine closed", "logs written"]


def test_a_door_is_the_socket_that_is_open_already(program: Any) -> None:
    with socket.socket() as listener:
        expected = {"bind": [f"fd://{listener.fileno()}"], "loglevel": "WARNING", "graceful_timeout": 1}
        assert vars(program._config(listener)) == expected


def test_containers_come_in_by_the_engines_bridge_where_it_is_on_this_computer(program: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for gateway in ("127.0.0.1", "", "192.0.2.1"):
            assert program._for_containers(SimpleNamespace(gateway=lambda at=gateway: at), port) is None
    with program._for_containers(SimpleNamespace(gateway=lambda: "127.0.0.1"), 0) as door:
        assert door.getsockname()[0] == "127.0.0.1"
        assert door.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


# ---- its parts


class Parts:
    """Fakes of all parts of the program: what each is made of, and which are installed, in order."""

    NAMES = (
        *("Access", "Admission", "Batch", "Bridge", "Calls", "CloudFormation", "Ec2Gaps", "Ecr", "Ecs", "Engine"),
        *("FileSystems", "Front", "Functions", "Journal", "LoadBalancers", "Network", "PolicyDocuments", "Registry"),
        *("RuntimeMonitoring", "Scaling", "Sessions", "Tokens"),
    )

    def __init__(self, program: Any, monkeypatch: pytest.MonkeyPatch, *, iam: str, inner: bool = True) -> None:
        self.made: dict[str, Any] = {}
        self.given: dict[str, list[Any]] = {}
        self.installed: list[str] = []
        self.aws = SimpleNamespace(
            app=SimpleNamespace(app="ministack"),
            account_of=lambda key: self.asked.append(key) or "123456789012",
            s3=SimpleNamespace(_buckets={"mine": {}}),
        )
        self.asked: list[str] = []
        self.loaded: Any = None
        self.door = SimpleNamespace() if inner else None
        for name in self.NAMES:
            monkeypatch.setattr(program, name, self._maker(name))
        monkeypatch.setattr(program.upstream, "load", self._load)
        monkeypatch.setattr(program, "_for_containers", lambda engine, port: self.door)
        self.front, self.bridge, self.engine, self.inner = program._build(
            Record(**{**vars(RECORD), "iam": iam}), Path("/s"), 4566
        )

    def _load(self, *given: Any) -> Any:
        self.loaded = given
        return self.aws

    def _maker(self, name: str) -> Any:
        def make(*given: Any) -> Any:
            part = SimpleNamespace(name=name, install=lambda: self.installed.append(name))
            if name == "Engine":
                part.remove_all = lambda: self.installed.append("removed what was left")
                part.gateway = lambda: "172.17.0.1"
            if name == "Access":
                part.caller, part.judged, part.here = "caller", "judged", "here"
                part.refusal = lambda *asked: ("refused", *asked)
            if name == "Ecs":
                part.services = SimpleNamespace(at_least="at least")
            if name == "Batch":
                part.tags_of = "tags of"
            if name == "Tokens":
                part.issue = lambda scope, seconds: (f"password for {seconds:.0f} s", scope)
            self.made.setdefault(name, part)
            self.given.setdefault(name, []).append(given)
            return part

        return make


def test_the_parts_of_a_sandbox_whose_policies_count(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(program, monkeypatch, iam="enforced")
    made, given, aws = parts.made, parts.given, parts.aws
    assert parts.loaded == (4566, "123456789012", "us-east-1", Path("/s/aws"), "secret", "enforced")
    assert parts.installed == [
        *("removed what was left", "Network", "Ecr", "Ec2Gaps", "FileSystems", "LoadBalancers", "Ecs", "Batch"),
        *("Functions", "PolicyDocuments", "CloudFormation", "Access"),
    ]
    instance, registry, password = given["Engine"][0]
    assert (instance, registry, password(SCOPE)) == ("abc", "127.0.0.1:4566", "password for 600 s")
    assert given["Access"] == [(aws,)]
    assert given["Sessions"] == [(aws, "http://172.17.0.1:4566")]
    root, credentials, rules, journal, refuse = given["Registry"][0]
    assert (root, credentials, journal) == (Path("/s/registry"), made["Tokens"], made["Journal"])
    assert (rules.func, rules.args) == (program.repository_rules, (aws,))
    assert refuse(Grant(SCOPE), "ecr:PutImage", "iris") is None  # the sandbox itself
    arn = "arn:aws:ecr:us-east-1:123456789012:repository/iris"
    assert refuse(Grant(SCOPE, "AKIA"), "ecr:PutImage", "iris") == ("refused", "AKIA", SCOPE, "ecr:PutImage", arn)
    assert given["Network"] == [(aws, 4566)]
    assert given["Ecr"] == [(aws, made["Registry"], made["Tokens"], "127.0.0.1:4566", "caller")]
    assert given["FileSystems"] == [(aws, made["Network"], Path("/s/efs"))]
    assert given["LoadBalancers"] == [(aws, made["Network"])]
    assert given["RuntimeMonitoring"] == [(aws, "judged")]
    pace = given["Ecs"][0][-1]
    assert isinstance(pace, Pace)
    assert given["Ecs"] == [
        (
            *(aws, made["Engine"], made["Network"], made["LoadBalancers"], made["FileSystems"]),
            *(made["RuntimeMonitoring"], made["Sessions"], made["Access"], pace),
        )
    ]
    assert given["Scaling"] == [(aws.account_of, "judged", "at least")]
    assert given["Batch"] == [(aws, made["Engine"], made["Network"], made["Sessions"])]
    assert given["Functions"] == [(aws, made["Engine"], made["Sessions"], "here")]
    assert given["PolicyDocuments"] == given["Ec2Gaps"] == [(aws,)]
    assert given["CloudFormation"] == [(aws, made["Sessions"], made["Access"], "http://127.0.0.1:4566", "secret")]
    assert made["Access"].batch_tags == "tags of"
    services = {"application-autoscaling": made["Scaling"], "guardduty": made["RuntimeMonitoring"]}
    assert given["Calls"] == [("ministack", services, made["Journal"], made["Access"])]
    # 50 MiB of code in base64 and what else Lambda takes; a container sends no code.
    assert given["Admission"] == [(aws, "secret", 70167211), (aws, "secret", 1024 * 1024)]
    (front,) = given["Front"]
    hosts = ("127.0.0.1:4566", "localhost:4566")
    assert front == (
        *(made["Calls"], made["Registry"], made["Admission"], made["Sessions"], made["Tokens"], pace, hosts),
        "secret",
    )
    ((_, sessions, names, has_bucket, calls),) = given["Bridge"]
    assert (sessions, names, calls) == (made["Sessions"], ("172.17.0.1:4566",), made["Calls"])
    assert (has_bucket("AKIA", "mine"), has_bucket("AKIA", "other"), parts.asked) == (True, False, ["AKIA", "AKIA"])
    assert (parts.front, parts.bridge, parts.engine, parts.inner) == (
        *(made["Front"], made["Bridge"]),
        *(made["Engine"], parts.door),
    )


def test_the_parts_of_one_whose_policies_do_not(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(program, monkeypatch, iam="off", inner=False)
    given = parts.given
    assert ("Access" in given, "Access" in parts.installed) == (False, False)
    assert parts.loaded[-1] == "off"
    assert given["Sessions"] == [(parts.aws, "")]  # containers cannot reach it
    assert given["Ecr"][0][-1] is str
    assert given["Registry"][0][-1](Grant(SCOPE, "AKIA"), "ecr:PutImage", "iris") is None
    for judged in (given["RuntimeMonitoring"][0][1], given["Scaling"][0][1], given["Functions"][0][3]):
        assert judged("ecs:UpdateService", SCOPE) is None
    assert (given["Ecs"][0][-2], given["CloudFormation"][0][2], given["Calls"][0][3]) == (None, None, None)
    assert parts.inner is None
