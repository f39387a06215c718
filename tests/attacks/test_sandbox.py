"""Attacks on the sandbox that need no engine: by another user, a web page, or the guest of a volume."""

import base64
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import SandboxError
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox, lifecycle, record, status
from model_sandbox import beneath
from model_sandbox.admission import RefusedError, check_sender
from model_sandbox.signatures import is_signed_token, token_signature
from tests.rig.listening import listening


@pytest.fixture
def squatter() -> Iterator[int]:
    """Start somebody who answers whatever a sandbox might be asked, and repeats all he was told; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonce = self.path.rpartition("=")[2]
            body = json.dumps({"token": "x", "pid": 1, "nonce": nonce, "proof": record.health_proof("guess", nonce)})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None: ...

    with listening(Handler) as server:
        yield server.server_port


def a_sandbox(port: int, pid: int = 4242, born: int = 1) -> Sandbox:
    host = f"127.0.0.1:{port}"
    return Sandbox(f"http://{host}", "us-east-1", "123456789012", pid, host, "abc", born, "secret")


def leave_record(home: Path, sandbox: Sandbox) -> None:
    (home / record.RECORD_NAME).write_text(json.dumps(asdict(sandbox)))


def test_who_took_over_the_port_is_not_taken_for_the_sandbox(squatter: int, tmp_path: Path) -> None:
    leave_record(tmp_path, a_sandbox(squatter))
    assert status(tmp_path) is None


def test_a_process_that_got_the_pid_is_not_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lifecycle, "_containers", lambda _: ())
    monkeypatch.setattr(lifecycle, "_remove_containers", lambda _: None)
    monkeypatch.setattr(lifecycle, "_remove_images", lambda _: ())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        born = record.born(other.pid)
        assert born > 0
        leave_record(tmp_path, a_sandbox(9, other.pid, born - 1))
        lifecycle.stop(tmp_path, Silent())
        assert other.poll() is None
        leave_record(tmp_path, a_sandbox(9, other.pid, born))
        lifecycle.stop(tmp_path, Silent())
        assert record.born(other.pid) == 0


def test_a_folder_in_which_everybody_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(SandboxError, match="Everybody may write") as caught:
        lifecycle.start(tmp_path, Silent())
    assert "MODEL_DOCKERIZE_HOME" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_made_is_nobody_elses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(SandboxError, match="Docker Engine"):
        lifecycle.start(tmp_path / "home", Silent())
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:4566"},
        {"host": "bucket.127.0.0.1:4566"},
        {"host": "127.0.0.1:4567"},
        {"host": "127.0.0.1:4566, evil.example"},
        {},
        {"host": "127.0.0.1:4566", "origin": "https://evil.example"},
        {"host": "127.0.0.1:4566", "origin": "null"},
        {"host": "127.0.0.1:4566", "origin": "http://127.0.0.1:4566"},
    ],
)
def test_a_foreign_name_and_a_web_page_are_refused(headers: dict[str, str]) -> None:
    check_sender({"host": "127.0.0.1:4566"}, ("127.0.0.1:4566",))
    with pytest.raises(RefusedError):
        check_sender(headers, ("127.0.0.1:4566",))


def test_a_token_that_the_sandbox_has_not_signed_is_refused() -> None:
    said = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZXBvOm8vciJ9"
    assert is_signed_token(f"{said}.{token_signature(said, 'secret')}", "secret")
    forged = [f"{said}.", said, "", ".", "..", f"{said}.c2ln", f"{said}.{token_signature(said, '')}", "é.ü.ö"]
    # Anybody may ask the sandbox to prove itself, with what he likes: none of its answers signs anything.
    for asked in (said, "a.b"):
        proof = bytes.fromhex(record.health_proof("secret", asked))
        signature = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        forged += [f"{asked}.{signature}", f"sandbox-health {asked}.{signature}"]
    assert [token for token in forged if is_signed_token(token, "secret")] == []


# ---- the guest of a file system


@pytest.mark.parametrize(
    "path", ["/out", "/out/etc", "/in/out", "/up", "/..", "/in/../../x", "/file", "/file/x", "/dangling", "/self/self"]
)
def test_a_path_of_a_file_system_does_not_lead_out_of_it(tmp_path: Path, path: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "etc").mkdir(parents=True)
    (root / "in").mkdir(parents=True)
    (root / "file").touch()
    for link, target in {"out": outside, "in/out": "../../outside", "up": "..", "dangling": "no", "self": "."}.items():
        (root / link).symlink_to(target)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(beneath.OutsideError):
        beneath.directory(root, path)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_root_itself_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to("/")
    with pytest.raises(beneath.OutsideError):
        beneath.directory(tmp_path / "root", "/tmp")


def test_directories_are_made_for_all_who_mount_them_whatever_the_mask(tmp_path: Path) -> None:
    settled: list[int] = []
    mask = os.umask(0o077)
    try:
        made = beneath.directory(tmp_path / "root", "//a/./b/", lambda place: settled.append(os.fstat(place).st_ino))
    finally:
        os.umask(mask)
    assert made == "a/b"
    places = (tmp_path / "root" / "a" / "b", tmp_path / "root" / "a", tmp_path / "root")
    assert [stat.S_IMODE(place.stat().st_mode) for place in places] == [0o755] * 3
    assert settled == [places[0].stat().st_ino]
    assert beneath.directory(tmp_path / "root", "/a/b", lambda _: settled.append(0)) == made
    assert len(settled) == 1


def test_a_directory_that_a_container_keeps_to_itself_can_be_mounted_again() -> None:
    """Look as an ordinary user too, who may not read the directories that a container's user owns."""

    def look(root: Path) -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        sys.exit(beneath.directory(root, "/point") != "point")

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        point = Path(folder, "root", "point")
        point.mkdir(parents=True)
        point.chmod(0)
        child = multiprocessing.get_context("fork").Process(target=look, args=(point.parent,))
        child.start()
        child.join()
    assert child.exitcode == 0
