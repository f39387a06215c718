"""The data directory: what makes it unusable, who owns its files, and on which file system it lies."""

import errno
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from model_server import volume
from model_server.errors import VolumeError
from model_server.volume import Volume


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


HINT = "mount a volume that this user may write to, or name another directory by GAI_VOLUME_PATH"


def test_a_claim_makes_all_places(tmp_path: Path) -> None:
    root = tmp_path / "a/b"
    claimed = volume.claim(root, "iris", None)
    assert (claimed, claimed.database) == (Volume(root), root / "jobs.sqlite3")
    assert (claimed.inputs, claimed.results, claimed.instances) == (
        root / "inputs",
        root / "results",
        root / "instances",
    )
    marker = root / "model-volume.json"
    assert json.loads(marker.read_text(encoding="utf-8")) == {"model": "iris", "layout": 1}
    assert names(root) == ["inputs", "instances", "model-volume.json", "results"]


def test_a_place_that_cannot_be_made_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / "file/data"
    with pytest.raises(VolumeError) as caught:
        volume.claim(root, "iris", None)
    assert str(caught.value) == (
        f"the data directory {root} cannot be used by user {os.geteuid()}: Not a directory; {HINT}"
    )
    with pytest.raises(VolumeError) as caught:
        volume.prepare(root)
    assert str(caught.value) == f"cannot make the data directory {root}: Not a directory"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "the marker file {0}/model-volume.json is damaged; restore it, or mount another volume"),
        ("[]", "the marker file {0}/model-volume.json is damaged; restore it, or mount another volume"),
        ('{"model": "iris"}', "the marker file {0}/model-volume.json is damaged; restore it, or mount another volume"),
        ('{"layout": 1}', "the marker file {0}/model-volume.json is damaged; restore it, or mount another volume"),
        (
            '{"model": "wine", "layout": 1}',
            "the data volume {0} belongs to the model 'wine', this image is 'iris'; "
            "nothing was changed; every model needs a volume of its own",
        ),
        ('{"model": "iris", "layout": 2}', "the data volume {0} has layout 2, this server reads 1; use a newer image"),
    ],
)
def test_the_marker_of_another_is_told(tmp_path: Path, text: str, told: str) -> None:
    marker = tmp_path / "model-volume.json"
    marker.write_text(text, encoding="utf-8")
    with pytest.raises(VolumeError) as caught:
        volume.claim(tmp_path, "iris", None)
    assert str(caught.value) == told.format(tmp_path)
    assert (names(tmp_path), marker.read_text(encoding="utf-8")) == ([marker.name], text)


