"""Finished images: saved, loaded by Docker and by us, served here, pushed and deployed, ours and somebody else's."""

import gzip
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import boto3
import pytest

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from tests.rig.docker_command import docker

from .conftest import ROOT, Cli, Completed
from .test_main_path import get, journal

DOCKERFILE = """\
FROM python:3.13-slim-trixie
COPY foreign_server.py /
EXPOSE 80
CMD ["python", "/foreign_server.py", "{kind}", "80"]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def saved(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Completed:
    """Save a model with a build of its own; make the engine forget its archive's name."""
    folder = Path(shutil.copytree(ROOT / "examples" / "is-prime", tmp_path_factory.mktemp("saved") / "saved-prime"))
    (folder / "build.txt").write_text(secrets.token_hex(8))
    done = cli.run(folder, "--archive", folder.parent / "out put", command="save")
    assert done.code == 0, done.verdict + done.log
    tag = f"gx-images:t-{done.report['build_id']}"
    docker("rmi", tag)
    cli.images.add(tag)
    return done


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Any]:
    """Make archives that `docker save | gzip` wrote of images that know nothing of us; the engine forgets them."""
    made = []

    def make(kind: str) -> Path:
        name = f"mdforeign-{kind}-{secrets.token_hex(4)}:1"
        shutil.copy(ROOT / "tests" / "rig" / "foreign_server.py", tmp_path)
        (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(kind=kind))
        docker("build", "--quiet", "--tag", name, tmp_path)
        plain, packed = tmp_path / "image.tar", tmp_path / f"{kind}_model_12ab34.tar.gz"
        docker("save", "--output", plain, name)
        packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
        docker("rmi", name)
        made.append(name)
        return packed

    yield make
    subprocess.run(["docker", "rmi", "--force", *made], capture_output=True, check=False)


def archive(command: Cli, path: Path, *arguments: str | Path, step: str = "run") -> Completed:
    """Run a step of `--from-archive`, in a folder where no model-dockerize.yml is."""
    return command.run(path.parent, "--from-archive", path, *arguments, command=step)


def test_docker_loads_and_runs_what_was_saved(saved: Completed) -> None:
    path = Path(saved.report["archive"])
    tag = f"gx-images:t-{saved.report['build_id']}"
    assert docker("load", "-i", path) == f"Loaded image: {tag}"
    assert docker("load", "-i", f"./{path.name}", cwd=path.parent) == f"Loaded image: {tag}"
    # Windows takes it too: one name, after `.\`, with none of its forbidden characters.
    assert PureWindowsPath(f".\\{path.name}").name == path.name
    assert not set('<>:"/\\|?*') & set(path.name)
    repository, _, version = tag.partition(":")
    assert docker("image", "ls", "--format", "{{.Repository}} {{.Tag}}", tag) == f"{repository} {version}"

    port, volume, name = free_port(), f"data-vol-{secrets.token_hex(4)}", f"mdrun-{secrets.token_hex(4)}"
    docker("volume", "create", volume)
    try:
        mount = f"source={volume},target=/var/gai_data"
        docker("run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:80", "--mount", mount, tag)
        assert _wait(f"http://localhost:{port}/health") == "Health check is ok"
        assert "<h1" in get(f"http://localhost:{port}/")[1]
        listening = docker("exec", name, "cat", "/proc/net/tcp")
        assert "00000000:0050" in listening  # 0.0.0.0:80
        kept = docker("run", "--rm", "--mount", f"source={volume},target=/d", "python:3.13-slim-trixie", "ls", "/d")
        assert kept
    finally:
        docker("rm", "--force", name)
        docker("volume", "rm", volume)


def test_an_archive_of_ours_is_the_build_of_its_folder(cli: Cli, saved: Completed) -> None:
    path = Path(saved.report["archive"])
    first = archive(cli, path, step="push")
    assert (first.code, first.report["outcome"]) == (0, "pushed"), first.verdict + first.log
    assert first.report["build_id"] == saved.report["build_id"]
    assert first.report["image"] == f"gx-images:t-{saved.report['build_id']}"
    assert first.report["smoke"]["local"]["passed"]

    folder = cli.run(path.parent.parent / "saved-prime", command="push")
    assert (folder.code, folder.report["outcome"]) == (0, "unchanged"), folder.verdict + folder.log
    assert folder.report["digest"] == first.report["digest"]


