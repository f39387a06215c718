"""The bundle inside real containers: unprivileged, read-only, on an image that has nothing else."""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.rig.docker_command import CA_SECRET, docker
from tests.rig.waiting import eventually

ROOT = Path(__file__).parents[3]
BUNDLE = "localhost/model-dockerize/model-server:test"
PROGRAM = """
import json, os, sys
facts = {"user": os.getuid(), "groups": os.getgroups(), "environment": dict(os.environ), "directory": os.getcwd()}
print(json.dumps(facts))
with open(sys.argv[2], "w") as file:
    json.dump(facts, file)
"""


def manifest(command: list[str], directory: str, **more: str) -> str:
    types = {"input_types": ["text/plain"], "output_types": ["application/json"]}
    document = {"name": "facts", "version": "1", "command": command, "working_directory": directory, **types, **more}
    return json.dumps(["/opt/model-server/model-server", "manifest", json.dumps(document)])


def build(folder: Path, dockerfile: str) -> str:
    image = f"mdsrv-{uuid.uuid4().hex[:8]}"
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    docker("buildx", "build", "--quiet", "--tag", image, str(folder))
    return image


@pytest.fixture(scope="module")
def bundle() -> str:
    options = ["--target=model-server", *CA_SECRET, "--tag", BUNDLE]
    docker("buildx", "build", "--quiet", *options, str(ROOT))
    return BUNDLE


@pytest.fixture(scope="module")
def image(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "main.py").write_text(PROGRAM, encoding="utf-8")
    command = manifest(["python", "main.py", "{input}", "{output}"], "/program")
    name = build(
        folder,
        "FROM python:3.13-slim-trixie\nCOPY main.py /program/\n"
        f"COPY --from={bundle} /opt/model-server /opt/model-server\n"
        f"ENV MODEL_BUILD_ID=b42 LD_LIBRARY_PATH=/usr/local/nothing\nRUN {command}\n"
        'ENTRYPOINT ["/opt/model-server/tini","--","/opt/model-server/model-server"]\n',
    )
    yield name
    docker("image", "rm", "--force", name)


