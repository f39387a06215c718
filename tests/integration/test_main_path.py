"""The main path as a user takes it: the command line, a real engine, the sandbox, curl."""

import contextlib
import json
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from tests.integration.conftest import Cli
from tests.rig.docker_command import docker
from tests.rig.sandbox_calls import ask_sandbox
from tests.rig.waiting import eventually

BASE = "python:3.13-slim-trixie"
FIRST_LINES = 10


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.read().decode()


def post_file(url: str, path: Path) -> str:
    """Send, poll and fetch the result as a user would; curl sends."""
    done = subprocess.run(
        ["curl", "-sS", "-F", f"File=@{path}", f"{url}/data/add-job"], capture_output=True, text=True, check=True
    )
    job = json.loads(done.stdout)["data"]["id"]

    def is_complete() -> bool:
        status = json.loads(get(f"{url}/data/status/{job}")[1])
        assert not status["isError"], status
        return bool(status["data"]["status"] == "Complete")

    eventually(is_complete)
    return get(f"{url}/data/result/{job}")[1]


def journal(cli: Cli, *, reset: bool = False) -> list[dict[str, Any]]:
    running = sandbox.start(cli.home, Silent())
    answer = ask_sandbox(running, "DELETE" if reset else "GET", "/_sandbox/journal")
    return list(answer["calls"]) if answer else []


