"""EFS in the sandbox: directories of file systems, who reaches them, and how a folder is removed."""

import io
import json
import os
import runpy
import stat
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from docker.errors import DockerException

from model_sandbox import beneath, erase, files
from model_sandbox.api import ApiError
from model_sandbox.files import Directory, FileSystems, MountError, check_mount
from model_sandbox.network import AwsVpc

FAILED = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr:"
UNRESOLVED = (
    f'{FAILED} Failed to resolve "fs-1.efs" - check that your file system ID is correct, and ensure that the VPC has '
    "an EFS mount target for this file system ID in this availability zone."
)
PLACE = AwsVpc(("subnet-a", "subnet-b"), ("sg-task",), public_address=False)


class Network:
    """Zones by subnet, and what is open. `asked`: the questions."""

    def __init__(self) -> None:
        self.admits = True
        self.open = False
        self.asked: list[tuple[Any, ...]] = []

    @staticmethod
    def zone_of(subnet: str) -> str:
        return f"zone-{subnet[-1]}"

    def admits_group(self, *asked: Any) -> bool:
        self.asked.append(("group", *asked))
        return self.admits

    def is_open(self, *asked: Any) -> bool:
        self.asked.append(("open", *asked))
        return self.open


class Systems:
    """One account's file systems; ministack's part is a stand-in."""

    def __init__(self, root: Path) -> None:
        self.now = 1000.0
        self.status = 200
        self.efs: Any = SimpleNamespace(
            _file_systems={},
            _access_points={},
            _mount_targets={},
            _create_file_system=lambda body: (self.status, {}, b"created"),
            _delete_file_system=lambda identity: (self.status, {}, identity.encode()),
            _create_mount_target=lambda body: (self.status, {}, json.dumps(body).encode()),
            _fs_response=lambda system: {"shown": system["FileSystemId"], "SizeInBytes": "theirs"},
        )
        self.network = Network()
        self.ours = FileSystems(SimpleNamespace(efs=self.efs), self.network, root)  # type: ignore[arg-type]
        self.ours.install()

    def target(self, identity: str, zone: str, system: str = "fs-1") -> None:
        self.efs._mount_targets[identity] = {
            **{"MountTargetId": identity, "FileSystemId": system, "AvailabilityZoneName": zone},
            **{"SubnetId": f"subnet-of-{identity}", "SecurityGroups": ["sg-1", "sg-2"]},
        }

    def mount(self, place: AwsVpc | None = None, **configuration: Any) -> Directory:
        return self.ours.directory({"fileSystemId": "fs-1", **configuration}, place)

    def refused(self, place: AwsVpc | None = None, **configuration: Any) -> str:
        with pytest.raises(MountError) as caught:
            self.mount(place, **configuration)
        return str(caught.value)


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systems:
    made = Systems(tmp_path / "files")
    made.efs._file_systems["fs-1"] = {"FileSystemId": "fs-1", "CreationToken": "t"}
    monkeypatch.setattr(files, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


# ---- file systems


def test_a_token_makes_one_file_system(systems: Systems) -> None:
    status, headers, body = systems.efs._create_file_system({"CreationToken": "t"})
    assert (status, headers) == (
        409,
        {"Content-Type": "application/json", "x-amzn-errortype": "FileSystemAlreadyExists"},
    )
    assert json.loads(body) == {
        "ErrorCode": "FileSystemAlreadyExists",
        "Message": "File system 'fs-1' already exists with this creation token",
        "FileSystemId": "fs-1",
    }
    for other in ({"CreationToken": "u"}, {}):
        assert systems.efs._create_file_system(other) == (200, {}, b"created")


def test_the_size_is_that_of_all_its_files(systems: Systems, tmp_path: Path) -> None:
    system = {"FileSystemId": "fs-1", "SizeInBytes": {"Value": 6144, "Other": 1}}
    shown = {"shown": "fs-1", "SizeInBytes": {"Value": 0, "ValueInStandard": 0, "Other": 1}}
    assert systems.efs._fs_response(system) == shown
    inner = tmp_path / "files" / "fs-1" / "in"
    inner.mkdir(parents=True)
    (inner.parent / "one").write_bytes(b"1")
    (inner / "two").write_bytes(b"22")
    (inner / "link").symlink_to("four")
    shown["SizeInBytes"] = {"Value": 7, "ValueInStandard": 7, "Other": 1}
    assert systems.efs._fs_response(system) == shown


def test_data_goes_with_its_file_system_alone(systems: Systems, tmp_path: Path) -> None:
    for name in ("fs-1", "fs-2"):
        (tmp_path / "files" / name).mkdir(parents=True)
    systems.status = 300
    assert systems.efs._delete_file_system("fs-1") == (300, {}, b"fs-1")
    assert (tmp_path / "files" / "fs-1").exists()
    systems.status = 299
    for _ in range(2):
        assert systems.efs._delete_file_system("fs-1") == (299, {}, b"fs-1")
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["fs-2"]


# ---- mounting


def test_a_directory_is_made_beneath_its_file_system(systems: Systems, tmp_path: Path) -> None:
    root = tmp_path / "files" / "fs-1"
    for asked, inner in (({}, ""), ({"rootDirectory": ""}, ""), ({"rootDirectory": "/models/a"}, "models/a")):
        assert systems.mount(**asked) == Directory(root, inner)
        assert (root / inner).is_dir()
    assert systems.refused(fileSystemId="fs-2") == UNRESOLVED.replace("fs-1", "fs-2")
    (root / "file").touch()
    why = "mount.nfs4: mounting 127.0.0.1:/file/x failed, reason given by server: Not a directory"
    assert systems.refused(rootDirectory="/file/x") == f"{FAILED} {why}"


def point(identity: str, **more: Any) -> dict[str, Any]:
    return {"authorizationConfig": {"accessPointId": identity}, **more}


def test_an_access_point_leads_to_its_own_directory(systems: Systems, tmp_path: Path) -> None:
    owner = {"OwnerUid": str(os.geteuid()), "OwnerGid": str(os.getegid()), "Permissions": "0750"}
    points = systems.efs._access_points
    points["made"] = {"FileSystemId": "fs-1", "RootDirectory": {"Path": "/a/b", "CreationInfo": owner}}
    points["plain"] = {"FileSystemId": "fs-1", "RootDirectory": {"Path": "/"}}
    points["other"] = {"FileSystemId": "fs-2", "RootDirectory": {"Path": "/"}}
    root = tmp_path / "files" / "fs-1"
    assert systems.mount(**point("made", rootDirectory="/ignored")) == Directory(root, "a/b")
    assert [stat.S_IMODE((root / path).stat().st_mode) for path in ("a", "a/b")] == [0o755, 0o750]
    assert systems.mount(**point("plain")) == Directory(root, "")
    for identity in ("other", "none"):
        why = f"mount.nfs4: access denied by server while mounting 127.0.0.1:/ ({identity})"
        assert systems.refused(**point(identity)) == f"{FAILED} {why}"
    assert systems.mount(authorizationConfig=None) == Directory(root, "")


def test_a_directory_gets_its_owner_where_that_may_be_given(
    systems: Systems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def fchown(directory: int, *owner: int) -> None:
        given.append((Path(f"/proc/self/fd/{directory}").readlink().name, *owner))
        raise PermissionError

    monkeypatch.setattr(os, "fchown", fchown)
    owner = {"OwnerUid": "1000", "OwnerGid": "1001", "Permissions": "0700"}
    systems.efs._access_points["p"] = {
        "FileSystemId": "fs-1",
        "RootDirectory": {"Path": "/a/b", "CreationInfo": owner},
    }
    assert systems.mount(**point("p")) == systems.mount(**point("p"))
    assert given == [("b", 1000, 1001)]


def test_a_task_reaches_the_target_in_its_own_zone(systems: Systems) -> None:
    systems.target("far", "zone-b")
    systems.target("others", "zone-a", "fs-2")
    assert systems.refused(PLACE) == UNRESOLVED
    systems.target("near", "zone-a")
    target = AwsVpc(("subnet-of-near",), ("sg-1", "sg-2"), public_address=False)
    assert systems.mount(PLACE).inner == ""
    assert systems.network.asked == [("group", target, 2049, {"sg-task"})]
    systems.network.admits = False
    assert systems.refused(PLACE) == f"{FAILED} mount.nfs4: Connection timed out"
    assert systems.network.asked[1:] == [("group", target, 2049, {"sg-task"}), ("open", target, 2049)]
    systems.network.open = True
    assert systems.mount(PLACE).inner == ""


def test_the_name_of_a_new_target_resolves_three_seconds_later(systems: Systems) -> None:
    systems.target("near", "zone-a")
    assert systems.efs._create_mount_target({"MountTargetId": "near"})[0] == 200
    for now, resolves in ((1000.0, False), (1002.9, False), (1003.0, True)):
        systems.now = now
        assert (systems.mount(PLACE).inner == "") if resolves else (systems.refused(PLACE) == UNRESOLVED)
    systems.status = 300
    assert systems.efs._create_mount_target({"MountTargetId": "near"})[0] == 300
    assert systems.mount(PLACE).inner == "", "it was made before"
    systems.status = 299
    systems.efs._create_mount_target({"MountTargetId": "near"})
    assert systems.refused(PLACE) == UNRESOLVED


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ({}, ""),
        (None, ""),
        ({"authorizationConfig": {}}, ""),
        ({"authorizationConfig": None, "rootDirectory": "/a"}, ""),
        (point("p", transitEncryption="ENABLED"), ""),
        (point("p", transitEncryption="ENABLED", rootDirectory="/"), ""),
        (point("p"), "Transit encryption must be enabled when an EFS access point is used."),
        (
            point("p", transitEncryption="DISABLED", rootDirectory="/a"),
            "Transit encryption must be enabled when an EFS access point is used.",
        ),
        (
            point("p", transitEncryption="ENABLED", rootDirectory="/a"),
            "The root directory must be / when an EFS access point is used.",
        ),
    ],
)
def test_volumes_are_checked_as_aws_does(configuration: Any, why: str) -> None:
    request = {"volumes": [{"name": "other"}, {"efsVolumeConfiguration": configuration}]}
    if not why:
        check_mount(request)
        check_mount({"volumes": None})
        return
    with pytest.raises(ApiError) as refused:
        check_mount(request)
    assert (refused.value.code, str(refused.value)) == ("ClientException", why)