@pytest.fixture(scope="module")
def bare_image(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = manifest(["/opt/model-server/tini", "-h", "{input}", "{output}"], "/")
    name = build(
        tmp_path_factory.mktemp("bare"),
        f"FROM scratch\nCOPY --from={bundle} /opt/model-server /opt/model-server\nRUN {command}\n"
        'ENTRYPOINT ["/opt/model-server/tini","--","/opt/model-server/model-server"]\n',
    )
    yield name
    docker("image", "rm", "--force", name)


class Container:
    def __init__(self, image: str, *options: str) -> None:
        self.name = f"mdsrv-{uuid.uuid4().hex[:8]}"
        self.options = options
        docker("run", "--detach", "--name", self.name, "--publish", "127.0.0.1::80", *options, image)
        self.url = f"http://{docker('port', self.name, '80').splitlines()[0]}"

    def wait(self) -> None:
        eventually(self._is_up, tell=lambda: docker("logs", self.name))

    def _is_up(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/health", timeout=60).ok
        return False

    def job(self) -> str:
        """Send a job; return its id once it is over."""
        answer = requests.post(f"{self.url}/data/add-job", files={"File": b"x"}, timeout=60)
        job_id = answer.json()["data"]["id"]

        def is_over() -> bool:
            body = requests.get(f"{self.url}/data/status/{job_id}", timeout=60).json()
            return bool(body["isError"] or body["data"]["status"] == "Complete")

        eventually(is_over)
        return str(job_id)

    def facts(self) -> dict[str, object]:
        return dict(requests.get(f"{self.url}/data/result/json/{self.job()}", timeout=60).json())

    def __enter__(self) -> "Container":
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "--force", "--volumes", self.name)


def test_server_and_program_are_two_users_and_the_program_sees_nothing_of_the_bundle(image: str) -> None:
    with Container(image) as container:
        facts = container.facts()
        assert (facts["user"], facts["groups"], facts["directory"]) == (20000, [], "/program")
        environment = facts["environment"]
        assert isinstance(environment, dict)
        assert environment["LD_LIBRARY_PATH"] == "/usr/local/nothing"
        assert environment["HOME"].startswith("/tmp/model-home-")
        assert not [name for name in environment if name.startswith(("_PYI", "_MEI", "PYTHONHOME"))]
        assert "/opt/model-server" not in json.dumps(environment)
        status = docker("top", container.name, "-eo", "pid,uid,args")
        servers = [line.split()[1] for line in status.splitlines() if line.endswith("model-server/model-server")]
        assert sorted(servers) == ["0", "0", "1000"]  # the init, the launcher, the server
        assert requests.get(f"{container.url}/health", timeout=60).headers["X-Model-Build-Id"] == "b42"
        docker("exec", container.name, "/opt/model-server/model-server", "health")
        docker("stop", container.name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container.name) == "0"


@pytest.mark.parametrize(
    "options",
    [
        ["--read-only", "--tmpfs=/tmp"],
        ["--read-only", "--tmpfs=/tmp", "--volume=/var/gai_data"],
        ["--user=4321:4321"],
        ["--user=4321:4321", "--volume=/var/gai_data", "--read-only", "--tmpfs=/tmp"],
        ["--cap-drop=ALL", "--user=1000:1000", "--security-opt=no-new-privileges"],
    ],
    ids=" ".join,
)
def test_hardened_containers_serve_too(image: str, options: list[str]) -> None:
    with Container(image, *options) as container:
        named = [int(option[7:11]) for option in options if option.startswith("--user=")]
        assert [container.facts()["user"]] == (named or [20000])


def test_jobs_survive_a_killed_container(image: str) -> None:
    volume = f"mdsrv-{uuid.uuid4().hex[:8]}"
    mount = f"--mount=source={volume},target=/var/gai_data"
    try:
        with Container(image, mount) as first:
            job_id = first.job()
            docker("kill", first.name)
        with Container(image, mount) as second:
            assert requests.get(f"{second.url}/data/status/{job_id}", timeout=60).json()["data"]["status"] == "Complete"
    finally:
        docker("volume", "rm", "--force", volume)


def test_a_full_disk_refuses_with_507_and_keeps_nothing_half(image: str) -> None:
    disk = "--mount=type=tmpfs,target=/var/gai_data,tmpfs-size=3m"
    with Container(image, disk, "--env=MODEL_FREE_BYTES=0") as container:

        def kept(where: str) -> str:
            return docker("exec", container.name, "sh", "-c", f"ls -A /var/gai_data/{where}")

        container.job()
        before = kept("inputs")

        def chunks() -> Iterator[bytes]:
            """Yield a body without a declared length: only the disk itself can say that it is full."""
            yield b'--x\r\nContent-Disposition: form-data; name="File"; filename="f"\r\n\r\n'
            for _ in range(80):
                yield b"x" * 65536
            yield b"\r\n--x--\r\n"

        url, headers = f"{container.url}/data/add-job", {"content-type": "multipart/form-data; boundary=x"}
        for answer in (
            requests.post(url, data=chunks(), headers=headers, timeout=60),
            requests.post(url, files={"File": b"x" * 5_000_000}, timeout=60),
        ):
            assert answer.status_code == 507
            assert answer.json()["isError"] is True
            assert "nothing was stored" in answer.json()["errorMessage"]
        assert kept("inputs") == before
        assert kept("instances/*/uploads") == ""
        container.job()


def test_an_image_without_libc_python_or_shell_will_do(bare_image: str) -> None:
    with Container(bare_image, "--tmpfs=/tmp") as container:
        body = requests.get(f"{container.url}/data/status/{container.job()}", timeout=60).json()
        assert body["errorMessage"] == "The program ended without an error but wrote no output file."
        assert requests.get(f"{container.url}/AddJob", timeout=60).status_code == 200


def test_size_memory_and_speed_keep_within_the_budget(image: str) -> None:
    started = time.monotonic()
    with Container(image) as container:
        ready = time.monotonic() - started
        container.job()
        # Kibibytes of the bundle, then a line a process with its memory.
        processes_script = 'for p in /proc/[0-9]*; do grep -E "^(Name|VmRSS)" $p/status | tr "\\n" " "; echo; done'
        script = f"du -sk /opt/model-server; {processes_script}"
        output = docker("exec", container.name, "sh", "-c", script)
        size, *processes = output.splitlines()
        memory = max(int(line.split()[3]) for line in processes if "model-server" in line and "VmRSS" in line)
        assert int(size.split()[0]) / 1024 <= 45
        assert memory / 1024 <= 60
        # The engine's part included; the server's own is under a second on a quiet machine.
        assert ready < 5 * max(1.0, os.getloadavg()[0])