@pytest.mark.parametrize("faster", ["iris", "wine"])
def test_a_server_that_was_faster_keeps_its_mark(tmp_path: Path, faster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def be_slow(source: str, target: Path) -> None:
        assert stat.S_IMODE(Path(source).stat().st_mode) == 0o644
        target.write_text(json.dumps({"model": faster, "layout": 1}), encoding="utf-8")
        link(source, target)

    monkeypatch.setattr(os, "link", be_slow)
    if faster == "iris":
        volume.claim(tmp_path, "iris", None)
    else:
        with pytest.raises(VolumeError, match="belongs to the model 'wine'"):
            volume.claim(tmp_path, "iris", None)
    assert not list(tmp_path.glob("tmp*"))


def test_what_another_user_left_is_given_to_the_owner_once_the_mark_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int, int, bool]] = []

    def chown(path: Path, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        given.append((str(Path(path).relative_to(tmp_path)), uid, gid, follow_symlinks))

    monkeypatch.setattr(os, "chown", chown)
    volume.claim(tmp_path, "iris", (os.getuid(), os.getgid()))
    assert given == []
    (tmp_path / "inputs/x").touch()
    owner = (os.getuid() + 1, os.getgid())
    volume.claim(tmp_path, "iris", owner)
    assert given[-2:] == [(".", *owner, True), ("model-volume.json", *owner, True)]
    assert sorted(given[:-2]) == [(name, *owner, False) for name in ("inputs", "inputs/x", "instances", "results")]
    given.clear()
    volume.claim(tmp_path, "iris", (os.getuid(), os.getgid() + 1))
    assert len(given) == 6


@pytest.mark.parametrize(("number", "expected"), [(errno.EROFS, True), (errno.EACCES, False), (None, False)])
def test_a_place_is_read_only_where_the_file_system_says_so(
    tmp_path: Path, number: int | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.TemporaryFile
    places: list[Path] = []

    def fail(*, dir: Path) -> Any:  # noqa: A002 - so it is named
        places.append(dir)
        if number is not None:
            raise OSError(number, "no")
        return make(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    root = tmp_path / "new/data"
    for _ in range(2):
        assert volume.is_read_only(root) is expected
    assert places == [root, root]


def test_a_check_names_the_place_that_fails(tmp_path: Path) -> None:
    claimed = volume.claim(tmp_path, "iris", None)
    for name in ("jobs.sqlite3", "jobs.sqlite3-wal"):
        (tmp_path / name).write_bytes(b"kept")
    volume.check(claimed)
    assert (tmp_path / "jobs.sqlite3-wal").read_bytes() == b"kept"
    (tmp_path / "jobs.sqlite3-shm").mkdir()

    def refusal() -> str:
        with pytest.raises(VolumeError) as caught:
            volume.check(claimed)
        return str(caught.value)

    told = f"the data directory {tmp_path}/{{}} cannot be used by user {os.geteuid()}: {{}}; {HINT}"
    assert refusal() == told.format("jobs.sqlite3-shm", "Is a directory")
    claimed.instances.rmdir()
    assert refusal() == told.format("instances", "No such file or directory")


@pytest.mark.parametrize(
    ("text", "owned"),
    [('{"model": "iris"}', True), ('{"model": "wine"}', False), ("{}", False), ("[]", False), ("{", False)],
)
def test_a_volume_is_owned_by_the_model_of_its_mark(tmp_path: Path, text: str, owned: bool) -> None:
    assert volume.is_owned(tmp_path, "iris") is False
    (tmp_path / "model-volume.json").write_text(text, encoding="utf-8")
    assert volume.is_owned(tmp_path, "iris") is owned


NETWORK = [
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "ocfs2", "gfs2", "virtiofs"),
    *("fuse", "fuse.sshfs", "fuseblk"),
]


@pytest.mark.parametrize("kind", [*NETWORK, "ext4", "overlay", "xfs", "tmpfs"])
def test_a_file_system_of_the_network_is_known_by_its_kind(kind: str, tmp_path: Path) -> None:
    table = f"1 1 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / {tmp_path} rw shared:1 master:2 - {kind} server rw\n"
    assert volume.is_on_network(tmp_path / "x", table) is (kind in NETWORK)
    assert volume.is_on_network(tmp_path.parent, table) is False


def test_the_mount_that_is_last_and_deepest_counts(tmp_path: Path) -> None:
    lines = [f"1 1 0:1 / {tmp_path} rw - {kind} x rw" for kind in ("ext4", "nfs")]
    assert volume.is_on_network(tmp_path, "\n".join(lines)) is True
    assert volume.is_on_network(tmp_path, "\n".join(reversed(lines))) is False
    assert volume.is_on_network(tmp_path, "\n".join([*lines, "1 1 0:1 / / rw - ext4 x rw"])) is True
    assert volume.is_on_network(tmp_path, "") is False


def test_a_line_that_is_no_mount_is_passed_over(tmp_path: Path) -> None:
    good = f"1 1 0:1 / {tmp_path} - nfs"
    assert volume.is_on_network(tmp_path, good)
    assert not volume.is_on_network(tmp_path, f"1 1 0:1 {tmp_path} - nfs\n1 1 0:1 / {tmp_path} rw")
    assert volume.is_mounted(tmp_path / "x/..", good)
    assert not volume.is_mounted(tmp_path, "")
    (tmp_path / "a b").mkdir()
    assert volume.is_mounted(tmp_path / "a b", f"1 1 0:1 / {tmp_path}/a\\040b rw - nfs x rw")


def test_what_may_not_or_no_longer_be_closed_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed = volume.claim(tmp_path, "iris", None)
    claimed.database.touch(0o644)
    for folder in (claimed.inputs, claimed.results):
        folder.chmod(0o755)
    chmod = Path.chmod
    asked: list[str] = []

    def refuse(path: Path, mode: int) -> None:
        asked.append(path.name)
        if path == claimed.inputs:
            raise PermissionError
        if path == claimed.results:
            raise FileNotFoundError
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", refuse)
    volume.claim(tmp_path, "iris", None)
    assert asked == ["inputs", "results", "jobs.sqlite3"]
    assert stat.S_IMODE(claimed.database.stat().st_mode) == 0o600
