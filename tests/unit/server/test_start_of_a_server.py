"""The start of a server: its sockets, its runner's command, its data directory, and what each process is made of."""

import base64
import errno
import lzma
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from model_server import array, asking, listening, log, manifest, process, processes, serve, settings, volume
from model_server.errors import StartError
from model_server.jobs import database, exclusive_lock
from model_server.jobs.housekeeping import Retention
from model_server.launcher import LaunchedSlot
from model_server.manifest import Limits, Manifest
from model_server.orphans import ORPHANS
from model_server.process import Common
from model_server.processes import Place
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot
from model_server.volume import Volume
from tests.functional.server.conftest import manifest_text

LIB = Path(process.__file__).parents[1]
RUNNER = str(LIB / "model_runner/runner.py")
MANIFEST = Path("/m.json")


def model(**changes: object) -> Manifest:
    return manifest.parse(manifest_text(Path("/w"), **changes))


def chosen(**variables: str) -> settings.Settings:
    return settings.from_environment(variables)


@pytest.mark.parametrize(
    ("program", "found", "expected"),
    [
        (["python3.9", "m.py"], {"python3.9": "/own/python3.9", "python3": "/usr/python3"}, "/own/python3.9"),
        (["/v/bin/pypy3", "m.py"], {"/v/bin/pypy3": "/v/bin/pypy3"}, "/v/bin/pypy3"),
        (["python", "m.py"], {"python3": "/usr/python3"}, "/usr/python3"),
        (["run"], {"run": "/bin/run", "python": "/usr/python"}, "/usr/python"),
        (["run", "python3.9"], {"python3.9": "/x"}, None),
        (["python-config"], {"python-config": "/x"}, None),
        (["xpython"], {"xpython": "/x"}, None),
    ],
)
def test_a_runner_has_the_python_of_the_model_or_of_the_image(
    program: list[str], found: dict[str, str], expected: str | None
) -> None:
    command = runner_command(program, MANIFEST, found.get)
    ours = [sys.executable, RUNNER, "{connection}", "/m.json"]
    assert command == (ours if expected is None else [expected, "-I", "-S", RUNNER, "{connection}", "/m.json"])


def test_a_compiled_server_is_its_own_runner_where_there_is_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/s/server")
    assert runner_command(["run"], MANIFEST, {}.get) == ["/opt/s/server", "runner", "{connection}", "/m.json"]
    assert runner_command(["run"], MANIFEST, {"python3": "/p"}.get) == [
        *("/p", "-I", "-S", "/opt/s/model_runner/runner.py", "{connection}", "/m.json")
    ]


