"""The sandbox asks Docker Engine call by call, understands each answer, and leaves nothing of what fails or ends."""

import io
import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from model_sandbox import engine as engines
from model_sandbox.container_spec import ContainerSpec, Health, Mount
from model_sandbox.engine import ContainerState, Engine, PullError, StartError
from model_sandbox.tokens import Scope

SCOPE = Scope("123456789012", "us-east-1")
LABEL = "model-dockerize.sandbox"
SPEC = ContainerSpec("iris", "name", labels={"a": "b"})


class FakeApi(docker.APIClient):
    """A fake of docker's calls, which notes them. Whatever only makes a configuration is docker's own."""

    def __init__(self, version: str) -> None:
        super().__init__(version=version)
        self.asked: list[Any] = []
        self.answers: dict[str, Any] = {}

    def _answer(self, name: str, *given: Any) -> Any:
        self.asked.append((name, *given))
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def inspect_network(self, name: str) -> Any:  # type: ignore[override]
        return self._answer("inspect_network", name)

    def create_container_from_config(self, config: Any, name: Any = None) -> Any:  # type: ignore[override]
        return self._answer("create", config, name)

    def create_volume(self, *given: Any) -> Any:  # type: ignore[override]
        return self._answer("create_volume", *given)

    def put_archive(self, *given: Any) -> Any:  # type: ignore[override]
        return self._answer("put_archive", *given)

    def start(self, *given: Any) -> Any:  # type: ignore[override]
        return self._answer("start", *given)

    def stop(self, container: str, timeout: Any = None) -> Any:  # type: ignore[override]
        return self._answer("stop", container, timeout)

    def remove_container(self, container: str, v: bool = False, force: bool = False) -> Any:  # type: ignore[override]
        return self._answer("remove", container, v, force)

    def inspect_container(self, container: str) -> Any:  # type: ignore[override]
        return self._answer("inspect", container)

    def logs(self, container: str, **how: Any) -> Any:  # type: ignore[override]
        return self._answer("logs", container, how)

    def get_archive(self, *given: Any) -> Any:  # type: ignore[override]
        return self._answer("get_archive", *given)


