"""A whole run with planted secrets, green and red: none of them in anything that it prints, writes, starts or makes."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest

from model_dockerize import licenses, sandbox
from tests.rig.command import ROOT, Cli
from tests.rig.leaks import belongs, leaks, leaks_in, learn, logged, planted, planted_file, watched
from tests.rig.sandbox_calls import ask_sandbox

#: What `docker login` would be given, in base64: `AWS:` and the password that ECR made.
_REGISTRY_WORD = re.compile(r"QVdTO[\w+/=]{20}")
_MASKED = re.compile(r"^::add-mask::.*$", re.MULTILINE)
NAME = "verschwiegen"


def run_docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def inspected(containers: list[str]) -> str:
    """Return containers as `docker inspect` shows them."""
    with contextlib.closing(docker.from_env()) as client:
        return json.dumps([client.api.inspect_container(container) for container in containers])


@pytest.fixture
def flags(tmp_path: Path) -> list[str | Path]:
    """Return inputs that hold secrets: a package index with a password, a license key, the key behind it."""
    # Not of `pip install`: nobody listens there, and the server's image may have to be built too.
    index = f"[download]\nextra-index-url = https://me:{planted('pip-password')}@127.0.0.1:9/simple\n"
    pip = planted_file(tmp_path / "pip.conf", index)
    private, key = belongs(tmp_path / "publisher.pem"), belongs(tmp_path / "own.gai_key")
    public = licenses.make_pair(private)
    key.write_text(licenses.issue(private, NAME, "Ann", "ann@example.com", 1), encoding="utf-8")
    learn(private.read_text(encoding="utf-8").splitlines()[1])
    learn(key.read_text(encoding="utf-8").rpartition(".")[2])
    return ["--pip-config", pip, "--license-public-key", public, "--license-key", key]


def test_no_secret_in_anything_that_a_run_makes(
    cli: Cli, example: Any, tmp_path: Path, flags: list[str | Path]
) -> None:
    folder = example("is-prime", NAME)
    (folder / "main.py").write_text((folder / "main.py").read_text() + "\n# nobody has built this yet\n")
    said = dict(
        line.removeprefix("export ").split("=", 1)
        for line in cli("sandbox", "start").stdout.splitlines()
        if line.startswith("export ")
    )
    environment = cli.environment | said | session(said) | {"MODEL_DOCKERIZE_DEBUG": "1"}
    report, summary, outputs = tmp_path / "report.json", tmp_path / "summary.md", tmp_path / "outputs"
    given = secret_of_the_container(said)

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "model_dockerize", "run", folder, *flags, "--report", report]
        command += ["--secrets", f"DATABASE={given}"]
        return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, check=False)

    def run_as_action() -> subprocess.CompletedProcess[str]:
        inputs = dict(zip(map(str, flags[::2]), map(str, flags[1::2]), strict=True))
        inputs |= {"--program-path": str(folder), "--secrets": f"DATABASE={given}", "--report": str(report)}
        named = {f"INPUT_{name.removeprefix('--').upper()}": value for name, value in inputs.items()}
        files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs), "GITHUB_ACTIONS": "true"}
        environ = environment | named | files | {"GITHUB_WORKSPACE": str(tmp_path)}
        # The lines that tell the runner what to hide hold it: this is what the search is not to see.
        with (tmp_path / "action.log").open("w") as log:
            belongs(tmp_path / "action.log")
            entry = [sys.executable, "-I", ROOT / "entrypoint.py"]
            done = subprocess.run(entry, env=environ, stdout=log, stderr=subprocess.STDOUT, check=False)
        text = _MASKED.sub("", _text(tmp_path / "action.log"))
        return subprocess.CompletedProcess(entry, done.returncode, text, "")

    with watched():  # and what it prints is searched where the test session reads it
        green = run()
        told = json.loads(report.read_text(encoding="utf-8"))
        cli.images.add(told["image"])
        action = run_as_action()
        red = run("--execution-role", "nobody-has-this-role")
        database = f"queue-url: postgresql://me:{planted('database-password')}@127.0.0.1/jobs\n"
        wrong = planted_file(folder / "model-dockerize.yml", database)
        refused = run()
    assert green.returncode == 0, green.stderr
    assert action.returncode == 0, action.stdout
    assert (red.returncode, refused.returncode) == (2, 2), red.stderr + refused.stderr
    assert "password" in refused.stdout, refused.stdout

    running = sandbox.status(cli.home)
    assert running
    journal = json.dumps(ask_sandbox(running, "GET", "/_sandbox/journal"))
    assert "GetAuthorizationToken" in journal
    containers = run_docker("ps", "--quiet", "--filter", cli.container_filter).split()
    places = {
        "standard output": "".join(done.stdout for done in (green, action, red, refused)),
        "standard error": "".join(done.stderr for done in (green, action, red, refused)),
        "report": report.read_text(encoding="utf-8"),
        "summary": summary.read_text(encoding="utf-8"),
        "outputs": outputs.read_text(encoding="utf-8"),
        "journal": journal,
        "sandbox's log": (cli.home / "sandbox.log").read_text(encoding="utf-8", errors="replace"),
        "CloudWatch": "\n".join(line for _, line in logged(running)),
        "history": run_docker("history", "--no-trunc", "--format", "{{json .}}", told["image"]),
        "image": run_docker("image", "inspect", told["image"]),
        # A container is given its own secret, and nothing else: that is what secrets are for.
        "containers": inspected(containers).replace(planted("of-the-container"), ""),
        "docker's configuration": _text(Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"),
        **{str(path): _text(path) for path in folder.rglob("*") if path.is_file() and path != wrong},
    }
    empty = {name for name in ("report", "summary", "outputs", "CloudWatch", "history", "image") if not places[name]}
    assert (empty, bool(containers)) == (set(), True)
    assert {place: leaks(text) for place, text in places.items() if leaks(text)} == {}
    assert [place for place, text in places.items() if _REGISTRY_WORD.search(text)] == []
    with subprocess.Popen(["docker", "save", told["image"]], stdout=subprocess.PIPE) as saved:
        assert saved.stdout
        assert leaks_in(saved.stdout) == []


def session(said: dict[str, str]) -> dict[str, str]:
    """Return the variables of temporary credentials, whose secret and token are looked for."""
    given = client("sts", said).get_session_token()["Credentials"]
    learn(given["SecretAccessKey"])
    learn(given["SessionToken"])
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def secret_of_the_container(said: dict[str, str]) -> str:
    """Make a secret in the sandbox, of which the run knows nothing else; return its ARN."""
    made = client("secretsmanager", said).create_secret(Name=NAME, SecretString=planted("of-the-container"))
    return str(made["ARN"])


def client(service: str, said: dict[str, str]) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=said["AWS_ENDPOINT_URL"],
        region_name=said["AWS_REGION"],
        aws_access_key_id=said["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"],
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