class Sockets:
    """Makes no socket; notes all that is asked of those that it says it made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, family: int = socket.AF_INET) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fails: dict[str, OSError] = {}
        self.made = 0
        address = ("::", 80, 0, 0) if family == socket.AF_INET6 else ("0.0.0.0", 80)  # noqa: S104 - not bound
        self.address = address

        def look(*words: Any, **options: Any) -> Any:
            self.calls.append(("look", *words, options))
            return [(family, 1, 6, "", self.address), (socket.AF_INET, 1, 6, "", ("other", 1))]

        monkeypatch.setattr(socket, "getaddrinfo", look)
        monkeypatch.setattr(socket, "socket", self.make)

    def make(self, *words: int) -> Any:
        self.made += 1
        number = self.made
        self.calls.append((f"make {number}", *words))
        calls = {
            name: lambda *given, name=name: self.call(name, number, *given)
            for name in ("setsockopt", "bind", "listen", "close")
        }
        return SimpleNamespace(**calls, getsockname=lambda: (*self.address[:1], 8080))

    def call(self, name: str, number: int, *given: Any) -> None:
        self.calls.append((f"{name} {number}", *given))
        if name in self.fails:
            raise self.fails[name]


def options(number: int, is_shared: int) -> list[tuple[Any, ...]]:
    return [
        (f"setsockopt {number}", socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
        (f"setsockopt {number}", socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared),
    ]


LOOK = {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}
INET = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def test_a_socket_of_one_process_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch)
    assert len(listening.bind("[h]", 80)) == 1
    assert sockets.calls == [
        *(("look", "h", 80, LOOK), ("make 1", *INET), *options(1, 0)),
        *(("bind 1", sockets.address), ("listen 1", 2048)),
    ]


def test_sockets_of_several_processes_share_the_port_that_the_first_one_got(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch)
    assert len(listening.bind("h", 0, 2)) == 2
    assert sockets.calls == [
        ("look", "h", 0, LOOK),
        *(("make 1", *INET), *options(1, 0), ("bind 1", sockets.address), ("close 1",)),
        *(("make 2", *INET), *options(2, 1), ("bind 2", sockets.address)),
        *(("make 3", *INET), *options(3, 1), ("bind 3", (sockets.address[0], 8080))),
        ("listen 2", 2048),
    ]


@pytest.mark.parametrize(("address", "only"), [("::", 0), ("::1", 1)])
def test_every_address_is_also_that_of_the_older_protocol(
    address: str, only: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = Sockets(monkeypatch, socket.AF_INET6)
    sockets.address = (address, 80, 0, 0)
    listening.bind(address, 80)
    assert sockets.calls[1] == ("make 1", socket.AF_INET6, *INET[1:])
    assert sockets.calls[4] == ("setsockopt 1", socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)


@pytest.mark.parametrize(
    ("host", "place", "number", "hint"),
    [
        ("h", "h", errno.EADDRINUSE, "free the port, or name another one by MODEL_SERVER_PORT"),
        ("::1", "[::1]", errno.EACCES, "free the port, or name another one by MODEL_SERVER_PORT"),
        ("[::1]", "[::1]", errno.EADDRNOTAVAIL, "name another address by MODEL_SERVER_HOST"),
    ],
)
@pytest.mark.parametrize("call", ["bind", "listen"])
def test_a_place_that_cannot_be_had_is_told_and_nothing_stays_open(
    call: str, host: str, place: str, number: int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = Sockets(monkeypatch)
    sockets.fails[call] = OSError(number, "no")
    with pytest.raises(StartError) as caught:
        listening.bind(host, 80, 2)
    assert str(caught.value) == f"cannot bind {place}:80: no; {hint}"
    closed = sorted(name for name, *_ in sockets.calls if name.startswith("close"))
    assert closed == [f"close {made}" for made in range(1, sockets.made + 1)]


NAMES = "s3://b/a.csv\n/data/x.tar.gz\n/data/...csv\nplain"


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (" 0 ", ("s3://b/a.csv", "s3://out/a-a.json")),
        ("1", ("/data/x.tar.gz", "s3://out/x.tar-x.tar.json")),
        ("2", ("/data/...csv", "s3://out/...csv-...csv.json")),
        ("3", ("plain", "s3://out/plain-plain.json")),
    ],
)
def test_a_child_of_an_array_has_its_line(index: str, expected: tuple[str, str]) -> None:
    packed = base64.urlsafe_b64encode(lzma.compress(NAMES.encode(), format=lzma.FORMAT_ALONE)).decode()
    environment = {"AWS_BATCH_JOB_ARRAY_INDEX": index}
    assert array.pick(f"list:{packed}", "s3://out/{name}-{name}.json", environment) == expected
    with pytest.raises(StartError) as caught:
        array.pick(f"list:{packed}", "x", {"AWS_BATCH_JOB_ARRAY_INDEX": "4"})
    assert str(caught.value) == "the list has 4 lines, there is none for child 4"
    for wrong in ({}, {"AWS_BATCH_JOB_ARRAY_INDEX": "-1"}):
        with pytest.raises(StartError) as caught:
            array.pick(f"list:{packed}", "x", wrong)
        assert str(caught.value) == (
            "the input is a list, but AWS_BATCH_JOB_ARRAY_INDEX does not say which line of it: submit an array job"
        )


@pytest.mark.parametrize("text", ["list:a", "list:AAAA"])
def test_a_list_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(StartError, match=r"^the list of inputs cannot be read: ."):
        array.pick(text, "x", {"AWS_BATCH_JOB_ARRAY_INDEX": "0"})


@pytest.mark.parametrize(
    ("environment", "headers"),
    [
        ({}, {}),
        ({"MODEL_API_KEY_B": "b", "MODEL_API_KEY_A": " a1 a2 ", "OTHER": "x"}, {"x-api-key": "a1"}),
        ({"MODEL_API_KEY": " ", "MODEL_API_KEY_A": "a"}, {}),
        ({"MODEL_API_KEY": "é"}, {}),
        ({"MODEL_ALLOWED_HOSTS": "a.example,b.example"}, {"Host": "a.example"}),
        ({"MODEL_ALLOWED_HOSTS": " , ", "MODEL_API_KEY": "k"}, {"x-api-key": "k"}),
    ],
)
def test_a_request_of_our_own_bears_what_the_server_wants(environment: dict[str, str], headers: dict[str, str]) -> None:
    assert asking.headers(environment) == headers


class Start:
    """All that a start calls: noted, and done by nobody."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.folder = folder
        self.patch = monkeypatch
        (folder / "model.json").write_text(manifest_text(folder), encoding="utf-8")
        self.mounts = folder / "mountinfo"
        monkeypatch.setattr(serve, "_MOUNTS", self.mounts)
        self.note(log, "configure", None)
        self.note(os, "umask", 0)
        self.note(listening, "bind", ["socket"])
        self.note(volume, "check", None)
        self.note(processes, "run", 7)
        self.note(process, "run", 8)
        monkeypatch.setattr(serve.privileges, "drop", lambda user: self.calls.append(("drop", user)))
        monkeypatch.setattr(serve.siblings, "make", lambda count: [f"sibling {n}" for n in range(count)])
        monkeypatch.setattr(serve, "may", lambda *words: self.calls.append(("may", *words)) or True)
        monkeypatch.setattr(serve, "launch", lambda *words: self.calls.append(("launch", *words)) or "launcher")
        monkeypatch.setattr(os, "geteuid", lambda: 5)

    def note(self, where: Any, name: str, result: object) -> None:
        def call(*words: Any) -> object:
            self.calls.append((name, *words))
            return result

        self.patch.setattr(where, name, call)

    def serve(self, **variables: str) -> int:
        given = {"MODEL_MANIFEST": str(self.folder / "model.json"), "GAI_VOLUME_PATH": str(self.folder / "data")}
        return serve.serve(chosen(**{**given, **variables}))


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    return Start(tmp_path, monkeypatch)