def test_what_is_being_made_by_another_task_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, settled = os.mkdir, []

    def late(name: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(name, mode, dir_fd=dir_fd)
        if dir_fd is not None:
            raise FileExistsError

    monkeypatch.setattr(os, "mkdir", late)
    assert beneath.directory(tmp_path / "root", "a/b", settled.append) == "a/b"
    assert (tmp_path / "root" / "a" / "b").is_dir()
    assert settled == []


def test_no_directory_stays_open(tmp_path: Path) -> None:
    def opened() -> list[Path]:
        links = []
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # that of this look
                links.append(link.readlink())
        return [place for place in links if tmp_path in place.parents]

    beneath.directory(tmp_path / "root", "a/b/c")
    (tmp_path / "root" / "file").touch()
    with pytest.raises(beneath.OutsideError, match=r"^a/\.\./b$"):
        beneath.directory(tmp_path / "root", "a/../b")
    with pytest.raises(beneath.OutsideError, match=r"^file/x$"):
        beneath.directory(tmp_path / "root", "file/x")
    assert opened() == []


# ---- removal


class Engine:
    """Docker Engine's part of a removal, noted. `removes`: whether its container does its work."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.removes, self.fails = folder, True, False
        self.calls: list[tuple[Any, ...]] = []
        self.mounts: list[dict[str, Any]] = []
        self.api = SimpleNamespace(
            import_image_from_data=self._import, remove_image=lambda image: self.calls.append(("remove image", image))
        )
        self.containers = SimpleNamespace(run=self._run)

    def from_env(self, timeout: int) -> "Engine":
        self.calls.append(("connect", timeout))
        return self

    def close(self) -> None:
        self.calls.append(("close",))

    def _import(self, content: bytes) -> bytes:
        self.calls.append(("import", content))
        return b'{"status": "loading"}\n{"status": "sha256:1"}'

    def _run(self, image: str, command: list[str], **options: Any) -> None:
        self.mounts = options.pop("mounts")
        self.calls.append(("run", image, command, options))
        if self.fails:
            raise DockerException
        if self.removes:
            self.folder.rmdir()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    folder = tmp_path / "with" / "folder"
    folder.mkdir(parents=True)
    made = Engine(folder)

    def not_ours(path: Path) -> None:
        raise PermissionError(1, "not yours", str(path / "in"))

    monkeypatch.setattr("shutil.rmtree", not_ours)
    monkeypatch.setattr(docker, "from_env", made.from_env)
    yield made
    monkeypatch.undo()


def test_what_is_ours_needs_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "from_env", lambda **_: pytest.fail("the engine was asked"))
    (tmp_path / "folder" / "in").mkdir(parents=True)
    erase.erase(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        erase.erase(tmp_path / "folder")


def test_what_containers_wrote_is_removed_by_one_without_network_or_other_rights(engine: Engine) -> None:
    erase.erase(engine.folder)
    assert not engine.folder.exists()
    (connect, (word, archive), run, *ends) = engine.calls
    assert (connect, word) == (("connect", 60), "import")
    assert run == (
        *("run", "sha256:1", ["rm", "-rf", "--", "/erase/folder"]),
        {
            **{"environment": {"PATH": "/usr/bin:/bin"}, "user": "0:0", "network_mode": "none", "read_only": True},
            **{"cap_drop": ["ALL"], "cap_add": ["DAC_OVERRIDE", "FOWNER"], "security_opt": ["no-new-privileges"]},
            "remove": True,
        },
    )
    assert ends == [("remove image", "sha256:1"), ("close",)]
    programs = [path for path in ("/bin", "/lib", "/lib64", "/usr") if Path(path).exists()]
    shared = [{"Target": path, "Source": path, "Type": "bind", "ReadOnly": True} for path in programs]
    whole = {"Target": "/erase", "Source": str(engine.folder.parent.resolve()), "Type": "bind", "ReadOnly": False}
    assert engine.mounts == [*shared, whole]
    assert folders(archive) == dict.fromkeys(("erase", "bin", "lib", "lib64", "usr"), 493)


def folders(archive: bytes) -> dict[str, int]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert all(entry.isdir() for entry in opened)
        return {entry.name: entry.mode for entry in opened}


def test_where_no_engine_can_the_reason_is_that_of_the_folder(engine: Engine) -> None:
    engine.removes = False
    with pytest.raises(PermissionError) as refused:
        erase.erase(engine.folder)
    assert refused.value.filename == str(engine.folder / "in")
    engine.fails = True
    with pytest.raises(PermissionError):
        erase.erase(engine.folder)
    assert engine.calls[-2:] == [("remove image", "sha256:1"), ("close",)]


def test_the_program_says_what_nobody_could_remove(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["erase.py", str(engine.folder)])
    runpy.run_path(erase.__file__, run_name="__main__")
    assert not engine.folder.exists()
    engine.folder.mkdir()
    engine.removes = False
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(erase.__file__, run_name="__main__")
    place = engine.folder / "in"
    assert ended.value.code == f"{place} is not yours to remove, and Docker Engine could not remove it either."


@pytest.mark.parametrize("path", ["/out", "/out/etc", "/in/up/x", "/file", "/dangling", "/../outside"])
def test_neither_a_link_nor_a_file_leads_to_a_directory(systems: Systems, tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "files" / "fs-1", tmp_path / "outside"
    (root / "in").mkdir(parents=True)
    (outside / "etc").mkdir(parents=True)
    (root / "file").touch()
    for link, target in {"out": str(outside), "in/up": "..", "dangling": "no"}.items():
        (root / link).symlink_to(target)
    before = sorted(tmp_path.rglob("*"))
    why = f"mount.nfs4: mounting 127.0.0.1:{path} failed, reason given by server: Not a directory"
    assert systems.refused(rootDirectory=path) == f"{FAILED} {why}"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_system_is_no_link(systems: Systems, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "fs-1").symlink_to(tmp_path)
    assert "Not a directory" in systems.refused()


def test_directories_are_for_all_who_mount_them_whatever_the_mask(tmp_path: Path) -> None:
    settled: list[str] = []

    def settle(place: int) -> None:
        settled.append(str(Path(f"/proc/self/fd/{place}").readlink()))

    mask = os.umask(0o077)
    try:
        for path in ("//a/./b/", "/a/b", "/a/c"):
            beneath.directory(tmp_path / "over" / "root", path, settle)
    finally:
        os.umask(mask)
    root = tmp_path / "over" / "root"
    assert [stat.S_IMODE((root / path).stat().st_mode) for path in ("", "a", "a/b", "a/c")] == [0o755] * 4
    assert settled == [str(root / "a" / "b"), str(root / "a" / "c")]
