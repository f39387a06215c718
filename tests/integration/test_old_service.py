"""The old service's files and scripts against the sandbox, with real containers: what they promise, they do."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest

from docker_service.create_docker import create_docker_image, create_dockerfile
from docker_service.ecr_push import connect_to_ecr, ecr_client, ecr_push, push_image, tag_image
from model_dockerize.errors import ProgramError
from tests.integration.conftest import ROOT, Cli
from tests.integration.test_main_path import journal
from tests.rig import existing_files
from tests.rig.docker_command import both_outputs
from tests.rig.waiting import BUSY_SECONDS, eventually

BASE = "python:3.13-slim-trixie"
REGION = "eu-central-1"  # not the sandbox's own: AwsConfig.ini decides
# As the journal names them, in small letters.
WRITES = {"createrepository", "putimage", "registerjobdefinition", "createcomputeenvironment", "submitjob"}


@dataclass(frozen=True)
class OldService:
    """The reference's files, pointed at the sandbox, and who runs them."""

    cli: Cli
    folder: Path
    environment: dict[str, str]
    secret: str

    def __call__(self, *arguments: str, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        """Run a script of scripts/ from another folder than its own, with files of ours."""
        script, *rest = arguments
        words = [str(self.folder / word) if (self.folder / word).is_file() else word for word in rest]
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *words],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BUSY_SECONDS,
            check=False,
        )
        assert self.secret not in done.stdout + done.stderr
        return done

    def config(self, name: str = "Config.ini", **values: str) -> str:
        """Write a Config.ini with other values; the base image is one that is at hand, which is the additional key."""
        lines = []
        for line in existing_files.CONFIG.splitlines():
            key = line.partition(" =")[0]
            lines.append(f"{key} = {values[key]}" if key in values else line)
            if line == "[dockerfile]":
                lines.append(f"base_image = {values.get('base_image', 'python:3.13-slim-trixie')}")
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return name

    def edit(self, name: str, *changes: tuple[str, str]) -> None:
        file = self.folder / name
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a client of the sandbox, as somebody else would have it."""
        session = boto3.Session("123456789012", self.secret, region_name=region)
        return session.client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"])

    def tags(self, repository: str) -> dict[str, str]:
        """Return the tags of a repository in ECR, with their digests."""
        images = self.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
        return {tag: image["imageDigest"] for image in images for tag in image["imageTags"]}

    def calls(self) -> list[str]:
        return [call["action"].lower() for call in journal(self.cli)]


def as_the_console_left_it(service: OldService) -> None:
    """Make the two roles that the files name, which we use and never make."""
    iam = service.client("iam")
    for role, principal in (("AWSBatchServiceRole", "batch"), ("ecsInstanceRole", "ec2")):
        trust = {"Effect": "Allow", "Principal": {"Service": f"{principal}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName="ecsInstanceRole")
    iam.add_role_to_instance_profile(InstanceProfileName="ecsInstanceRole", RoleName="ecsInstanceRole")


@pytest.fixture(scope="module")
def old(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldService]:
    started = cli("sandbox", "start")
    told = dict(line.removeprefix("export ").split("=", 1) for line in started.stdout.splitlines() if "=" in line)
    folder = existing_files.write(tmp_path_factory.mktemp("old"))
    environment = {**cli.environment, "AWS_ENDPOINT_URL": told["AWS_ENDPOINT_URL"]}
    service = OldService(cli, folder, environment, told["AWS_SECRET_ACCESS_KEY"])
    service.edit(
        "AwsConfig.ini",
        ("AKIDEXAMPLE", told["AWS_ACCESS_KEY_ID"]),
        ("secret/with+signs%and=more", service.secret),
    )
    as_the_console_left_it(service)
    ec2 = service.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    # Instances of AWS Batch need a way to ECS: a gateway, and addresses of their own.
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    group = ec2.create_security_group(VpcId=vpc, GroupName="jobs", Description="jobs")["GroupId"]
    registry = service.client("ecr").get_authorization_token()["authorizationData"][0]["proxyEndpoint"]
    host = registry.split("://", 1)[-1]
    service.edit(
        "BatchConfig.yml",
        ("subnet-0123abcd", subnet),
        ("sg-0123abcd", group),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", host),
    )
    service.config()
    yield service
    subprocess.run(
        ["docker", "image", "rm", "--force", "sample-program", "sample-program:1.0"], capture_output=True, check=False
    )


@pytest.fixture(scope="module")
def shipped(old: OldService) -> subprocess.CompletedProcess[str]:
    """Run everything once; the tests of this module stand on it."""
    journal(old.cli, reset=True)
    done = old("main.py", "Config.ini")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_main_py_goes_from_the_dockerfile_to_the_job_definition(
    old: OldService, shipped: subprocess.CompletedProcess[str]
) -> None:
    stages = [line.split()[1] for line in shipped.stderr.splitlines() if line.startswith(("✓", "="))]
    assert [name for name in stages if name in ("program", "build", "push", "batch")] == [
        "program", "build", "push", "batch",
    ]  # fmt: skip
    assert "job definition sample-definition:1: new" in shipped.stderr
    assert "Python" not in shipped.stdout
    # The image, as `docker build -t sample-program:latest program` would have left it.
    run = ["docker", "run", "--rm", "sample-program:latest", "python", "sampleProgram.py", "requirements.txt"]
    ran = subprocess.run(run, capture_output=True, text=True, check=False)
    assert ran.stdout == "nobody /program 1\n", ran.stderr
    # ECR, in the region of AwsConfig.ini and nowhere else.
    (there,) = old.client("ecr").describe_images(repositoryName="sample-repository")["imageDetails"]
    assert "v1" in there["imageTags"]
    assert f"@{there['imageDigest']}" in shipped.stdout
    elsewhere = old.client("ecr", "us-east-1").describe_repositories()["repositories"]
    assert "sample-repository" not in [repository["repositoryName"] for repository in elsewhere]
    (definition,) = old.client("batch").describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    properties = definition["containerProperties"]
    assert properties["image"].endswith(there["imageDigest"])
    assert properties["command"] == ["python", "sampleProgram.py", "Ref::infile"]
    assert definition["parameters"] == {"infile": "requirements.txt"}
    assert "registerjobdefinition" in old.calls()
    assert "createservice" not in old.calls()


def test_a_second_run_changes_nothing_and_a_changed_program_makes_the_next_revision(
    old: OldService, shipped: subprocess.CompletedProcess[str]
) -> None:
    journal(old.cli, reset=True)
    again = old("main.py", "Config.ini")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "unchanged" in again.stdout
    assert [call for call in journal(old.cli) if call["mutating"]] == []
    (old.folder / "program" / "note.txt").write_text("changed\n", encoding="utf-8")
    changed = old("main.py", old.config("Other.ini", version="v2", image_version="1.0"))
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert "job definition sample-definition:2: next revision" in changed.stderr
    tags = old.tags("sample-repository")
    assert tags["v1"] != tags["v2"]


def test_main_b_py_makes_the_environment_and_its_job_runs_in_a_container(
    old: OldService, shipped: subprocess.CompletedProcess[str]
) -> None:
    done = old("main_b.py", "BatchConfig.yml", "AwsConfig.ini")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "JOB_QUEUE_NAME=sample-queue JOB_DEFINITION_NAME=sample-definition" in done.stderr
    assert "--update-function NAME" in done.stderr
    batch = old.client("batch")
    (environment,) = batch.describe_compute_environments()["computeEnvironments"]
    resources = environment["computeResources"]
    assert (environment["type"], environment["state"], environment["status"]) == ("MANAGED", "ENABLED", "VALID")
    assert (resources["type"], resources["instanceTypes"], resources["minvCpus"]) == ("EC2", ["optimal"], 0)
    assert resources["maxvCpus"] == 128
    assert environment["serviceRole"].endswith("role/AWSBatchServiceRole")
    (queue,) = batch.describe_job_queues()["jobQueues"]
    assert (queue["jobQueueName"], queue["priority"], queue["status"]) == ("sample-queue", 100, "VALID")
    assert queue["computeEnvironmentOrder"] == [
        {"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}
    ]
    job = _ended(batch, "sample-queue")
    assert job["status"] == "SUCCEEDED", job
    stream = job["container"]["logStreamName"]
    group = job["container"]["logConfiguration"]["options"]["awslogs-group"]
    logs, lines = old.client("logs"), len(existing_files.PROGRAM.splitlines())

    def told() -> bool:  # the end of a job is known before its last lines are in the log
        events = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
        return [event["message"] for event in events] == [f"hello /program {lines}"]

    eventually(told)


def test_main_2_py_updates_what_differs_and_leads_the_function(
    old: OldService, shipped: subprocess.CompletedProcess[str]
) -> None:
    text = (old.folder / "BatchConfig.yml").read_text(encoding="utf-8")
    (old.folder / "NoJob.yml").write_text(text[: text.index("\njob:\n")], encoding="utf-8")
    first = old("main2.py", "NoJob.yml", "AwsConfig.ini")
    assert first.returncode == 0, first.stdout + first.stderr
    journal(old.cli, reset=True)
    again = old("main2.py", "NoJob.yml", "AwsConfig.ini")
    assert (again.returncode, again.stdout.split()[0]) == (0, "unchanged"), again.stdout + again.stderr
    assert [call for call in journal(old.cli) if call["mutating"]] == []
    assert "--update-function" not in again.stderr
    old.edit("NoJob.yml", ("max_vcpus: 128", "max_vcpus: 64"), ("priority: 100", "priority: 7"))
    planned = old("main2.py", "NoJob.yml", "AwsConfig.ini", "--dry-run")
    assert "~ compute environment sample-environment (maxvCpus 128 -> 64)" in planned.stdout
    assert "~ job queue sample-queue (priority 100 -> 7)" in planned.stdout
    changed = old("main2.py", "NoJob.yml", "AwsConfig.ini", "--update-function", "old-function")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    batch = old.client("batch")
    (environment,) = batch.describe_compute_environments()["computeEnvironments"]
    (queue,) = batch.describe_job_queues()["jobQueues"]
    assert (environment["computeResources"]["maxvCpus"], queue["priority"]) == (64, 7)
    told = old.client("lambda").get_function_configuration(FunctionName="old-function")["Environment"]["Variables"]
    assert (told["JOB_QUEUE_NAME"], told["JOB_DEFINITION_NAME"]) == ("sample-queue", "sample-definition")


def test_what_a_file_described_is_destroyed_by_it(old: OldService, shipped: subprocess.CompletedProcess[str]) -> None:
    old.edit("BatchConfig.yml", ("sample-definition", "other-definition"))
    text = (old.folder / "BatchConfig.yml").read_text(encoding="utf-8")
    old.edit("BatchConfig.yml", ("other-definition", "sample-definition"))
    (old.folder / "Other.yml").write_text(text[: text.index("\njob:\n")], encoding="utf-8")
    made = old("main_b.py", "Other.yml", "AwsConfig.ini")
    assert made.returncode == 0, made.stdout + made.stderr
    files = [str(old.folder / name) for name in ("Other.yml", "AwsConfig.ini")]
    done = subprocess.run(
        [sys.executable, "-m", "model_dockerize", "destroy", *files, "--yes", "--verbose"],
        env=old.environment, capture_output=True, text=True, timeout=BUSY_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stack model-dockerize-other-definition: removed" in done.stderr
    assert "job queue sample-queue: used by stack model-dockerize-sample-definition" in done.stderr
    stacks = old.client("cloudformation").describe_stacks()["Stacks"]
    assert "model-dockerize-other-definition" not in [stack["StackName"] for stack in stacks]
    names = {
        each["jobDefinitionName"]
        for each in old.client("batch").describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    }
    assert "other-definition" not in names and "sample-definition" in names


@pytest.mark.parametrize(
    ("push", "define", "outcome", "asked"),
    [
        ("false", "FALSE", "built", False),
        ("False", "True", "registered", True),
        ("TRUE", "fAlSe", "pushed", True),
    ],
)
def test_push_and_job_definition_are_switched_one_by_one(
    old: OldService, shipped: subprocess.CompletedProcess[str], push: str, define: str, outcome: str, asked: bool
) -> None:
    name = old.config(
        "Switched.ini", push_to_ecr=push, create_job_def=define, repository=f"switched-{push.lower()}",
        aws_config_file="AwsConfig.ini" if asked else "nowhere.ini",
        batch_config_file="BatchConfig.yml" if define == "True" else "nowhere.yml",
    )  # fmt: skip
    if define == "True":
        old.edit("BatchConfig.yml", ("memory: 512", "memory: 600"))  # so that there is something to register
    journal(old.cli, reset=True)
    done = old("main.py", name)
    assert (done.returncode, done.stdout.split()[0]) == (0, outcome), done.stdout + done.stderr
    wrote = set(old.calls()) & WRITES
    assert ("putimage" in wrote) == (push == "TRUE")
    assert ("registerjobdefinition" in wrote) == (define == "True")
    if not asked:
        assert old.calls() == []


def test_it_stops_at_the_first_failure_with_its_exit_code(old: OldService) -> None:
    (old.folder / "program" / "fails.sh").write_text("echo no such thing here\nexit 9\n", encoding="utf-8")
    journal(old.cli, reset=True)
    done = old("main.py", old.config("Fails.ini", init_file="fails.sh", repository="never-made"))
    assert done.returncode == 5, done.stdout + done.stderr
    assert "no such thing here" in done.stdout
    assert not set(old.calls()) & WRITES


def test_keys_of_another_account_are_refused_before_anything_is_made(old: OldService) -> None:
    text = (old.folder / "AwsConfig.ini").read_text(encoding="utf-8")
    other = text.replace("aws_id = 123456789012", "aws_id = 210987654321")
    (old.folder / "Other account.ini").write_text(other, encoding="utf-8")
    journal(old.cli, reset=True)
    done = old("main.py", old.config("Guarded.ini", aws_config_file="Other account.ini"))
    assert done.returncode == 8, done.stdout + done.stderr
    assert "[aws] aws_id" in done.stdout
    assert not set(old.calls()) & WRITES


@pytest.fixture(scope="module")
def aws_cli() -> Iterator[str]:
    """Build an image with a real AWS CLI 2, docker, dash and busybox."""
    name = "mdtest-aws-cli"
    dockerfile = (ROOT / "tests" / "rig" / "aws-cli.Dockerfile").read_text(encoding="utf-8")
    both_outputs("buildx", "build", "--load", "--tag", name, "-", stdin=dockerfile)
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


@dataclass(frozen=True)
class Shell:
    """push-to-ecr.sh in a container of the AWS CLI's image, by one shell or another."""

    old: OldService
    image: str

    def __call__(self, shell: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        keys = {
            "AWS_ENDPOINT_URL": self.old.environment["AWS_ENDPOINT_URL"],
            "AWS_ACCESS_KEY_ID": "123456789012",
            "AWS_SECRET_ACCESS_KEY": self.old.secret,
            "AWS_REGION": REGION,
            **environment,
        }
        # What is left behind is listed last.
        script = (
            f'{shell} /scripts/push-to-ecr.sh "$@"; code=$?; echo LEFT $(ls -A /dev/shm /tmp ~/.docker); exit $code'
        )
        done = subprocess.run(
            [
                *("docker", "run", "--rm", "--network", "host"),
                *("--volume", "/var/run/docker.sock:/var/run/docker.sock"),
                *("--volume", f"{ROOT / 'scripts'}:/scripts:ro"),
                *(word for name in keys for word in ("--env", name)),
                *(self.image, "sh", "-c", script, "sh", *arguments),
            ],
            env={**self.old.environment, **keys},
            capture_output=True,
            text=True,
            check=False,
        )
        assert self.old.secret not in done.stdout + done.stderr
        return done


@pytest.mark.parametrize("shell", ["dash", "busybox sh"])
def test_push_to_ecr_sh_does_what_model_dockerize_push_does(
    old: OldService, shipped: subprocess.CompletedProcess[str], aws_cli: str, shell: str
) -> None:
    run = Shell(old, aws_cli)
    done = old("main.py", old.config("Pushed.ini", image_version="1.0", version="by-main", create_job_def="false"))
    assert done.returncode == 0, done.stdout + done.stderr
    pushed = old.tags("sample-repository")["by-main"]
    version = f"by-{shell[:4]}"
    arguments = ("123456789012", "sample-program:1.0", "sample-repository", version)
    # -x: every command with its arguments. The log-in must not be among them.
    done = run(f"{shell} -x", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert old.tags("sample-repository")[version] == pushed
    assert done.stdout.splitlines()[-2].endswith(f"/sample-repository@{pushed}")
    assert max(len(word) for word in done.stderr.split()) < 200
    left = done.stdout.splitlines()[-1]
    assert left.startswith("LEFT") and "push-to-ecr" not in left and "config.json" not in left


def test_push_to_ecr_sh_makes_the_repository_in_the_region_that_is_given(
    old: OldService, shipped: subprocess.CompletedProcess[str], aws_cli: str
) -> None:
    run = Shell(old, aws_cli)
    arguments = ("123456789012", "sample-program:latest", "made-by-script", "1")
    done = run("sh", *arguments, AWS_REGION="", AWS_DEFAULT_REGION="eu-west-3")
    assert done.returncode == 0, done.stdout + done.stderr
    (there,) = old.client("ecr", "eu-west-3").describe_images(repositoryName="made-by-script")["imageDetails"]
    assert "1" in there["imageTags"]


def test_push_to_ecr_sh_refuses_what_it_cannot_do(
    old: OldService, shipped: subprocess.CompletedProcess[str], aws_cli: str
) -> None:
    run = Shell(old, aws_cli)
    other = run("sh", "210987654321", "sample-program:latest", "sample-repository", "1")
    assert (other.returncode, "belong to account 123456789012, not to 210987654321" in other.stderr) == (8, True)
    absent = run("sh", "123456789012", "no-such-image:1", "sample-repository", "1")
    assert (absent.returncode, "holds no image no-such-image:1" in absent.stderr) == (4, True)
    nowhere = run("sh", "123456789012", "sample-program:latest", "sample-repository", "1", AWS_REGION="")
    assert (nowhere.returncode, "no region" in nowhere.stderr) == (2, True)


@pytest.fixture
def credentials(old: OldService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the sandbox's credentials in this process's environment, and its folder as the current one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", old.environment["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", old.secret)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.chdir(old.folder)


@pytest.mark.usefixtures("credentials")
def test_the_examples_of_the_library_run(old: OldService) -> None:
    """Run every example of the old modules in docs/library.md, one after the other, as it stands there."""
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8").partition("## The old service")[2]
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 3
    names: dict[str, Any] = {}
    for example in examples:
        exec(example, names)  # noqa: S102 - our own documentation
    assert names["definition"]["revision"] >= 1
    assert names["name"].endswith("/counter:1.0")
    assert "1.0" in old.tags("counter")
    job = old.client("batch").describe_jobs(jobs=[names["job"]["jobId"]])["jobs"][0]
    assert job["jobName"] == "count-one"
    subprocess.run(["docker", "image", "rm", "--force", "counter:1.0", names["name"]], capture_output=True, check=False)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("by_keyword", [False, True])
def test_the_calls_make_the_image_and_push_it_by_position_and_by_keyword(old: OldService, by_keyword: bool) -> None:
    name = f"old-calls-{by_keyword}".lower()
    folder = old.folder / name
    folder.mkdir()
    (folder / "sampleProgram.py").write_text(existing_files.PROGRAM, encoding="utf-8")
    (folder / "first.sh").write_text("sudo -E touch /made-by-init\n", encoding="utf-8")
    (folder / "needs.txt").write_text("", encoding="utf-8")
    (folder / "AWSConfig.ini").write_text(f"[aws]\naws_secret_access_key = {old.secret}\n", encoding="utf-8")
    engine = docker.from_env()
    if by_keyword:
        create_dockerfile(
            program_path=f"{folder}/", init_file="first.sh", requirements_file="needs.txt", base_image=BASE
        )
        create_docker_image(program_path=f"{folder}/", image_name=name, image_version="1")
        client = ecr_client(region=REGION, aws_access_key_id="123456789012", aws_secret_access_key=old.secret)
        login = connect_to_ecr(ecr_client=client, aws_id="123456789012")
        pushed = ecr_push(
            ecr_client=client,
            aws_id="123456789012",
            docker_client=engine,
            image=f"{name}:1",
            repository=name,
            version="v",
        )
        tagged = tag_image(
            docker_client=engine, image=f"{name}:1", registry=login["registry"], repository=name, version="w"
        )
        digest = push_image(docker_client=engine, **login, upload_img=tagged, retry=2)
    else:
        create_dockerfile(str(folder / "Dockerfile"), "first.sh", "needs.txt", base_image=BASE)
        create_docker_image(str(folder / "Dockerfile"), name, "1")
        client = ecr_client(REGION, "123456789012", old.secret)
        login = connect_to_ecr(client, "123456789012")
        pushed = ecr_push(client, "123456789012", engine, f"{name}:1", name, "v")
        tagged = tag_image(engine, engine.images.get(f"{name}:1"), login["registry"], name, "w")
        digest = push_image(engine, login["username"], login["password"], login["registry"], tagged, 2)
    assert pushed == f"{login['registry']}/{name}:v"
    assert tagged == f"{login['registry']}/{name}:w"
    assert old.tags(name) == {"v": digest, "w": digest}
    looks = ["docker", "run", "--rm", f"{name}:1", "sh", "-c", "ls /made-by-init; command -v sudo; ls *.*"]
    ran = subprocess.run(looks, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["/made-by-init", "first.sh", "needs.txt", "sampleProgram.py"]
    # A Dockerfile of the caller's own is built as it is.
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY . /all/\nCMD ["x"]\n', encoding="utf-8")
    mine = create_docker_image(folder, name, "2")
    assert engine.images.get(mine.ref).attrs["Config"]["Cmd"] == ["x"]
    with pytest.raises(ProgramError, match="There is no Dockerfile"):
        create_docker_image(old.folder, name)
    engine.close()
    for made in (f"{name}:1", f"{name}:2", pushed, tagged):
        subprocess.run(["docker", "image", "rm", "--force", made], capture_output=True, check=False)


def _ended(batch: Any, queue: str) -> Any:
    """Return the newest job of the queue, once it is over."""

    def listed() -> list[Any]:
        states = ("SUCCEEDED", "FAILED")
        return [job for state in states for job in batch.list_jobs(jobQueue=queue, jobStatus=state)["jobSummaryList"]]

    over = eventually(listed, tell=lambda: batch.list_jobs(jobQueue=queue), pause=0.3)
    return batch.describe_jobs(jobs=[over[0]["jobId"]])["jobs"][0]
