"""The real image through the runner's contract: what a workflow gets, and what is left behind."""

import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from model_dockerize.settings import OUTPUTS
from tests.action.conftest import IMAGES
from tests.action.harness import Runner, StepResult
from tests.rig.docker_command import docker
from tests.rig.github_tokens import BEARER, GitHub, token_for
from tests.rig.homes import NewHome
from tests.rig.waiting import eventually

MODEL = f"{IMAGES}is-prime"
HOSTILE = """#!/bin/sh
echo '::set-output name=url::http://evil.example'
echo '::add-mask::built'
echo '::warning::from the model'
echo 'see ##[error]from the model'
echo '##[set-env name=PATH]/evil'
echo '::stop-commands::mine' >&2
printf 'progress\\r::error::after a carriage return\\n'
printf '\\033[31m::notice::in colour\\n'
"""


def one_line_model(folder: Path) -> Path:
    """Write the smallest program there is: it copies its input."""
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("import shutil\nimport sys\n\nshutil.copyfile(sys.argv[1], sys.argv[2])\n")
    smoke = folder / "smoke"
    smoke.mkdir()
    for name in ("input.txt", "expected.txt"):
        (smoke / name).write_text("seven\n")
    return folder


def report_of(runner: Runner, step: StepResult) -> dict[str, object]:
    """Read the report as a later step of the runner itself does: by the path that the output gives."""
    path = runner.workspace / step.outputs["report"]
    assert path.stat().st_mode & 0o444 == 0o444
    assert path.stat().st_uid == path.parent.stat().st_uid == runner.workspace.stat().st_uid
    report = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(report, dict)
    return report


