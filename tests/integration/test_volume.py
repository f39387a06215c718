"""Several tasks of one service: a queue in PostgreSQL and a data volume that all of them share, in two zones."""

import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest

from rig import postgres
from tests.integration.conftest import Cli, Completed
from tests.integration.test_main_path import get, journal
from tests.rig.waiting import eventually

NAME = "mdtwo"


@pytest.fixture(scope="module")
def queue() -> Iterator[str]:
    """Start a real PostgreSQL that containers reach; yield its URL."""
    with contextlib.closing(docker.from_env()) as engine:
        gateway = str(engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"])
    with postgres.running(gateway) as server:
        yield server.make_database()


class Account:
    """The sandbox's account, by AWS's own SDK."""

    def __init__(self, cli: Cli) -> None:
        self.variables = dict(re.findall(r"(AWS_\w+)=(\S+)", cli("sandbox", "start").stdout))

    def client(self, service: str) -> Any:
        keys = {name.lower(): self.variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.variables["AWS_ENDPOINT_URL"], **keys)

    def tasks(self) -> list[Any]:
        ecs = self.client("ecs")
        arns = ecs.list_tasks(cluster="model-dockerize", serviceName=NAME)["taskArns"]
        return list(ecs.describe_tasks(cluster="model-dockerize", tasks=arns)["tasks"])

    def story(self) -> str:
        """Tell what the scheduler did, and how tasks ended."""
        ecs = self.client("ecs")
        (service,) = ecs.describe_services(cluster="model-dockerize", services=[NAME])["services"]
        ended = ecs.list_tasks(cluster="model-dockerize", serviceName=NAME, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster="model-dockerize", tasks=ended)["tasks"] if ended else []
        ends = [
            f"{one['lastStatus']} {one.get('stopCode')}: {one.get('stoppedReason')} {one['containers']}"
            for one in tasks
        ]
        return "\n".join([*(f"{event['createdAt']:%T} {event['message']}" for event in service["events"]), *ends])

    def url(self, task: Any) -> str:
        (identity,) = [d["value"] for d in task["attachments"][0]["details"] if d["name"] == "networkInterfaceId"]
        (interface,) = self.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[identity])[
            "NetworkInterfaces"
        ]
        return f"http://{interface['Association']['PublicIp']}"


def submit(url: str, data: bytes) -> str:
    edge = "edge-of-the-form"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="File"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    )
    request = urllib.request.Request(
        f"{url}/data/add-job",
        data=head.encode() + data + f"\r\n--{edge}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={edge}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.loads(answer.read())["data"]["id"])


def result(url: str, job: str) -> str:
    eventually(lambda: json.loads(get(f"{url}/data/status/{job}?wait=5")[1])["data"]["status"] == "Complete")
    return get(f"{url}/data/result/{job}")[1]


def attempts(url: str) -> int:
    """Return how many jobs this very server has taken."""
    return int(
        sum(float(n) for n in re.findall(r"^model_job_attempts_total\S* (\S+)$", get(f"{url}/metrics")[1], re.M))
    )


@pytest.fixture
def leaves_nothing(cli: Cli, example: Any) -> Iterator[None]:
    """Remove all containers that hold a secret, even if a test fails: another file's test searches all of them."""
    yield
    cli.run(example("is-prime", NAME), "--image-name", NAME, "--yes", command="destroy")


def deploy(cli: Cli, folder: Path, secret: str) -> Completed:
    size = ("--image-name", NAME, "--cpu", "256", "--memory", "512", "--create-job-def", "false")
    shared = ("--volume", "data", "--queue-url", secret, "--zones", "2", "--desired-count", "2")
    return cli.run(folder, *size, *shared)


@pytest.mark.usefixtures("leaves_nothing")
def test_jobs_of_one_task_are_answered_by_the_other(cli: Cli, example: Any, queue: str) -> None:
    folder, account = example("is-prime"), Account(cli)
    sample = (folder / "smoke" / "input.txt").read_bytes()
    secret = account.client("secretsmanager").create_secret(Name="queue", SecretString=queue)["ARN"]
    done = deploy(cli, folder, secret)
    assert done.report["outcome"] == "deployed", done.log
    assert queue not in done.log + done.verdict + json.dumps(done.report)

    tasks = account.tasks()
    assert len({task["availabilityZone"] for task in tasks}) == len(tasks) == 2
    first, second = (account.url(task) for task in tasks)
    # Jobs of the one, results of the other, until both have done some of the work. A server looks each second for the
    # jobs of another one: so it sees one when there are more than the other can do in that time.
    expected = result(second, first_job := submit(first, sample))
    end, many = time.monotonic() + 60, 4
    while not (attempts(first) and attempts(second)):
        assert time.monotonic() < end
        jobs = [submit(first, sample) for _ in range(many)]
        assert {result(second, job) for job in jobs} == {expected}
        many *= 2
    assert result(first, submit(second, sample)) == expected

    # The same again: nothing is called that changes anything.
    journal(cli, reset=True)
    again = deploy(cli, folder, secret)
    assert again.report["outcome"] == "unchanged", again.log
    assert [call["action"] for call in journal(cli) if call["mutating"]] == []

    # A task that ends takes nothing with it: another one of the service has the jobs of both.
    account.client("ecs").stop_task(cluster="model-dockerize", task=tasks[0]["taskArn"])
    old = {task["taskArn"] for task in tasks}

    def new_and_healthy() -> list[Any]:
        return [t for t in account.tasks() if t["taskArn"] not in old and t.get("healthStatus") == "HEALTHY"]

    (new, *_) = eventually(new_and_healthy, tell=account.story, pause=0.2)
    assert result(account.url(new), first_job) == expected

    # The data outlives the model, unless somebody says otherwise.
    ours = ("--image-name", NAME, "--volume", "data", "--yes")
    gone = cli.run(folder, *ours, command="destroy")
    assert gone.report["outcome"] == "destroyed", gone.log
    assert "destroy --delete-data removes it" in gone.verdict
    assert len(account.client("efs").describe_file_systems()["FileSystems"]) == 1
    gone = cli.run(folder, *ours, "--delete-data", command="destroy")
    assert gone.report["outcome"] == "destroyed", gone.log
    assert account.client("efs").describe_file_systems()["FileSystems"] == []
