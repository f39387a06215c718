"""A data directory belongs to one model; bad manifests and settings are refused, and the probe knows health."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from model_server import health, listening, manifest, serve, settings, volume
from model_server.__main__ import main
from model_server.errors import ManifestError, StartError, VolumeError
from model_server.health import probe
from model_server.jobs import instance
from tests.rig.waiting import BUSY_SECONDS

from .conftest import manifest_text

LIB = Path(__file__).parents[3] / "lib"


def snapshot(root: Path) -> dict[str, tuple[int, float, bytes]]:
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime, path.read_bytes() if path.is_file() else b"")
        for path in (root, *root.rglob("*"))
    }


def test_a_volume_is_claimed_once_and_known_again(tmp_path: Path) -> None:
    root = tmp_path / "new" / "data"
    assert volume.claim(root, "iris", None) == volume.claim(root, "iris", None)
    assert {path.name for path in root.iterdir()} == {"model-volume.json", "inputs", "results", "instances"}


def test_the_volume_of_another_model_is_refused_by_name_and_untouched(tmp_path: Path) -> None:
    volume.claim(tmp_path, "iris", None)
    before = snapshot(tmp_path)
    with pytest.raises(VolumeError, match=r"belongs to the model 'iris', this image is 'wine'"):
        volume.claim(tmp_path, "wine", None)
    assert snapshot(tmp_path) == before


def test_a_damaged_marker_and_a_newer_layout_are_refused(tmp_path: Path) -> None:
    marker = tmp_path / "model-volume.json"
    marker.write_text("{}", encoding="utf-8")
    with pytest.raises(VolumeError, match="damaged"):
        volume.claim(tmp_path, "iris", None)
    marker.write_text('{"model": "iris", "layout": 1}', encoding="utf-8")
    volume.claim(tmp_path, "iris", None)  # what every volume in use says
    marker.write_text('{"model": "iris", "layout": 2}', encoding="utf-8")
    with pytest.raises(VolumeError, match="layout 2"):
        volume.claim(tmp_path, "iris", None)


def test_a_server_on_a_volume_of_garbage_ends_with_one_line_that_names_the_file(tmp_path: Path) -> None:
    for name in ("jobs.sqlite3", "other"):
        (tmp_path / name).write_bytes(os.urandom(5000))
    command = [sys.executable, "-c", "0", "{input}", "{output}"]
    types = {"input_types": ["text/csv"], "output_types": ["text/csv"]}
    said = {"name": "m", "version": "1", "build_id": "b", "command": command, "working_directory": "/", **types}
    (tmp_path / "model.json").write_text(json.dumps(said), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        **{"MODEL_MANIFEST": str(tmp_path / "model.json"), "GAI_VOLUME_PATH": str(tmp_path)},
        **{"MODEL_SERVER_HOST": "127.0.0.1", "MODEL_SERVER_PORT": str(port)},
        **{"MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}", "PYTHONPATH": str(LIB)},
    }
    done = subprocess.run(
        [sys.executable, "-m", "model_server"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=BUSY_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{tmp_path}/jobs.sqlite3 is damaged, or no database" in done.stderr.splitlines()[-1]


def test_the_image_has_no_folder_in_which_the_data_directory_would_be(tmp_path: Path) -> None:
    root = tmp_path / "var" / "gai_data"
    for _ in range(2):
        volume.prepare(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o1777


def test_a_place_that_cannot_be_a_directory_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VolumeError, match="GAI_VOLUME_PATH"):
        volume.claim(tmp_path / "file", "iris", None)


@pytest.mark.parametrize(
    ("path", "expected"), [("/data/x", True), ("/data local", False), ("/", False), ("/win/x", True), ("/fuse", True)]
)
def test_network_file_systems_are_known_by_the_mount_table(path: str, expected: bool) -> None:
    table = "\n".join(
        f"36 35 98:0 / {mount} rw,noatime master:1 - {kind} /dev/x rw"
        for mount, kind in {
            "/": "overlay",
            "/data": "nfs4",
            "/data\\040local": "ext4",
            "/win": "9p",
            "/fuse": "fuse.s3",
        }.items()
    )
    assert volume.is_on_network(Path(path), table) is expected


def test_a_dead_instance_is_known_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    living = instance.register(tmp_path)
    if (child := os.fork()) == 0:
        instance.register(tmp_path)
        os._exit(0)
    os.waitpid(child, 0)
    (gone,) = instance.find_dead(tmp_path)
    assert gone != living.id
    instance.remover(tmp_path)(gone)
    assert instance.find_dead(tmp_path) == []
    living.unregister(instance.remover(tmp_path))
    assert instance.find_dead(tmp_path) == []


def test_the_manifest_command_writes_what_the_server_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program_folder: Path
) -> None:
    path = tmp_path / "model.json"
    monkeypatch.setenv("MODEL_MANIFEST", str(path))
    monkeypatch.setenv("GAI_VOLUME_PATH", str(tmp_path / "data"))
    monkeypatch.setenv("MODEL_BUILD_ID", "abc")
    document = json.loads(manifest_text(program_folder))
    del document["build_id"], document["limits"]
    assert main(["manifest", json.dumps(document)]) == 0
    model = manifest.read(path)
    assert (model.name, model.build_id, model.limits) == ("upper", "abc", manifest.Limits(3600, 2 * 1024**3))
    assert (tmp_path / "data").stat().st_mode & 0o7777 == 0o1777
    monkeypatch.delenv("MODEL_BUILD_ID")
    assert main(["manifest", json.dumps(document)]) == 0
    assert manifest.read(path).build_id == "local"


def test_a_bad_manifest_is_refused_with_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "name": "",
        "working_directory": "x",
        "command": ["x", "{input}"],
        "output_types": ["text/csv", 1],
        "extra": 1,
        "limits": {"upload_bytes": 0},
    }
    assert main(["manifest", json.dumps(wrong)]) == 1
    text = capsys.readouterr().err
    for part in (
        "'extra'",
        "'version' is missing",
        "'name' must",
        "no {output}",
        "absolute path",
        "'upload_bytes' must be",
        "input_types",
        "'output_types' must be a list of texts",
    ):
        assert part in text
    assert main(["manifest", manifest_text(Path("/x"), schema=[])]) == 1
    assert "'schema' must be an object" in capsys.readouterr().err
    assert main(["manifest", "{nope"]) == 1
    assert "not JSON" in capsys.readouterr().err


def test_a_missing_manifest_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="model-server manifest"):
        manifest.read(tmp_path / "model.json")


def test_wrong_settings_are_all_named() -> None:
    with pytest.raises(StartError) as caught:
        settings.from_environment({"MODEL_SERVER_PORT": "x", "MODEL_WORKERS": "0", "GAI_VOLUME_PATH": "relative"})
    for name in ("MODEL_SERVER_PORT", "MODEL_WORKERS", "GAI_VOLUME_PATH"):
        assert name in str(caught.value)


def test_empty_settings_are_the_defaults() -> None:
    found = settings.from_environment({"MODEL_SERVER_PORT": "", "ROOT_PATH": "/a/b/"})
    assert (found.port, found.root_path, found.user) == (80, "/a/b", (1000, 1000))


@pytest.mark.parametrize(
    ("words", "asked"),
    [(["health"], "probe"), (["health", "--ready"], "probe_ready"), (["health", "--else"], None)],
)
def test_health_asks_for_readiness_only_where_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, words: list[str], asked: str | None
) -> None:
    calls: list[tuple[str, int, str]] = []
    for name in ("probe", "probe_ready"):
        monkeypatch.setattr(health, name, lambda port, host, name=name: calls.append((name, port, host)))
    monkeypatch.setenv("MODEL_SERVER_PORT", "81")
    monkeypatch.setenv("MODEL_SERVER_HOST", "::1")
    assert main(words) == (0 if asked else 2)
    assert calls == ([(asked, 81, "::1")] if asked else [])


def test_the_probe_takes_nothing_else_for_health() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        assert "something else" in str(probe(port))
        thread.join(30)
    assert "does not answer" in str(probe(port))


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "only-one-path"]) == 2
    assert "usage: model-server" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert main(["--nonsense"]) == 2
    assert main(["no-such-program", "x"]) == 127
    assert "no-such-program cannot be run: No such file" in capsys.readouterr().err


def test_any_other_word_is_a_program_of_the_image_and_its_exit_code_is_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model_server", "sh", "-c", 'echo "$0 $1"; exit 7', "in the image's stead", "a b"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, "in the image's stead a b\n")


def as_nobody(function: Callable[[], object]) -> str:
    """Return what goes wrong with `function` for a user who is not root and owns nothing."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = "nothing"
        try:
            if os.getuid() == 0:
                os.setresuid(65534, 65534, 65534)
            function()
        except Exception as error:  # noqa: BLE001 - it is told
            text = str(error)
        finally:
            os.write(writing, text.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as told:
        return told.read()


def test_a_volume_that_this_user_cannot_write_is_refused_by_name(tmp_path: Path) -> None:
    """Take rights away, as after another user's use or with a mount that is read-only."""
    claimed = volume.claim(tmp_path / "data", "iris", None)
    claimed.database.touch()
    volume.check(claimed)
    for folder in (claimed.inputs, claimed.instances):
        folder.chmod(0o777)
    for place in (claimed.database, claimed.results, claimed.root):
        place.chmod(0o500)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    for place in (claimed.root, claimed.results, claimed.database):
        problem = as_nobody(lambda: volume.check(claimed))
        assert f"the data directory {place} cannot be used by user" in problem
        assert "Permission denied; mount a volume that this user may write to" in problem
        place.chmod(0o777)


def test_a_read_only_volume_is_no_reason_to_keep_jobs_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = f"22 1 0:2 / / rw - overlay overlay rw\n23 22 0:3 / {tmp_path} ro - ext4 /dev/x rw\n"
    assert volume.is_mounted(tmp_path, table)
    assert not volume.is_mounted(tmp_path / "below", table)
    monkeypatch.setattr(serve, "DEFAULT_DATA_DIRECTORY", tmp_path)
    monkeypatch.setattr(volume, "is_read_only", lambda _: True)
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(serve, "_MOUNTS", mounts)
    mounts.write_text(table, encoding="utf-8")
    with pytest.raises(StartError, match="is read-only: jobs cannot be kept there; mount it writable"):
        serve._data_directory(settings.from_environment({}))
    mounts.write_text(table.splitlines()[0], encoding="utf-8")
    assert serve._data_directory(settings.from_environment({})) == Path("/tmp/gai_data")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "[::1]", "0.0.0.0", "localhost"])  # noqa: S104