def test_a_pull_request_builds_and_proves_without_aws(runner: Runner, example: Callable[[str], Path]) -> None:
    folder = example("is-prime")
    # What earlier steps of a job leave in the environment.
    hostile = {"PATH": "utter-nonsense", "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "LC_ALL": "C"}
    step = runner.step({"program-path": "models/is-prime", "image-name": MODEL, "push-to-ecr": "false"}, hostile)
    assert step.exit_code == 0, step.text
    assert set(step.outputs) == {output.name for output in OUTPUTS}
    assert step.outputs["outcome"] == "built"
    assert step.outputs["smoke"] == "passed"
    assert step.outputs["image"] == f"{MODEL}:{'0' * 12}"
    assert step.outputs["build-id"]
    assert step.outputs["url"] == step.outputs["digest"] == ""
    assert report_of(runner, step)["build_id"] == step.outputs["build-id"]
    assert step.summary is not None
    assert step.summary.startswith("## ✅ built · mdact")
    assert "Where the seconds went" in step.summary
    assert "Smoke test of the image" in step.summary
    assert (folder / "Dockerfile").is_file()
    assert step.log.annotations("error") == []
    assert step.log.problems == []
    assert step.env == {}
    # The engine's command line shows names only: values would be public in the list of processes.
    assert "utter-nonsense" not in " ".join(step.argv)


def test_what_the_models_own_build_prints_is_not_obeyed(runner: Runner) -> None:
    folder = one_line_model(runner.workspace / "a model für uns")
    (folder / "init.sh").write_text(f"{HOSTILE}# {secrets.token_hex(8)}: built anew each time\n")
    # As an earlier step leaves it in ${{ runner.temp }}, which the container sees at another place.
    pip_config = runner.temp / "pip.conf"
    pip_config.write_text("[global]\nindex-url = https://build:password-of-the-index@packages.example/simple\n")
    inputs = {"program-path": folder.name, "image-name": f"{IMAGES}hostile", "push-to-ecr": "false"}
    step = runner.step({**inputs, "smoke-test": "false", "report": "out/report.json", "pip-config": str(pip_config)})
    assert step.exit_code == 0, step.text
    assert "password-of-the-index" not in step.text + str(step.summary)
    assert "from the model" in step.text
    assert "after a carriage return" in step.text
    obeyed = [command for command in step.log.commands if command.name != "add-mask"]
    assert [command for command in obeyed if "model" in command.data or "evil" in command.data] == []
    assert step.log.annotations("error") == step.log.annotations("notice") == []
    assert "built" not in step.log.masks
    assert step.outputs["url"] == ""
    assert step.outputs["outcome"] == "built"
    assert step.outputs["report"] == "out/report.json"
    assert report_of(runner, step)["outcome"] == "built"


def test_on_a_runner_before_2_331_everything_but_the_report_is_handed_over(runner: Runner) -> None:
    runner.mounts_temp = False
    folder = one_line_model(runner.workspace / "model")
    pip_config = runner.temp / "pip.conf"
    pip_config.write_text("[global]\n")
    inputs = {"program-path": folder.name, "image-name": f"{IMAGES}old-runner", "push-to-ecr": "false"}
    step = runner.step(inputs)
    assert step.exit_code == 0, step.text
    assert step.outputs["outcome"] == "built"
    assert step.outputs["report"] == ""
    assert step.summary is not None
    assert step.summary.startswith("## ✅ built")
    assert "The report is not written: No such file or directory" in step.text
    # Later steps find it where the step says.
    assert report_of(runner, runner.step({**inputs, "report": "report.json"}))["outcome"] == "built"
    missing = runner.step({**inputs, "pip-config": str(pip_config)})
    assert missing.exit_code == 2
    assert "runners before 2.331 do not mount their temporary folder" in missing.text


def test_what_the_job_says_of_its_own_network_and_docker(runner: Runner) -> None:
    folder = one_line_model(runner.workspace / "model")
    script = 'echo "in the build: ${#HTTPS_PROXY} ${#http_proxy} $NO_PROXY"'
    (folder / "init.sh").write_text(f"#!/bin/sh\n# {secrets.token_hex(8)}: built anew\n{script}\n")
    proxy = "http://somebody:password-of-the-proxy@proxy.example:3128"
    # As the runner hands on its own (ContainerInfo.cs), and what a job's `env:` may hold for its other steps.
    job = {
        **{"https_proxy": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "HTTP_PROXY": proxy},
        **{"no_proxy": "a.example", "NO_PROXY": "a.example"},
        # DOCKER_HOST and DOCKER_CONTEXT would lead the runner's own docker, too.
        **{"BUILDX_BUILDER": "of-the-job", "BUILDX_CONFIG": "/nowhere", "BUILDKIT_HOST": "tcp://127.0.0.1:9"},
        "SSL_CERT_FILE": "/etc/pki/corp.pem",
    }
    step = runner.step({"program-path": "model", "image-name": f"{IMAGES}network", "push-to-ecr": "false"}, job)
    assert step.exit_code == 0, step.text
    assert f"in the build: {len(proxy)} {len(proxy)} a.example" in step.text
    assert "SSL_CERT_FILE names /etc/pki/corp.pem, which does not exist, so it is ignored." in step.text
    assert "password-of-the-proxy" in step.log.masks
    assert "password-of-the-proxy" not in step.text + str(step.summary)


def test_all_wrong_inputs_are_annotated_at_once(runner: Runner) -> None:
    folder = one_line_model(runner.workspace / "model")
    (folder / "model-dockerize.yml").write_text("image-name: Not Good\ncluster: ok\n")
    step = runner.step({"program-path": "model", "cpu": "many", "image_version": "v1", "vpc": "::error::x"})
    assert step.exit_code == 2, step.text
    errors = step.log.annotations("error")
    assert len(errors) == 4
    (located,) = [error for error in errors if "file" in error.properties]
    # The runner maps this path back to the repository's.
    assert located.properties["file"] == "/github/workspace/model/model-dockerize.yml"
    assert located.properties["line"] == "1"
    assert any("Did you mean image-version?" in error.data for error in errors)
    assert step.warnings == ["Unexpected input(s) 'image_version'"]
    assert step.outputs["outcome"] == "failed"
    assert step.summary is not None
    assert step.summary.startswith("## ❌ failed")
    assert report_of(runner, step)["error"]


@pytest.mark.parametrize("inputs", [{"args": "--help"}, {"sandbox": "true"}])
def test_what_the_action_cannot_do_is_said(runner: Runner, inputs: dict[str, str]) -> None:
    step = runner.step(inputs)
    assert step.exit_code == 2
    (error,) = step.log.annotations("error")
    assert "under `with:`" in error.data or "run --sandbox" in error.data


def test_cancelled_in_the_middle_of_the_build(runner: Runner) -> None:
    folder = one_line_model(runner.workspace / "slow")
    (folder / "init.sh").write_text(f"#!/bin/sh\necho {secrets.token_hex(8)} now sleeps\nsleep 120\n")
    inputs = {"program-path": "slow", "image-name": f"{IMAGES}slow", "push-to-ecr": "false"}
    step = runner.step(inputs, cancel_at="now sleeps")
    assert step.exit_code == 130, step.text
    assert step.outputs["outcome"] == "cancelled"
    assert "Traceback" not in step.text
    assert docker("images", "--quiet", f"{IMAGES}slow") == ""


def test_cancelled_before_it_has_begun(action_image: str) -> None:
    # The first process of a container ignores what it does not handle, and would go on to the end. Python and its
    # libraries take a third of a second of a processor to load: it gets so little of one that the signal comes before.
    slow = ("--cpus", "0.05", "--env", "INPUT_PROGRAM-PATH=/nowhere")
    container = docker("run", "--detach", *slow, action_image)
    try:
        wait_until_handled(int(docker("inspect", "--format", "{{.State.Pid}}", container)), signal.SIGTERM)
        docker("kill", "--signal", "TERM", container)
        assert docker("wait", container) == "143"
        assert docker("logs", container) == ""
    finally:
        docker("rm", "--force", container)


def wait_until_handled(pid: int, number: signal.Signals) -> None:
    """Wait until the Action handles that signal: its first lines do, before it loads anything.

    The engine's own program, which becomes the Action's, handles all signals and forgets them.
    """

    def is_handled() -> bool:
        if b"entrypoint.py" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return False
        caught = Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition("SigCgt:")[2].split()[0]
        return bool(int(caught, 16) >> (number - 1) & 1)

    eventually(is_handled, pause=0.002)


def test_a_fork_that_wants_to_push_is_told_why_it_cannot(runner: Runner) -> None:
    one_line_model(runner.workspace / "model")
    runner.event.write_text(
        '{"pull_request": {"head": {"repo": {"full_name": "a/fork"}}, "base": {"repo": {"full_name": "org/iris"}}}}'
    )
    nowhere = {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    step = runner.step({"program-path": "model", "image-name": f"{IMAGES}fork"}, nowhere)
    assert step.exit_code == 8, step.text
    (error,) = step.log.annotations("error")
    assert "comes from a fork (a/fork)" in error.data
    assert "push-to-ecr: ${{ github.event_name" in error.data
    assert "built" not in step.text, "nothing long was begun"


def test_from_the_folder_to_the_deployed_service(
    runner: Runner, example: Callable[[str], Path], new_home: NewHome
) -> None:
    example("is-prime")
    home = new_home("sandbox")
    started = sandbox.start(home, Silent())
    try:
        # Declared deviation: the sandbox listens on this computer's loopback only.
        environment = {**started.environment(), "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "is-prime/v1.2.3"}
        inputs = {"program-path": "models/is-prime", "image-name": MODEL}
        step = runner.step(inputs, {**environment, "RUNNER_DEBUG": "1"}, network="host")
        assert step.exit_code == 0, step.text
        assert step.outputs["outcome"] == "deployed"
        assert step.outputs["smoke"] == "passed"
        assert step.outputs["image"] == f"{MODEL}:v1.2.3"
        assert step.outputs["image-uri"].endswith("@" + step.outputs["digest"])
        assert step.outputs["digest"].startswith("sha256:")
        assert step.outputs["url"].startswith("http://")
        assert step.outputs["job-definition-revision"] == "1"
        assert step.outputs["service-arn"].startswith("arn:aws:ecs:")
        assert step.summary is not None
        assert f"]({step.outputs['url']})" in step.summary
        assert environment["AWS_SECRET_ACCESS_KEY"] not in step.text + step.summary
        notes = [command.data for command in step.log.commands if command.name == "debug"]
        for note in ("settings: image-name = ", "image: Engine(version=", "aws: ecs.CreateService in ", "buildx build"):
            assert any(note in one for one in notes), note

        # As a job that may ask GitHub for tokens, and has no keys.
        role = "arn:aws:iam::123456789012:role/deploy"
        own = {name: text for name, text in environment.items() if not name.startswith(("AWS_ACCESS", "AWS_SECRET"))}
        token = token_for(started)
        with GitHub(token) as github:
            tokens = {**own, **github.environment(own["AWS_ENDPOINT_URL"]), "RUNNER_DEBUG": "1"}
            again = runner.step({**inputs, "role-to-assume": role}, tokens, network="host")
        assert again.exit_code == 0, again.text
        assert "as arn:aws:sts::123456789012:assumed-role/deploy/model-dockerize" in again.text
        assert again.outputs["outcome"] == "unchanged"
        assert again.outputs["digest"] == step.outputs["digest"]
        assert {BEARER, token} <= set(again.log.masks)
        assert again.summary is not None
        assert not [secret for secret in (BEARER, token) if secret in again.text + again.summary]
    finally:
        sandbox.stop(home, Silent())


def test_the_image_is_small(action_image: str) -> None:
    layers = docker("history", "--human=false", "--format", "{{.Size}}", action_image).split()
    assert sum(map(int, layers)) <= 320e6  # bytes, unpacked; uv, which installs models, has 19e6


def test_the_first_line_is_there_at_once(action_image: str) -> None:
    def seconds(*command: str) -> float:
        started = time.monotonic()
        with subprocess.Popen(["docker", "run", "--rm", *command], stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            seconds = time.monotonic() - started
            process.stdout.read()
            return seconds

    ours, bare = [], []
    for _ in range(3):
        ours.append(seconds("--env", "INPUT_PROGRAM-PATH=/nowhere", action_image))
        bare.append(seconds("--entrypoint", "/usr/local/bin/python", action_image, "-I", "-c", "print()"))
    # A second; on a busy computer, a small multiple of what the engine and an empty Python take beside it, and as much
    # longer as others are waiting for each processor.
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert min(ours) <= busy * max(1.0, 2.5 * min(bare)), (ours, bare, busy)


def test_no_process_of_the_action_shows_a_credential_while_the_folder_is_built(
    runner: Runner, action_image: str
) -> None:
    folder = one_line_model(runner.workspace / "model")
    # Different each time, or the engine's build cache would have it.
    (folder / "init.sh").write_text(f"echo NOW BUILDING {secrets.token_hex(8)}\nsleep 6\n", encoding="utf-8")
    credentials = {
        "AWS_SECRET_ACCESS_KEY": "planted-wJalrXUtnFEMIxK7MDENGxbPxRfiCY",
        "AWS_SESSION_TOKEN": "planted-session-token-0123456789",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "planted-oidc-request-0123456789",
        "ACTIONS_RUNTIME_TOKEN": "planted-runtime-token-0123456789",
        "SOMETHING_OF_THE_JOB": "planted-by-somebody",
    }
    shown: list[str] = []

    def look() -> None:
        def building() -> str:
            running = docker("ps", "--quiet", "--filter", f"ancestor={action_image}")
            return running if running and "NOW BUILDING" in docker("logs", running) else ""

        name = eventually(building)
        # A process that the engine starts in the container is given its variables: the one that looks does not count.
        others = "for f in /proc/[0-9]*/environ; do [ $f = /proc/$$/environ ] || tr '\\0' ' ' <$f; done; true"
        shown.append(docker("exec", name, "sh", "-c", others))

    looker = threading.Thread(target=look)
    looker.start()
    step = runner.step({"program-path": "model", "image-name": f"{IMAGES}shows", "push-to-ecr": "false"}, credentials)
    looker.join()
    assert step.exit_code == 0, step.text
    (environments,) = shown
    assert "DOCKER_CONFIG=" in environments  # buildx was among them
    assert "planted" not in environments
