"""A deployed model that wants an API key: proved from inside of its network, closed to all others. And one at home."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests

from tests.integration.conftest import Cli
from tests.rig.leaks import planted, planted_file

NAME = "closed"


@pytest.fixture
def leaves_nothing(cli: Cli, example: Any) -> Iterator[None]:
    """Remove all containers that hold the key: another file's test searches all of them."""
    yield
    cli.run(example("is-prime", "gone"), "--image-name", NAME, "--yes", command="destroy")


def secret(cli: Cli, value: str) -> str:
    """Make a secret in the sandbox; return its ARN."""
    lines = [line.removeprefix("export ") for line in cli("sandbox", "start").stdout.splitlines()]
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    client = boto3.client(
        "secretsmanager",
        endpoint_url=said["AWS_ENDPOINT_URL"],
        region_name=said["AWS_REGION"],
        aws_access_key_id=said["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"],
    )
    return str(client.create_secret(Name=f"{NAME}-api-key", SecretString=value)["ARN"])


@pytest.mark.usefixtures("leaves_nothing")
def test_a_service_with_a_key_is_proved_and_closed(cli: Cli, example: Any, tmp_path: Any) -> None:
    folder, key = example("is-prime", NAME), f"{planted('api-key')}-0123456789"
    flags = ("--api-key", secret(cli, key), "--create-job-def", "false", "--cpu", "256", "--memory", "512")
    done = cli.run(folder, *flags, "--allow-from", "10.0.0.0/8 0.0.0.0/0")
    assert done.report["outcome"] == "deployed", done.log
    assert done.report["smoke"]["deployed"]["passed"]
    assert "a task inside of the network tests" in done.log
    assert done.report["access"] == "this computer; on AWS: anyone on the internet, with an API key"
    assert "reached by this computer; on AWS: anyone on the internet, with an API key" in done.verdict
    assert "Anyone on the internet can use the model" not in done.log
    assert key not in done.log + done.verdict + json.dumps(done.report)

    url = done.report["url"]
    assert requests.get(f"{url}/health", timeout=10).status_code == 200
    assert requests.get(f"{url}/data/jobs", timeout=10).status_code == 401
    listed = requests.get(f"{url}/data/jobs", headers={"x-api-key": key}, timeout=10)
    assert listed.json()["data"]["total"] == 0  # the smoke test has deleted its own

    file = planted_file(tmp_path / "key.txt", key)
    again = cli.run(folder, *flags, "--smoke-api-key", file)
    assert again.report["outcome"] == "unchanged", again.log
    assert again.report["smoke"]["deployed"]["passed"]
    assert "a task inside" not in again.log


def test_a_model_on_this_computer_answers_for_its_own_names_only(cli: Cli, example: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    folder = example("is-prime", "at-home")
    try:
        done = cli.run(folder, "--port", port, "--allowed-hosts", "models.example", command="serve")
        assert (done.report["outcome"], done.report["access"]) == ("serving", "this computer"), done.log
        for host, status in (("localhost", 200), ("models.example", 200), ("evil.example", 421)):
            answer = requests.get(f"http://127.0.0.1:{port}/data/jobs", headers={"Host": f"{host}:{port}"}, timeout=10)
            assert answer.status_code == status
        again = cli.run(folder, "--port", port, "--allowed-hosts", "models.example", command="serve")
        assert again.report["outcome"] == "unchanged", again.log
        other = cli.run(folder, "--port", port, command="serve")
        assert other.report["outcome"] == "serving", other.log
    finally:
        cli("serve", folder, "--stop")