class Events:
    """Engine events of the sandbox's containers while a run goes on, in order."""

    def __init__(self, container_filter: str) -> None:
        self._label, _, self._value = container_filter.removeprefix("label=").partition("=")

    def __enter__(self) -> "Events":
        self.seen: list[tuple[str, str]] = []
        self._created: set[str] = set()  # by anybody
        self._process = subprocess.Popen(
            ["docker", "events", "--filter", "type=container", "--format", "{{json .}}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._catch_up()
        return self

    def _read(self) -> None:
        for line in self._process.stdout or ():
            event = json.loads(line)
            actor = event["Actor"]
            if event["Action"] == "create":
                self._created.add(actor["ID"])
            if actor["Attributes"].get(self._label) == self._value:
                self.seen.append((event["Action"], actor["ID"]))

    def _catch_up(self) -> None:
        """Make a container and wait until it is seen: all that happened before has been seen then, too."""
        made: set[str] = set()

        def is_seen() -> bool:
            done = subprocess.run(["docker", "create", BASE], check=True, capture_output=True, text=True)
            made.add(done.stdout.strip())
            subprocess.run(["docker", "rm", done.stdout.strip()], check=True, capture_output=True)
            return bool(made & self._created)

        eventually(is_seen, pause=0.2)

    def __exit__(self, *_: object) -> None:
        self._catch_up()
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)


def test_iris_from_folder_to_service_again_and_changed(cli: Cli, example: Any) -> None:
    folder = example("iris-classifier", "iris klassifikator")

    first = cli.run(folder)
    assert first.code == 0, first.verdict + first.log
    assert first.report["outcome"] == "deployed"
    assert first.report["batch"]["revision"] == 1
    assert first.report["image_uri"].endswith(first.report["digest"])
    assert first.report["smoke"]["local"]["passed"] and first.report["smoke"]["deployed"]["passed"]
    url = first.report["url"]
    assert url in first.verdict
    assert get(f"{url}/health") == (200, "Health check is ok")
    assert "swagger" in get(f"{url}/swagger")[1].lower()
    assert "<form" in get(f"{url}/AddJob")[1]
    answer = post_file(url, folder / "smoke" / "input.csv").splitlines()
    expected = (folder / "smoke" / "expected.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:5] for line in answer] == [line.split(",")[:5] for line in expected]

    journal(cli, reset=True)
    second = cli.run(folder)
    assert second.code == 0, second.verdict + second.log
    assert second.report["outcome"] == "unchanged", second.log
    assert [call for call in journal(cli) if call["mutating"]] == []
    assert {second.stages[name] for name in ("build", "push", "batch", "deploy")} == {"unchanged"}
    for key in ("build_id", "digest", "image_uri", "batch", "service", "url"):
        assert second.report[key] == first.report[key], key

    script = folder / "main.py"
    script.write_text(script.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    with Events(cli.container_filter) as events:
        third = cli.run(folder)
    assert third.code == 0, third.verdict + third.log
    assert third.report["outcome"] == "deployed"
    assert third.report["batch"]["revision"] == 2
    assert third.report["service"]["task_definition_arn"].endswith(":2")
    assert third.report["build_id"] != first.report["build_id"]
    installs = [line for line in third.log.splitlines() if "model_installer" in line]
    assert installs and all("cached" in line for line in installs), installs
    healthy = next(i for i, (action, _) in enumerate(events.seen) if action == "health_status: healthy")
    new = events.seen[healthy][1]
    old_died = next(i for i, (action, who) in enumerate(events.seen) if action in ("kill", "die") and who != new)
    assert healthy < old_died, events.seen
    assert get(f"{third.report['url']}/health")[0] == 200

    # What runs, what it wrote, and back to what ran before.
    status = cli.run(folder, command="status")
    assert (status.code, status.report["outcome"]) == (0, "running"), status.verdict + status.log
    for key in ("build_id", "digest", "url"):
        assert status.report[key] == third.report[key], key
    logs = cli("logs", folder, "--sandbox", "--lines", "5")
    assert logs.returncode == 0 and logs.stdout.strip(), logs.stderr
    back = cli.run(folder, command="rollback")
    assert (back.code, back.report["outcome"]) == (0, "deployed"), back.verdict + back.log
    for key in ("build_id", "digest"):
        assert back.report[key] == first.report[key], key
    assert {check["name"]: check["passed"] for check in back.report["smoke"]["deployed"]["checks"]}["build-id"]
    again = cli.run(folder, command="rollback")
    assert (again.code, "nothing to go back to" in again.verdict) == (2, True), again.verdict + again.log


def test_another_model_takes_the_same_path(cli: Cli, example: Any) -> None:
    # The third example's path ends in a browser: tests/browser/test_deployed.py.
    folder = example("sentiment")
    done = cli.run(folder)
    assert done.code == 0, done.verdict + done.log
    assert done.report["outcome"] == "deployed"
    sample = next((folder / "smoke").glob("input.*"))
    assert post_file(done.report["url"], sample).strip()


def _crash_at_import(folder: Path) -> list[str]:
    script = folder / "main.py"
    script.write_text("raise RuntimeError('no licence for the flux capacitor')\n", encoding="utf-8")
    return []


def _wrong_requirement(folder: Path) -> list[str]:
    (folder / "requirements.txt").write_text("no-such-package-of-anyone==9.9.9\n", encoding="utf-8")
    return []


def _port_never_opens(folder: Path) -> list[str]:
    # A base image that sends the server to another port: the container runs, and port 80 stays shut.
    dockerfile = "FROM python:3.13-slim-trixie\nENV MODEL_SERVER_PORT=8099\n"
    docker("buildx", "build", "--load", "--tag", "mdtest-deaf-base", "-", stdin=dockerfile)
    return ["--base-image", "mdtest-deaf-base"]


def _wrong_result(folder: Path) -> list[str]:
    next((folder / "smoke").glob("expected.*")).write_text('{"made": "up"}\n', encoding="utf-8")
    return []


@pytest.mark.parametrize(
    ("break_it", "code", "reason"),
    [
        (_crash_at_import, 6, "no licence for the flux capacitor"),
        (_wrong_requirement, 5, "no-such-package-of-anyone"),
        (_port_never_opens, 6, "reachable"),
        (_wrong_result, 6, "result"),
    ],
)
def test_a_broken_model_is_red_early_and_changes_nothing(
    cli: Cli, example: Any, break_it: Any, code: int, reason: str
) -> None:
    folder = example("is-prime", f"broken {break_it.__name__.strip('_')}")
    flags = break_it(folder)
    journal(cli, reset=True)
    done = cli.run(folder, *flags)
    assert done.code == code, done.verdict + done.log
    assert done.report["outcome"] == "failed"
    assert reason in "\n".join(done.verdict.splitlines()[:FIRST_LINES]), done.verdict
    assert done.report["image_uri"] == ""
    called = {call["action"].lower() for call in journal(cli)}  # Batch's actions are in small letters in its paths
    assert not called & {
        "createservice",
        "updateservice",
        "registertaskdefinition",
        "registerjobdefinition",
        "putimage",
    }


def test_a_model_that_fails_only_when_deployed_is_rolled_back(cli: Cli, example: Any) -> None:
    folder = example("is-prime", "works on my machine")
    first = cli.run(folder)
    assert first.code == 0, first.verdict + first.log

    script = folder / "main.py"
    trap = "import os\nif 'AWS_EXECUTION_ENV' in os.environ:\n    raise SystemExit('not in the cloud')\n"
    # After a docstring an import may stand anywhere; at the very top it would turn the docstring into an expression.
    script.write_text(
        trap + script.read_text(encoding="utf-8").replace("from __future__", "# from __future__"), encoding="utf-8"
    )
    proved = cli.run(folder)
    assert (proved.code, proved.report["outcome"]) == (11, "rolled-back"), proved.verdict + proved.log
    assert "not proved: smoke/input.txt: the program failed: not in the cloud" in proved.log
    # Only without the self-proof does it come as far as the smoke test.
    second = cli.run(folder, "--self-proof", "false")
    assert second.code == 12, second.verdict + second.log
    assert second.report["outcome"] == "smoke-failed-rolled-back"
    assert "not in the cloud" in "\n".join(second.verdict.splitlines()[:FIRST_LINES])
    third = cli.run(folder, "--smoke-url", second.report["url"], command="smoke")
    assert third.report["smoke"]["deployed"]["checks"], "the former version still answers"
    assert get(f"{second.report['url']}/health")[0] == 200


def test_killed_container_loses_no_job_and_doubles_none(cli: Cli, example: Any) -> None:
    folder = example("is-prime", "killed")
    built = cli.run(folder, command="build")
    assert built.code == 0, built.verdict + built.log
    name, volume = "mdtest-killed", "mdtest-killed-data"
    start = [
        "docker",
        "run",
        "-d",
        "--name",
        name,
        "-p",
        "127.0.0.1::80",
        "--mount",
        f"source={volume},target=/var/gai_data",
    ]
    try:
        subprocess.run([*start, built.report["image"]], check=True, capture_output=True)
        url = _published(name)
        sample = (folder / "smoke" / "input.txt").read_bytes()
        jobs = [_add(url, sample) for _ in range(50)]
        subprocess.run(["docker", "kill", name], check=True, capture_output=True)
        subprocess.run(["docker", "start", name], check=True, capture_output=True)
        url = _published(name)
        assert len(set(jobs)) == 50
        for job in jobs:
            eventually(lambda job=job: json.loads(get(f"{url}/data/status/{job}")[1])["data"]["status"] == "Complete")
        results = {get(f"{url}/data/result/{job}")[1] for job in jobs}
        assert len(results) == 1

        # The server says once for each job that its result was recorded; twice would be a job done twice.
        def told() -> list[int]:
            log = subprocess.run(["docker", "logs", name], check=True, capture_output=True, text=True)
            return [(log.stdout + log.stderr).count(f"{job} complete") for job in jobs]

        eventually(lambda: sum(told()) >= len(jobs) - 1)  # the kill may fall between a record and its line
        assert max(told()) == 1
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
        subprocess.run(["docker", "volume", "rm", volume], check=False, capture_output=True)


def _published(name: str) -> str:
    def url_that_answers() -> str:
        done = subprocess.run(["docker", "port", name, "80/tcp"], check=False, capture_output=True, text=True)
        url = f"http://{done.stdout.split()[0]}" if done.stdout.strip() else ""
        with contextlib.suppress(OSError):
            return url if url and get(f"{url}/health")[0] == 200 else ""
        return ""

    return eventually(url_that_answers)


def _add(url: str, sample: bytes) -> str:
    boundary = "cut-here"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="File"; filename="n.txt"\r\n\r\n'.encode()
        + sample
        + f"\r\n--{boundary}--\r\n".encode()
    )
    request = urllib.request.Request(
        f"{url}/data/add-job", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.loads(answer.read())["data"]["id"])


def test_a_service_that_is_not_reached_from_here_is_proved_inside_of_its_network(cli: Cli, example: Any) -> None:
    folder = example("is-prime", "behind a certificate")
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    asked = ("--load-balancer", "true", "--certificate", certificate, "--environment", "GREETING=hello, world")
    first = cli.run(folder, *asked)
    assert first.code == 0, first.verdict + first.log
    assert first.report["url"].startswith("https://")
    assert "a task inside of the network tests http://" in first.log
    checks = {check["name"]: check["detail"] for check in first.report["smoke"]["deployed"]["checks"]}
    assert {"health", "build-id", "add-job", "status", "result", "delete"} <= set(checks)
    journal(cli, reset=True)
    second = cli.run(folder, *asked)
    assert (second.code, second.report["outcome"]) == (0, "unchanged"), second.verdict + second.log
    assert [call for call in journal(cli) if call["mutating"]] == []
    assert second.stages["smoke-deployed"] == "skipped"

    script = folder / "main.py"
    trap = "import os\nif 'AWS_EXECUTION_ENV' in os.environ:\n    raise SystemExit('not in the cloud')\n"
    script.write_text(
        trap + script.read_text(encoding="utf-8").replace("from __future__", "# from __future__"), encoding="utf-8"
    )
    third = cli.run(folder, *asked, "--self-proof", "false")
    assert third.report["outcome"] == "smoke-failed-rolled-back", third.verdict + third.log
    assert "not in the cloud" in third.verdict