def test_every_address_of_this_host_can_be_bound_and_probed(host: str) -> None:
    (listener,) = listening.bind(host, 0)
    with listener:
        listener.settimeout(5)

        def answer() -> None:
            for _ in range(1 + (host == "::")):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nHealth check is ok")

        thread = threading.Thread(target=answer)
        thread.start()
        assert probe(listener.getsockname()[1], host) is None
        if host == "::":
            assert probe(listener.getsockname()[1], "127.0.0.1") is None
        thread.join(30)


def test_an_address_that_cannot_be_bound_is_said_with_the_remedy() -> None:
    with pytest.raises(StartError, match=r"cannot bind 192\.0\.2\.1:1: .*; name another address by MODEL_SERVER_HOST"):
        listening.bind("192.0.2.1", 1)


def test_what_is_the_servers_is_closed_to_others_also_where_it_was_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for folder in ("inputs", "results", "instances"):
        (data / folder).mkdir(parents=True)
    for name in ("jobs.sqlite3", "license.jwt"):
        (data / name).touch(0o644)
    (data / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").touch(0o644)
    data.chmod(0o1777)
    claimed = volume.claim(data, "m", None)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (data, *data.iterdir(), tmp_path / "target")}
    assert modes == {
        **{"data": 0o711, "instances": 0o711, "inputs": 0o700, "results": 0o700},
        **{"jobs.sqlite3": 0o600, "license.jwt": 0o600, "model-volume.json": 0o644, "link": 0o644, "target": 0o644},
    }
    before = os.umask(0o077)
    try:
        me = instance.register(claimed.instances)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (me.folder, me.uploads, me.work)}
    assert modes == {me.id: 0o711, "uploads": 0o700, "work": 0o3733}
    me.unregister(instance.remover(claimed.instances))