class FakeDocker:
    """A fake of docker's client. `there`: images that need no pull."""

    def __init__(self, version: str = "1.45") -> None:
        self.api = FakeApi(version)
        self.api.answers["create"] = {"Id": "0123456789abcdef"}
        self.asked: list[Any] = []
        self.there: dict[str, dict[str, Any]] = {}
        self.pulled: Any = {}
        self.listed: list[str] = []
        self.volumes_there: list[Any] = []
        self.images = SimpleNamespace(get=self._get, pull=self._pull)
        self.containers = SimpleNamespace(list=self._list)
        self.volumes = SimpleNamespace(list=lambda **which: self._note("volumes", which) or self.volumes_there)

    def _note(self, *what: Any) -> None:
        self.asked.append(what)

    def ping(self) -> None:
        self._note("ping")

    def _get(self, image: str) -> Any:
        if image not in self.there:
            raise ImageNotFound("none")
        return SimpleNamespace(attrs=self.there[image])

    def _pull(self, image: str, auth_config: Any) -> Any:
        self._note("pull", image, auth_config)
        if isinstance(self.pulled, Exception):
            raise self.pulled
        return SimpleNamespace(attrs=self.pulled)

    def _list(self, **which: Any) -> Any:
        self._note("containers", which)
        return [SimpleNamespace(id=name) for name in self.listed]


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, version: str = "1.45") -> None:
        self.client = FakeDocker(version)
        self.settings: list[Any] = []

        def from_env(**settings: Any) -> FakeDocker:
            self.settings.append(settings)
            return self.client

        monkeypatch.setattr(docker, "from_env", from_env)
        self.engine = Engine("0123456789ab", "127.0.0.1:5000", lambda scope: f"of {scope.account}")
        self.api = self.client.api
        self.answers = self.api.answers


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_an_engine_is_asked_for_at_the_start(rig: Rig) -> None:
    assert (rig.client.asked, rig.settings) == ([("ping",)], [{"timeout": 120, "max_pool_size": 64}])


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        ({"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}, {}]}}, "172.17.0.1"),
        ({"IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}, ""),
        ({"IPAM": {"Config": []}}, ""),
        ({}, ""),
        (DockerException("gone"), ""),
        (OSError("gone"), ""),
    ],
)
def test_the_address_of_this_computer_for_containers(rig: Rig, answer: Any, address: str) -> None:
    rig.answers["inspect_network"] = answer
    assert rig.engine.gateway() == address
    assert rig.api.asked == [("inspect_network", "bridge")]


# ---- images


def test_an_image_of_the_sandbox_is_always_asked_for_by_its_password(rig: Rig) -> None:
    rig.client.there["127.0.0.1:5000/iris:1"] = {"RepoDigests": ["127.0.0.1:5000/iris@sha256:old"]}
    rig.client.pulled = {"RepoDigests": ["other@sha256:2", "127.0.0.1:5000/iris@sha256:1"]}
    assert rig.engine.pull("127.0.0.1:5000/iris:1", SCOPE) == "sha256:1"
    login = {"username": "AWS", "password": "of 123456789012"}
    assert rig.client.asked[1:] == [("pull", "127.0.0.1:5000/iris:1", login)]


def test_another_image_is_pulled_only_if_it_is_missing(rig: Rig) -> None:
    rig.client.there["alpine:3"] = {"RepoDigests": ["alpine@sha256:3"]}
    assert rig.engine.pull("alpine:3", SCOPE) == "sha256:3"
    assert rig.client.asked[1:] == []
    rig.client.pulled = {"RepoDigests": ["127.0.0.1:5000x/iris@sha256:4"]}
    assert rig.engine.pull("127.0.0.1:5000x/iris", SCOPE) == "sha256:4"
    assert rig.client.asked[1:] == [("pull", "127.0.0.1:5000x/iris", None)]


@pytest.mark.parametrize(
    ("reference", "known", "digest"),
    [
        ("iris@sha256:5", None, "sha256:5"),
        ("iris@sha256:5", ["iris@sha256:6"], "sha256:5"),
        ("iris", ["iris@sha256:6"], "sha256:6"),
        ("localhost:5000/iris", ["localhost:5000/iris@sha256:6"], "sha256:6"),
        ("localhost:5000/iris:7", ["localhost@sha256:1", "localhost:5000/iris@sha256:6"], "sha256:6"),
        ("iris:7", ["other@sha256:6"], ""),
        ("iris:7", None, ""),
    ],
)
def test_the_digest_of_an_image(rig: Rig, reference: str, known: list[str] | None, digest: str) -> None:
    rig.client.there[reference] = {"RepoDigests": known}
    assert rig.engine.pull(reference, SCOPE) == digest


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (APIError("500 Server Error", explanation="manifest unknown"), "manifest unknown"),
        (APIError("500 Server Error"), "500 Server Error"),
        (DockerException("no engine"), "no engine"),
        (OSError("broken pipe"), "broken pipe"),
    ],
)
def test_a_pull_fails_in_dockers_words(rig: Rig, error: Exception, told: str) -> None:
    rig.client.pulled = error
    with pytest.raises(PullError) as caught:
        rig.engine.pull("iris", SCOPE)
    assert str(caught.value) == told


# ---- containers


def test_a_container_is_made_with_its_label_and_started(rig: Rig) -> None:
    assert rig.engine.start(SPEC) == "0123456789abcdef"
    (created, started) = rig.api.asked
    assert created[0] == "create"
    assert created[2] == "name"
    assert created[1]["Labels"] == {"a": "b", LABEL: "0123456789ab"}
    assert created[1]["Image"] == "iris"
    assert started == ("start", "0123456789abcdef")


def test_its_archive_is_laid_into_it_before_the_start(rig: Rig) -> None:
    rig.engine.start(ContainerSpec("iris", "name", archive=b"tar"))
    assert rig.api.asked[1:] == [("put_archive", "0123456789abcdef", "/", b"tar"), ("start", "0123456789abcdef")]


@pytest.mark.parametrize("error", [APIError("500", explanation="no space"), OSError("no space")])
def test_what_cannot_be_made_or_started_leaves_nothing(rig: Rig, error: Exception) -> None:
    for failing, left in (("start", [("remove", "0123456789abcdef", True, True)]), ("create", [])):
        rig.answers[failing] = error
        rig.api.asked.clear()
        with pytest.raises(StartError) as caught:
            rig.engine.start(SPEC)
        assert str(caught.value) == "no space"
        assert [each for each in rig.api.asked if each[0] not in ("create", "start")] == left


def test_a_directory_is_mounted_through_a_volume_where_links_could_lead_out(rig: Rig) -> None:
    mounts = (Mount(Path("/efs/fs-1"), "models/iris", "/models", True), Mount(Path("/efs/fs-1"), "", "/all", False))
    rig.engine.start(ContainerSpec("iris", "name", mounts=mounts))
    volume, created, _ = rig.api.asked
    device = {"type": "none", "o": "bind", "device": "/efs/fs-1"}
    assert volume == ("create_volume", "mdsbx-012345-volume-fs-1", "local", device, {LABEL: "0123456789ab"})
    assert created[1]["HostConfig"]["Mounts"] == [
        {
            **{"Target": "/models", "ReadOnly": True, "Type": "volume", "Source": "mdsbx-012345-volume-fs-1"},
            "VolumeOptions": {"Subpath": "models/iris", "NoCopy": True},
        },
        {"Target": "/all", "ReadOnly": False, "Type": "bind", "Source": "/efs/fs-1"},
    ]


