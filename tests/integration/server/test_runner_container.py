"""One job without a server, in real containers: what an AWS Batch job of the image does."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.rig.docker_command import docker
from tests.rig.waiting import eventually

from .test_container import Container, build, bundle, manifest

__all__ = ["bundle"]  # the fixture

PROGRAM = """
import os, sys, time
text = open(sys.argv[1]).read()
print("a word for the log", flush=True)
if text.startswith("sleep"):
    time.sleep(60)
if text.startswith("fail"):
    sys.exit("no good")
with open(sys.argv[2], "w") as file:
    file.write("{}:{}".format(os.getuid(), text))
"""


@pytest.fixture(scope="module")
def image(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "main.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "sleep.txt").write_text("sleep", encoding="utf-8")
    (folder / "sample.txt").write_text("sample", encoding="utf-8")
    command = manifest(["python", "main.py", "{input}", "{output}"], "/program", sample="sample.txt")
    name = build(
        folder,
        "FROM python:3.13-slim-trixie\nCOPY main.py sleep.txt sample.txt /program/\n"
        "RUN mkdir -m 0700 /secret && echo -n hidden > /secret/input && chmod 600 /secret/input\n"
        f"COPY --from={bundle} /opt/model-server /opt/model-server\nRUN {command}\n"
        'RUN ["/opt/model-server/model-server", "selftest", "[]"]\n'
        'ENTRYPOINT ["/opt/model-server/tini","--","/opt/model-server/model-server"]\n',
    )
    yield name
    docker("image", "rm", "--force", name)


def once(
    image: str, *arguments: str, options: tuple[str, ...] = (), text: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "run", "--rm", "--interactive", *options, image, "run", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def log_of(name: str) -> str:
    """Return all that a container wrote to standard error."""
    return subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ((), "20000"),
        (("--read-only", "--tmpfs=/tmp", "--network=none"), "20000"),
        (("--user=4321:4321", "--cap-drop=ALL"), "4321"),
    ],
    ids=lambda value: " ".join(value) or "plain" if isinstance(value, tuple) else None,
)
def test_from_standard_input_to_standard_output(image: str, options: tuple[str, ...], user: str) -> None:
    done = once(image, "-", "-", options=options, text="words")
    assert (done.returncode, done.stdout) == (0, f"{user}:words"), done.stderr
    assert "a word for the log" in done.stderr


def test_what_only_root_may_read_and_write_is_read_and_written_by_root(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    mount = (f"--volume={tmp_path}:/data",)
    done = once(image, "/secret/input", "/data/result", options=mount)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "result").read_text(encoding="utf-8") == "20000:hidden"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_failed_job_says_why_and_leaves_the_output_as_it_was(image: str, tmp_path: Path) -> None:
    (tmp_path / "result").write_text("old", encoding="utf-8")
    done = once(image, "-", "/data/result", options=(f"--volume={tmp_path}:/data",), text="fail")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("model-server: no good\n")
    assert (tmp_path / "result").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("/nowhere", "-"), "model-server: cannot read the input /nowhere: No such file or directory\n"),
        (("/program/main.py", "/nowhere/x"), "model-server: cannot write /nowhere/x: its folder does not exist\n"),
    ],
)
def test_wrong_paths_are_named(image: str, arguments: tuple[str, str], text: str) -> None:
    done = once(image, *arguments)
    assert (done.returncode, done.stderr) == (1, text)


def test_a_stopped_job_ends_at_once_and_writes_nothing(image: str, tmp_path: Path) -> None:
    name = f"mdsrv-{uuid.uuid4().hex[:8]}"
    mount = f"--volume={tmp_path}:/data"
    docker("run", "--detach", "--name", name, mount, image, "run", "/program/sleep.txt", "/data/result")
    try:
        eventually(lambda: "a word for the log" in log_of(name))
        docker("stop", "--time=60", name)
        # 143: SIGTERM ended it. After a minute it would be 137.
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "143"
        assert list(tmp_path.iterdir()) == []
    finally:
        docker("rm", "--force", name)


@pytest.mark.parametrize(
    "options", [(), ("--read-only", "--tmpfs=/tmp"), ("--user=4321:4321", "--cap-drop=ALL")], ids=" ".join
)
def test_the_mode_that_the_sample_proves_is_told(image: str, options: tuple[str, ...]) -> None:
    with Container(image, *options) as container:
        container.job()
        assert "<dt>Runner</dt><dd>warm</dd>" in requests.get(f"{container.url}/", timeout=5).text
        assert requests.get(f"{container.url}/ready", timeout=5).headers["X-Model-Runner-Mode"] == "warm"
        eventually(lambda: "runner: mode warm, Python 3.13" in docker("logs", container.name))
        record = docker("exec", container.name, "cat", "/opt/model-server/self-test.json")
        assert list(json.loads(record)) == ["imports"]
        # Once as a new process and in three forks, then the job: the build has seen the rest.
        eventually(lambda: docker("logs", container.name).count("a word for the log") >= 5)
        assert docker("logs", container.name).count("a word for the log") == 5
        assert docker("exec", container.name, "sh", "-c", "ls -d /tmp/model-self-test* || true") == ""


def test_the_mode_that_was_asked_for_is_told(image: str) -> None:
    with Container(image, "--env=MODEL_RUNNER_MODE=command") as container:
        container.job()
        assert "<dd>command (as asked)</dd>" in requests.get(f"{container.url}/", timeout=5).text