def test_an_ordinary_user_serves_in_this_order(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_API_KEY", "0123456789abcdef-key")
    monkeypatch.setenv("MODEL_LICENSE_KEY", "k")
    claimed: list[Any] = []
    claim = volume.claim
    monkeypatch.setattr(volume, "claim", lambda *words: claimed.append(words) or claim(*words))
    assert start.serve(MODEL_SERVER_PORT="81", MODEL_SERVER_HOST="h", MODEL_LOG_FORMAT="json") == 7
    assert not {"MODEL_API_KEY", "MODEL_LICENSE_KEY"} & set(os.environ)
    names = [call[0] for call in start.calls]
    assert names == ["configure", "bind", "umask", "drop", "check", "run"]
    data = Volume(start.folder / "data")
    assert claimed == [(data.root, "upper", None)]
    assert start.calls[:-1] == [
        *(("configure", True), ("bind", "h", 81, 1), ("umask", 0o077), ("drop", (1000, 1000)), ("check", data))
    ]
    _, places, work = start.calls[-1]
    assert places == [Place("sibling 0", "socket", None)]  # type: ignore[arg-type]
    common, command, users = work.args
    assert (common.model.name, common.data, common.on_network) == ("upper", data, False)
    assert command[-1] == str(start.folder / "model.json")
    assert users == [[(20000, 20000)]]


def test_root_starts_launchers_and_gives_each_process_its_users(start: Start) -> None:
    start.patch.setattr(os, "geteuid", lambda: 0)
    start.patch.setattr(os, "chown", lambda *_words, **_: None)
    start.note(listening, "bind", ["a", "b"])
    start.serve(MODEL_SERVER_PROCESSES="2", MODEL_WORKERS="3", MODEL_PROGRAM_USER="30:40", MODEL_SERVER_USER="6:7")
    instances = start.folder / "data/instances"
    of_first, of_second = [(30, 40), (32, 40)], [(31, 40)]
    launched = [call for call in start.calls if call[0] in ("may", "launch", "drop")]
    command = launched[1][1]
    assert launched == [
        ("may", (30, 40), instances, os.X_OK),
        *(("launch", command, of_first, instances), ("launch", command, of_second, instances)),
        ("drop", (6, 7)),
    ]
    _, places, work = start.calls[-1]
    assert places == [Place(f"sibling {n}", "ab"[n], "launcher") for n in range(2)]  # type: ignore[arg-type]
    assert work.args[2] == [of_first, of_second]


def test_a_program_that_may_not_enter_is_told(start: Start) -> None:
    start.patch.setattr(os, "geteuid", lambda: 0)
    start.patch.setattr(os, "chown", lambda *_words, **_: None)
    start.patch.setattr(serve, "may", lambda *_: False)
    with pytest.raises(StartError) as caught:
        start.serve()
    assert str(caught.value) == (
        f"the program, user 20000, may not enter {start.folder}/data/instances: a folder above is closed to others; "
        "open it (chmod o+x), mount the volume elsewhere, or start the container as an ordinary user (--user)"
    )


@pytest.mark.parametrize(
    ("variables", "runs"),
    [({}, False), ({"MODEL_QUEUE_URL": "postgresql://h/n"}, True), ({"MODEL_SERVER_PROCESSES": "1"}, True)],
)
def test_a_queue_in_a_file_of_the_network_is_for_one_process(
    start: Start, variables: dict[str, str], runs: bool
) -> None:
    start.mounts.write_text(f"1 1 0:1 / {start.folder} rw - nfs4 x rw\n", encoding="utf-8")
    start.note(listening, "bind", ["a", "b"])
    if runs:
        assert start.serve(**{"MODEL_SERVER_PROCESSES": "2", **variables}) == 7
        assert start.calls[-1][2].args[0].on_network is True
        return
    with pytest.raises(StartError) as caught:
        start.serve(MODEL_SERVER_PROCESSES="2")
    assert str(caught.value) == (
        f"the data directory {start.folder}/data is on a network file system, where a queue in SQLite bears one "
        "process: keep the queue in PostgreSQL by MODEL_QUEUE_URL, or set MODEL_SERVER_PROCESSES to 1"
    )


@pytest.mark.parametrize(("read_only", "mounted"), [(False, False), (True, False), (True, True)])
def test_the_data_directory_is_the_images_unless_that_is_read_only(
    start: Start, read_only: bool, mounted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    start.patch.setattr(volume, "is_read_only", lambda path: start.calls.append(path) or read_only)
    where = "/var/gai_data" if mounted else "/var"
    start.mounts.write_text(f"1 1 0:1 / {where} ro - ext4 x rw\n", encoding="utf-8")
    if mounted:
        with pytest.raises(StartError) as caught:
            serve._data_directory(chosen())
        assert str(caught.value) == (
            "the volume at /var/gai_data is read-only: jobs cannot be kept there; mount it writable"
        )
        return
    assert serve._data_directory(chosen()) == Path("/tmp/gai_data" if read_only else "/var/gai_data")
    assert start.calls == [Path("/var/gai_data")]
    assert caplog.messages == [
        "/var/gai_data is read-only and no volume is mounted there: jobs are kept in /tmp/gai_data and end with the "
        "container"
    ] * int(read_only)
    assert serve._data_directory(chosen(GAI_VOLUME_PATH="/x")) == Path("/x")


def test_each_process_has_a_slot_for_each_of_its_users(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted: list[str] = []
    monkeypatch.setattr(ORPHANS, "adopt", lambda: adopted.append("adopt"))
    data = Volume(start.folder)
    common: Any = SimpleNamespace(data=data)
    launcher: Any = SimpleNamespace(remove_instance="removes")
    sibling: Any = SimpleNamespace(number=1)
    users = [[(1, 1)], [(2, 2), (3, 3)]]
    assert serve._serve(common, ["run"], users, Place(sibling, "socket", launcher)) == 8  # type: ignore[arg-type]
    assert adopted == []
    _, given, place, slots, remove = start.calls[-1]
    assert (given, place.siblings, remove) == (common, sibling, "removes")
    assert [(type(slot), slot._launcher, slot._number) for slot in slots] == [
        *((LaunchedSlot, launcher, 0), (LaunchedSlot, launcher, 1))
    ]
    assert serve._serve(common, ["run"], users, Place(sibling, "socket", None)) == 8  # type: ignore[arg-type]
    assert adopted == ["adopt"]
    *_, slots, remove = start.calls[-1]
    assert [(type(slot), slot._command, slot.is_own_user) for slot in slots] == [(OwnSlot, ["run"], False)] * 2
    (start.folder / "instances/x").mkdir(parents=True)
    remove("x")
    assert not (start.folder / "instances/x").exists()


class TestProcess:
    """The parts of a process."""

    @pytest.mark.parametrize("on_network", [True, False])
    def test_a_queue_in_a_file_is_locked_on_a_network(self, on_network: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exclusive_lock, "acquire", lambda root: f"lock of {root}")
        monkeypatch.setattr(database, "open_sqlite", lambda *words: words)
        monkeypatch.setattr(database, "open_postgres", lambda url: url)
        common = Common(chosen(), model(), None, Volume(Path("/d")), on_network)  # type: ignore[arg-type]
        lock = "lock of /d" if on_network else None
        assert process._opened(common) == (lock, (Path("/d/jobs.sqlite3"), on_network))
        elsewhere = Common(chosen(MODEL_QUEUE_URL="u"), model(), None, Volume(Path("/d")), on_network)  # type: ignore[arg-type]
        assert process._opened(elsewhere) == (None, "u")

    @pytest.mark.parametrize(
        ("batch", "processors", "count", "expected"), [(0, 8, 1, 8), (0, 8, 3, 2), (0, 1, 4, 1), (5, 8, 1, None)]
    )
    def test_short_jobs_keep_to_the_processors_of_their_process(
        self, batch: int, processors: int, count: int, expected: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: asked.append(pid) or set(range(processors)))
        assert process._processors(Limits(batch_records=batch), count) == expected
        assert asked == [0] * (not batch)

    @pytest.mark.parametrize(
        ("kept", "variables", "expected"),
        [
            ({}, {}, Retention(None, None)),
            ({"retention_days": 3, "retention_jobs": 4}, {}, Retention(3, 4)),
            (
                {"retention_days": 3, "retention_jobs": 4},
                {"MODEL_RETENTION_DAYS": "0.5", "MODEL_RETENTION_JOBS": "6"},
                Retention(0.5, 6),
            ),
            ({}, {"MODEL_RETENTION_DAYS": "1"}, Retention(1.0, None)),
        ],
    )
    def test_jobs_are_kept_as_the_environment_says_else_the_manifest(
        self, kept: dict[str, int], variables: dict[str, str], expected: Retention
    ) -> None:
        assert process._retention(chosen(**variables), model(limits=kept)) == expected

    def test_a_runner_has_the_limits_of_the_model(self) -> None:
        slot: Any = SimpleNamespace(is_own_user=True)
        for batch, small in ((0, 16384), (5, 4 * 1024**2)):
            limits = Limits(memory_mib=1, output_bytes=2, batch_records=batch)
            client = process.runner_of(slot, limits, Path("/f"), Path("/h"))
            assert (client.folder, client._place) == ("/f", {"folder": "/f", "hidden": "/h", "is_own_user": True})
            assert client._limits == f'"memory_mib": 1, "output_bytes": 2, "small_bytes": {small}'

    def test_a_programs_user_is_told_at_the_start(self) -> None:
        family: Any = SimpleNamespace(number=1)
        given = chosen(MODEL_PROGRAM_USER="30:40", MODEL_WORKERS="2")
        for own, told in ((True, "user 31"), (False, "the server's own user")):
            slots: Any = [SimpleNamespace(is_own_user=own)]
            assert process._whose(slots, given, family) == told

    @pytest.mark.parametrize("mapping", ["", "m.json"])
    def test_a_proof_takes_the_sample_of_the_image(
        self, mapping: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        given = model(proof={"input": "i", "expected": "e", "mapping": mapping})
        converters: Any = "converters"
        assert process._self_proof(chosen(), given, 5.0, converters) is None
        assert caplog.messages == []
        wanted = chosen(MODEL_SELF_PROOF="true")
        assert process._self_proof(wanted, model(), 5.0, converters) is None
        assert caplog.messages == ["this image carries no sample: jobs are taken without a proof"]
        made: list[Any] = []
        monkeypatch.setattr(process, "SelfProof", lambda *words: made.append(words) or "proof")
        assert process._self_proof(wanted, given, 5.0, converters) == "proof"
        ((proof, folder, make, timeout),) = made
        assert (proof, folder, timeout) == (given.proof, Path("/w"), 5.0)
        assert make.func is process.data_of_jobs.of_sample
        assert make.keywords == {
            "mapping": Path("/w/m.json") if mapping else None,
            "manifest": given,
            "converters": "converters",
        }

    def test_the_http_server_says_nothing_of_its_own(self) -> None:
        connections: Any = lambda: None  # noqa: E731
        app: Any = lambda: None  # noqa: E731
        config = process._http(app, connections)
        assert (config.app, config.http) == (app, connections)
        plain = uvicorn.Config(app, http=connections, ws="none", log_config=None, lifespan="off")
        differ = {name: value for name, value in vars(config).items() if value != getattr(plain, name)}
        assert differ == {
            **{"proxy_headers": False, "access_log": False, "server_header": False},
            **{"timeout_keep_alive": 65, "timeout_graceful_shutdown": 3},
        }

    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize("is_proved", [True, False])
    def test_a_process_tells_its_parent_once_the_next_may_begin(
        self, count: int, is_proved: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Any] = []
        monkeypatch.setattr(process, "create_app", lambda services, path: (services, path))
        monkeypatch.setattr(process, "Connections", lambda: "connections")
        monkeypatch.setattr(process, "_http", lambda app, connections: ("config", app, connections))
        server = SimpleNamespace(stop_at_once="stops", on_stop="", on_start="")
        monkeypatch.setattr(process, "Server", lambda *words: made.append(words) or server)
        proof: Any = SimpleNamespace(on_failure="", on_success="") if is_proved else None
        services: Any = SimpleNamespace(siblings=SimpleNamespace(count=count))
        given = chosen(MODEL_DRAIN_SECONDS="9", ROOT_PATH="/p")
        assert process._server(services, "workers", "heartbeat", given, proof) is server  # type: ignore[arg-type, comparison-overlap]
        config = ("config", (services, "/p"), "connections")
        assert made == [(config, "connections", "workers", "heartbeat", 9.0)]
        stop: Callable[[], None] | str = processes.stop_all if count > 1 else ""
        ready: Callable[[], None] | str = processes.tell_ready if count > 1 else ""
        assert server.on_stop == stop
        assert server.on_start == ("" if is_proved else ready)
        if is_proved:
            assert (proof.on_failure, proof.on_success) == ("stops", ready)