def test_an_older_engine_gets_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "1.44")
    rig.engine.start(ContainerSpec("iris", "name", mounts=(Mount(Path("/efs/fs-1"), "models", "/models", False),)))
    created, _ = rig.api.asked
    assert created[1]["HostConfig"]["Mounts"] == [
        {"Target": "/models", "ReadOnly": False, "Type": "bind", "Source": "/efs/fs-1/models"}
    ]


def test_the_configuration_of_a_container_is_what_its_spec_says(rig: Rig) -> None:
    spec = ContainerSpec(
        image="iris",
        name="name",
        command=("serve", "--all"),
        entry_point=("/bin/sh",),
        environment={"A": "1"},
        ports=(("127.0.0.2", 80), ("127.0.0.2", 8080)),
        health=Health(("CMD", "true"), interval=10, timeout=2, retries=4, start_period=0.5),
        memory_mib=512,
        binds=("/here:/there:ro",),
        user="1000",
        working_directory="/w",
        read_only=True,
        confined=True,
    )
    rig.engine.start(spec)
    config = rig.api.asked[0][1]
    host = config.pop("HostConfig")
    assert {key: value for key, value in config.items() if value not in (None, False, [])} == {
        **{"Image": "iris", "Cmd": ["serve", "--all"], "Entrypoint": ["/bin/sh"], "Env": ["A=1"], "User": "1000"},
        **{"WorkingDir": "/w", "Labels": {LABEL: "0123456789ab"}, "ExposedPorts": {"80/tcp": {}, "8080/tcp": {}}},
        "Healthcheck": {
            **{"Test": ["CMD", "true"], "Interval": 10_000_000_000, "Timeout": 2_000_000_000, "Retries": 4},
            **{"StartPeriod": 500_000_000, "StartInterval": 1_000_000_000},
        },
    }
    assert {key: value for key, value in host.items() if value not in (None, [])} == {
        **{"Binds": ["/here:/there:ro"], "ReadonlyRootfs": True, "Memory": 512 * 1024 * 1024, "CapDrop": ["ALL"]},
        **{"SecurityOpt": ["no-new-privileges"], "PidsLimit": 1024, "NetworkMode": host["NetworkMode"]},
        "PortBindings": {
            "80/tcp": [{"HostIp": "127.0.0.2", "HostPort": "80"}],
            "8080/tcp": [{"HostIp": "127.0.0.2", "HostPort": "8080"}],
        },
    }
    assert config["AttachStdout"] is False  # nobody waits for it


def test_a_container_that_joins_another_has_no_ports_and_no_limits_of_its_own(rig: Rig) -> None:
    rig.engine.start(ContainerSpec("iris", "name", join="first", ports=(("127.0.0.2", 80),)))
    config = rig.api.asked[0][1]
    host = config.pop("HostConfig")
    assert (config["Healthcheck"], config.get("ExposedPorts") or {}, config.get("Cmd") or []) == (
        *({"Test": ["NONE"]}, {}),
        *([],),
    )
    assert host.pop("NetworkMode") == "container:first"
    assert {key: value for key, value in host.items() if value not in (None, [], {}, False)} == {}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (
            {
                "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Health": {"Status": "healthy"}},
                "NetworkSettings": {"Networks": {"none": {"IPAddress": ""}, "bridge": {"IPAddress": "172.17.0.9"}}},
            },
            ContainerState(None, False, "healthy", "172.17.0.9"),
        ),
        (
            {
                "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
                "NetworkSettings": {"Networks": {"bridge": {"IPAddress": ""}}},
            },
            ContainerState(137, True, "", ""),
        ),
        (
            {"State": {"Status": "dead", "ExitCode": 2, "Health": {}}, "NetworkSettings": {"Networks": {}}},
            ContainerState(2, False, "", ""),
        ),
        (
            {"State": {"Status": "created", "ExitCode": 0}, "NetworkSettings": {"Networks": {"bridge": {}}}},
            ContainerState(None, False, "", ""),
        ),
        (NotFound("gone"), ContainerState(137, False, "", "")),
        (DockerException("no answer"), None),
        (OSError("no answer"), None),
    ],
)
def test_the_state_of_a_container(rig: Rig, answer: Any, state: ContainerState | None) -> None:
    rig.answers["inspect"] = answer
    assert rig.engine.state("c") == state
    assert rig.api.asked == [("inspect", "c")]