def test_the_vendors_image_goes_from_its_archive_to_a_service(cli: Cli, foreign: Any, tmp_path: Path) -> None:
    path = foreign("vendor")
    (tmp_path / "in.txt").write_text("hello\n")
    (tmp_path / "out.txt").write_text("HELLO\n")
    sample = ("--smoke-input", tmp_path / "in.txt", "--smoke-expected", tmp_path / "out.txt")
    first = archive(cli, path, *sample)
    assert (first.code, first.report["outcome"]) == (0, "deployed"), first.verdict + first.log
    assert first.report["smoke"]["deployed"]["unproved"] == []
    assert "result: ok" in first.log and "has reached a steady state" in first.log
    assert get(f"{first.report['url']}/health") == (200, "Health check is ok")
    assert first.report["batch"]["revision"] == 0

    journal(cli, reset=True)
    second = archive(cli, path, *sample)
    assert (second.code, second.report["outcome"]) == (0, "unchanged"), second.verdict + second.log
    assert [call for call in journal(cli) if call["mutating"]] == []


def test_each_step_alone_and_what_was_not_proved_is_said(cli: Cli, foreign: Any, tmp_path: Path) -> None:
    path = foreign("other")
    signed = subprocess.run(
        [sys.executable, "-m", "model_dockerize", "login", "--sandbox"],
        env={**cli.environment, "DOCKER_CONFIG": str(tmp_path / "docker")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (signed.returncode, signed.stdout.split()[0]) == (0, "signed-in"), signed.stderr
    assert len(json.loads((tmp_path / "docker" / "config.json").read_text())["auths"]) == 1
    network = cli("network", "--sandbox")
    assert network.returncode == 0 and "subnets subnet-" in network.stderr, network.stderr
    assert cli("network", "--sandbox").stdout.split()[0] == "unchanged"

    with tarfile.open(path) as tar, tar.extractfile("manifest.json") as file:  # type: ignore[union-attr]
        (name,) = json.load(file)[0]["RepoTags"]
    docker("tag", "python:3.13-slim-trixie", name)
    loaded = cli("load", path)
    assert loaded.returncode == 0, loaded.stderr
    assert f"Loaded image: {name}" in loaded.stderr
    assert f"{name} was the name of another image here" in loaded.stderr
    again = cli("load", path)
    assert again.stdout.startswith("unchanged mdforeign-other-")
    proved = archive(cli, path, step="build")
    assert (proved.code, proved.report["outcome"]) == (0, "loaded"), proved.verdict + proved.log
    assert "not proved: the model: there is no POST /data/add-job" in proved.verdict

    names = ("--repository", "tutorial-repo", "--version", "my-tag-050922")
    pushed = archive(cli, path, *names, step="push")
    assert (pushed.code, pushed.report["outcome"]) == (0, "pushed"), pushed.verdict + pushed.log
    ecr = _client(cli, "ecr")
    held = ecr.describe_images(repositoryName="tutorial-repo", imageIds=[{"imageTag": "my-tag-050922"}])["imageDetails"]
    assert [image["imageDigest"] for image in held] == [pushed.report["digest"]]
    repository = ecr.describe_repositories(repositoryNames=["tutorial-repo"])["repositories"][0]
    assert repository["imageTagMutability"] == "MUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": False}
    assert repository["encryptionConfiguration"]["encryptionType"] == "AES256"

    # The service's name is that of its stack: of its log, role and group, which the definition names.
    names = (*names, "--task-definition", "tutorial-task", "--service", "tutorial")
    defined = archive(cli, path, *names, step="task-definition")
    assert (defined.code, defined.report["outcome"]) == (0, "registered"), defined.verdict + defined.log
    assert defined.report["service"]["task_definition_arn"].endswith("/tutorial-task:1")
    assert defined.report["service"]["service_arn"] == ""

    deployed = archive(cli, path, *names, step="deploy")
    assert (deployed.code, deployed.report["outcome"]) == (0, "deployed"), deployed.verdict + deployed.log
    assert deployed.report["digest"] == pushed.report["digest"]
    assert deployed.report["service"]["task_definition_arn"] == defined.report["service"]["task_definition_arn"]
    task = _client(cli, "ecs").describe_task_definition(taskDefinition="tutorial-task")["taskDefinition"]
    container = task["containerDefinitions"][0]
    assert container["image"] == pushed.report["image_uri"]
    assert "healthCheck" not in container
    assert [(port["containerPort"], port["protocol"]) for port in container["portMappings"]] == [(80, "tcp")]
    assert get(f"{deployed.report['url']}/v7/ping") == (200, "pong")


def test_served_here_again_replaced_put_back_and_stopped(cli: Cli, example: Any) -> None:
    folder, volume = example("is-prime", "served prime"), f"data-vol-{secrets.token_hex(4)}"
    port = str(free_port())
    place = ("--port", port, "--data-volume", volume)
    url = f"http://127.0.0.1:{port}"
    try:
        first = cli.run(folder, *place, command="serve")
        assert (first.code, first.report["outcome"], first.report["url"]) == (0, "serving", url), first.log
        job = _job(url, folder)
        container = docker("ps", "--quiet", "--filter", "name=model-dockerize-served-prime")

        second = cli.run(folder, *place, command="serve")
        assert (second.code, second.report["outcome"]) == (0, "unchanged"), second.log
        assert docker("ps", "--quiet", "--filter", "name=model-dockerize-served-prime") == container

        other = cli.run(folder, "--image-name", "other-prime", "--port", str(free_port()), *place[2:], command="serve")
        assert other.code == 6, other.verdict + other.log
        assert "served-prime" in other.verdict and "volume" in other.verdict
        taken = cli.run(folder, "--image-name", "other-prime", "--port", port, command="serve")
        assert (taken.code, f"Port {port} of 127.0.0.1 is taken" in taken.verdict) == (4, True), taken.verdict

        script = (folder / "main.py").read_text(encoding="utf-8")
        (folder / "main.py").write_text(script + "\nraise SystemExit(3)\n", encoding="utf-8")
        broken = cli.run(folder, *place, command="serve")
        assert broken.code == 6, broken.verdict + broken.log
        assert _wait(f"{url}/health") == "Health check is ok"
        assert _status(url, job) == "Complete"

        (folder / "main.py").write_text(script + "\n# changed\n", encoding="utf-8")
        third = cli.run(folder, *place, command="serve")
        assert (third.code, third.report["outcome"]) == (0, "serving"), third.verdict + third.log
        assert third.report["build_id"] != first.report["build_id"]
        assert _status(url, job) == "Complete"

        stopped = cli.run(folder, "--stop", command="serve")
        assert (stopped.code, stopped.report["outcome"]) == (0, "stopped"), stopped.log
        assert cli.run(folder, "--stop", command="serve").report["outcome"] == "unchanged"
        assert docker("ps", "--all", "--quiet", "--filter", "name=model-dockerize-served-prime") == ""
        assert docker("volume", "ls", "--quiet", "--filter", f"name={volume}") == volume
    finally:
        cli.run(folder, "--stop", command="serve")
        subprocess.run(["docker", "volume", "rm", "--force", volume], capture_output=True, check=False)


def _client(cli: Cli, service: str) -> Any:
    aws = sandbox.start(cli.home, Silent())
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id=aws.account_id,
        aws_secret_access_key=aws.secret_key,
    )


def _wait(url: str) -> str:
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--retry", "60", "--retry-all-errors", "--retry-delay", "1", url],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.stdout


def _job(url: str, folder: Path) -> str:
    """Send a job; return its id once it is over."""
    sample = folder / "smoke" / "input.txt"
    sent = subprocess.run(
        ["curl", "--silent", "-F", f"File=@{sample}", f"{url}/data/add-job"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    job = str(json.loads(sent.stdout)["data"]["id"])
    assert _status(url, job, "?wait=20") == "Complete"
    return job


def _status(url: str, job: str, query: str = "") -> str:
    with urllib.request.urlopen(f"{url}/data/status/{job}{query}", timeout=30) as answer:
        return str(json.load(answer)["data"]["status"])