def test_a_stop_has_its_grace_and_a_removal_takes_the_volumes(rig: Rig) -> None:
    for error in (None, DockerException("gone"), OSError("gone")):
        rig.answers.update(stop=error, remove=error)
        rig.engine.stop("c", 30)
        rig.engine.remove("c")
    assert rig.api.asked == [("stop", "c", 30), ("remove", "c", True, True)] * 3


@pytest.mark.parametrize("follow", [True, False])
def test_all_output_is_read(rig: Rig, follow: bool) -> None:
    rig.answers["logs"] = [b"a", b"b"]
    assert list(rig.engine.output("c", follow)) == [b"a", b"b"]
    assert rig.api.asked == [("logs", "c", {"stream": True, "follow": follow, "stdout": True, "stderr": True})]


def test_output_that_breaks_off_ends_there_and_says_so(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise DockerException("reset")

    rig.answers["logs"] = broken()
    with caplog.at_level(logging.WARNING):
        assert list(rig.engine.output("0123456789abcdef", True)) == [b"a"]
    assert [record.getMessage() for record in caplog.records] == [
        "the output of container 0123456789ab ends here: reset"
    ]


def tar(content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo("result")
        entry.size, entry.type = len(content), kind
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def test_a_file_of_a_container_is_read_up_to_a_limit(rig: Rig) -> None:
    for content, limit, read in ((b"12345", 5, b"12345"), (b"12345", 4, b""), (b"", 5, b"")):
        packed = tar(content)
        rig.answers["get_archive"] = (iter([packed[:700], packed[700:]]), {})
        assert rig.engine.read("c", "/result", limit) == read
    assert rig.api.asked[0] == ("get_archive", "c", "/result")


@pytest.mark.parametrize(
    "answer",
    [
        NotFound("none"),
        OSError("gone"),
        (iter([b"no archive"]), {}),
        (iter([tar(b"", tarfile.DIRTYPE)]), {}),
        (iter([b"\0" * 10240]), {}),
    ],
)
def test_a_file_that_is_not_there_is_empty(rig: Rig, answer: Any) -> None:
    rig.answers["get_archive"] = answer
    assert rig.engine.read("c", "/result", 100) == b""


def test_a_file_that_is_much_too_large_is_read_no_further(rig: Rig) -> None:
    read: list[int] = []

    def endless() -> Iterator[bytes]:
        head = tar(b"x" * 1_000_000)[:512]
        yield head
        while True:
            read.append(len(read))
            yield b"x" * 1024

    rig.answers["get_archive"] = (endless(), {})
    assert rig.engine.read("c", "/result", 1024) == b""
    assert len(read) == 65  # what fits into the limit and the overhead of an archive


# ---- the end


def test_at_the_end_all_is_removed_and_nothing_starts_any_more(rig: Rig) -> None:
    removed: list[str] = []

    def volume(name: str, error: Exception | None) -> Any:
        def remove() -> None:
            removed.append(name)
            if error:
                raise error

        return SimpleNamespace(remove=remove)

    rig.client.listed = ["c1", "c2"]
    rig.client.volumes_there = [volume("v1", DockerException("in use")), volume("v2", OSError("x")), volume("v3", None)]
    assert rig.engine.close() == 2
    which = {"label": f"{LABEL}=0123456789ab"}
    assert rig.client.asked[1:] == [
        ("containers", {"all": True, "sparse": True, "filters": which}),
        ("volumes", {"filters": which}),
    ]
    assert sorted(rig.api.asked) == [("remove", "c1", True, True), ("remove", "c2", True, True)]
    assert removed == ["v1", "v2", "v3"]
    rig.api.asked.clear()
    with pytest.raises(StartError, match=r"^the sandbox is stopping$"):
        rig.engine.start(ContainerSpec("iris", "name"))
    # It was made before the engine was found closed, and is gone again.
    assert [each[0] for each in rig.api.asked] == ["create", "remove"]


def test_names_are_no_users_names(rig: Rig) -> None:
    assert rig.engine.container_name("my model/ß", "a.b_c-d", "") == "mdsbx-012345-my-model--a.b_c-d-"


def test_pieces_are_read_up_to_a_limit() -> None:
    assert engines.bounded([b"abc", b"def"], 3) == b"abc"
    assert engines.bounded([b"abc", b"def"], 4) == b"abcd"
    assert engines.bounded([], 4) == b""
