"""Attacks on a running sandbox: by what holds no secret of it, and by what it runs itself."""

import io
import json
import shutil
import stat
import subprocess
import textwrap
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox
from model_sandbox import rights
from model_sandbox.container_spec import ContainerSpec, Mount
from model_sandbox.engine import Engine, StartError
from tests.rig.homes import NewHome
from tests.rig.processes import command_lines
from tests.rig.sandbox_calls import signed
from tests.rig.settled import wait_for_role
from tests.rig.waiting import eventually

BASE = "python:3.13-slim-trixie"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#: What a caller without a secret tries: method, path, body, headers.
UNSIGNED: dict[str, tuple[str, str, bytes, dict[str, str]]] = {
    "a function": ("POST", "/2015-03-31/functions", b"{}", {"Content-Type": "text/plain"}),
    "an invocation": ("POST", "/2015-03-31/functions/g/invocations", b"{}", {}),
    "a query": ("POST", "/", b"Action=CreateUser&UserName=x&Version=2010-05-08", FORM),
    "a query in the address": ("GET", "/?Action=ListUsers&Version=2010-05-08", b"", {}),
    "a target": ("POST", "/", b"{}", {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}),
    "a token of nobody": (
        "POST",
        "/",
        b"Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=s"
        b"&WebIdentityToken=eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZXBvOm8vciJ9.",
        FORM,
    ),
    "the buckets": ("GET", "/", b"", {}),
    "an object": ("PUT", "/kept/key", b"x", {}),
    "a reset": ("POST", "/_ministack/reset", b"", {}),
    "settings": ("POST", "/_ministack/config", b"{}", {}),
    "its health": ("GET", "/_ministack/health", b"", {}),
    "another health": ("GET", "/_localstack/health", b"", {}),
    "an API": ("GET", "/_aws/execute-api/x/y/z", b"", {}),
    "a preflight": ("OPTIONS", "/", b"", {"Access-Control-Request-Method": "POST"}),
    "the journal": ("GET", "/_sandbox/journal", b"", {}),
    "to empty the journal": ("DELETE", "/_sandbox/journal", b"", {}),
    "to end passwords": ("POST", "/_sandbox/registry-tokens/expire", b"", {}),
    "the registry": ("GET", "/v2/", b"", {}),
    "a log-in": ("GET", "/oauth2/authorize", b"", {}),
}


#: Services that speak JSON 1.1 refuse with 400.
REFUSED = {attack: (400,) if attack == "a target" else (401, 403) for attack in UNSIGNED}


@pytest.fixture(scope="module", params=["off", "enforced"])
def box(request: pytest.FixtureRequest, new_home: NewHome) -> Iterator[Sandbox]:
    """Start a sandbox in each of its two modes."""
    home = new_home(f"attacked-{request.param}")
    running = sandbox.start(home, Silent(), request.param)
    try:
        yield running
    finally:
        sandbox.stop(home, Silent())


def client(box: Sandbox, service: str, **changes: Any) -> Any:
    """Return a client that the root of the sandbox's account has."""
    keys = {"aws_access_key_id": box.account_id, "aws_secret_access_key": box.secret_key}
    given = {"endpoint_url": box.endpoint_url, "region_name": box.region, **keys, **changes}
    return boto3.client(service, **given)


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def code_of(call: Callable[[], object]) -> str:
    """Return the AWS error code that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


# ---- who holds no secret


@pytest.mark.parametrize("attack", UNSIGNED)
def test_nothing_is_answered_that_nobody_signed(box: Sandbox, attack: str) -> None:
    method, path, body, headers = UNSIGNED[attack]
    request = urllib.request.Request(box.endpoint_url + path, body or None, headers, method=method)
    assert status_of(request) in REFUSED[attack]


def forged(box: Sandbox) -> dict[str, urllib.request.Request]:
    """Return requests whose signature is not that of the sandbox's secret, or not that of the request."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"

    def good(**changes: str) -> urllib.request.Request:
        return signed(box, "POST", "/", body, "sts", **changes)

    def header(name: str, change: Callable[[str], str]) -> urllib.request.Request:
        request = good()
        request.add_header(name, change(str(request.get_header(name, ""))))
        return request

    old = datetime.now(UTC) - timedelta(hours=1)
    found = {
        "another secret": good(secret="x"),
        "an empty secret": good(secret=""),
        "a key of nobody": good(key="AKIAIOSFODNN7EXAMPLE"),
        "a key that is a word": good(key="test", secret="test"),
        "a token that was not given": good(token="x"),
        "no signature but zeros": header("Authorization", lambda text: text[:-64] + "0" * 64),
        "a short signature": header("Authorization", lambda text: text.partition("Signature=")[0] + "Signature=00"),
        "two credentials": header(
            "Authorization", lambda text: text.replace(" Credential=", " Credential=a/b, Credential=")
        ),
        "two signatures": header("Authorization", lambda text: f"{text}, {text}"),
        "another algorithm": header("Authorization", lambda text: text.replace("HMAC-SHA256", "ECDSA-P256-SHA256")),
        "Basic": header("Authorization", lambda _: "Basic QVdTOng="),
        "another hour": header("X-amz-date", lambda _: f"{old:%Y%m%dT%H%M%SZ}"),
        "no hour": header("X-amz-date", lambda _: ""),
        "a body that is said to be unsigned": header("X-amz-content-sha256", lambda _: "UNSIGNED-PAYLOAD"),
    }
    other = good()
    other.data = body.replace(b"GetCallerIdentity", b"GetSessionToken--")
    elsewhere = good()
    elsewhere.full_url = f"{box.endpoint_url}/?Action=CreateUser"
    return {**found, "another body": other, "another address": elsewhere}


def test_no_signature_but_its_own_is_taken(box: Sandbox) -> None:
    assert status_of(signed(box, "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", "sts")) == 200
    taken = {name: status for name, request in forged(box).items() if (status := status_of(request)) not in (400, 403)}
    assert taken == {}


def test_a_signed_body_cannot_be_exchanged(box: Sandbox) -> None:
    client(box, "s3").create_bucket(Bucket="exchanged")
    put = signed_put(box, "/exchanged/key", b"mine")
    put.data = b"evil"
    assert status_of(put) in (400, 403)
    assert "Contents" not in client(box, "s3").list_objects_v2(Bucket="exchanged")


def signed_put(box: Sandbox, path: str, body: bytes) -> urllib.request.Request:
    """Return an upload as botocore sends it: the hash of its body is in its head."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("PUT", box.endpoint_url + path, {}, body)
    S3SigV4Auth(Credentials(box.account_id, box.secret_key), "s3", box.region).add_auth(request)
    return urllib.request.Request(box.endpoint_url + path, body, dict(request.headers.items()), method="PUT")


@pytest.mark.parametrize("change", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_web_page_is_not_answered_even_where_it_has_a_signature(box: Sandbox, change: dict[str, str]) -> None:
    request = signed(box, "GET", "/_sandbox/journal")
    for name, value in change.items():
        request.add_header(name, value)
    assert status_of(request) == 403
    health = urllib.request.Request(f"{box.endpoint_url}/_sandbox/health", None, change)
    assert status_of(health) == 403


def test_a_foreign_name_that_leads_here_is_not_answered(box: Sandbox) -> None:
    port = box.endpoint_url.rpartition(":")[2]
    request = signed(box, "GET", "/_sandbox/journal", url=f"http://evil.example:{port}")
    request.full_url = f"{box.endpoint_url}/_sandbox/journal"
    request.add_header("Host", f"evil.example:{port}")
    assert status_of(request) == 403
    registry = urllib.request.Request(f"{box.endpoint_url}/v2/", None, {"Host": "evil.example"})
    assert status_of(registry) == 403


def test_a_web_socket_is_not_opened(box: Sandbox) -> None:
    wanted = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    wanted["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    assert status_of(urllib.request.Request(f"{box.endpoint_url}/", None, wanted)) == 403


def test_not_even_its_owner_reaches_what_is_not_aws(box: Sandbox) -> None:
    name = f"kept-{uuid.uuid4().hex[:6]}"
    client(box, "iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    for method, path in (("POST", "/_ministack/reset"), ("GET", "/_ministack/health"), ("GET", "/_localstack/health")):
        assert status_of(signed(box, method, path, service="s3")) == 404
    assert client(box, "iam").get_role(RoleName=name)
    # What runs code or containers of its own is not served.
    for service, operation in {"glue": "get_jobs", "codebuild": "list_projects", "eks": "list_clusters"}.items():
        with pytest.raises(ClientError):
            getattr(client(box, service), operation)()


def test_a_user_of_the_account_has_what_his_key_opens_and_the_journal_is_not_his(box: Sandbox) -> None:
    iam, name = client(box, "iam"), f"ann-{uuid.uuid4().hex[:6]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    own = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    assert status_of(signed(box, "GET", "/_sandbox/journal", **own)) == 404
    arn = client(box, "sts", aws_access_key_id=own["key"], aws_secret_access_key=own["secret"]).get_caller_identity()
    assert arn["Arn"].endswith(f":user/{name}")
    iam.delete_access_key(UserName=name, AccessKeyId=own["key"])
    assert status_of(signed(box, "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", "sts", **own)) == 403


@pytest.mark.parametrize("version", [None, "s3v4"])
def test_a_presigned_url_is_good_for_what_it_was_given_for_and_no_more(box: Sandbox, version: str | None) -> None:
    s3 = client(box, "s3", config=Config(signature_version=version) if version else None)
    bucket = f"shared-{uuid.uuid4().hex[:6]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=b"told")
    given = {"Bucket": bucket, "Key": "a b/ü"}
    url = s3.generate_presigned_url("get_object", Params=given, ExpiresIn=60)
    assert requests.get(url, timeout=10).content == b"told"
    put = s3.generate_presigned_url("put_object", Params=given, ExpiresIn=60)
    assert requests.put(put, data=b"new", timeout=10).status_code == 200
    refused = (
        requests.put(url, data=b"x", timeout=10),
        requests.get(url.replace("/a%20b/", "/other/"), timeout=10),
        requests.get(s3.generate_presigned_url("get_object", Params=given, ExpiresIn=-60), timeout=10),
        requests.get(url, headers={"Origin": "https://evil.example"}, timeout=10),
        requests.get(s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket}), timeout=10),
    )
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    # Its holder can add headers and a body; they lead to no other service.
    target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    assert b"clusterArns" not in requests.put(put, data=b"{}", headers=target, timeout=10).content
    create = b"Action=CreateUser&UserName=presigned&Version=2010-05-08"
    requests.put(put, data=create, headers=FORM, timeout=10)
    assert "presigned" not in json.dumps(client(box, "iam").list_users(), default=str)


# ---- another user of the computer


def test_its_secret_is_in_no_command_line_and_its_files_are_nobody_elses(box: Sandbox, new_home: NewHome) -> None:
    assert [line for line in command_lines() if box.secret_key in line] == []
    home = Path(f"/proc/{box.pid}/fd/1").readlink().parent
    open_to_others = [
        path.relative_to(home)
        for path in (home / "sandbox.json", home / "sandbox.log", *(home / "state").glob("*"), home / "state")
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    assert open_to_others == []


def test_it_keeps_no_right_of_root_that_it_does_not_need(box: Sandbox) -> None:
    lines = Path(f"/proc/{box.pid}/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    needed = sum(1 << capability for capability in rights.KEPT)
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) & ~needed == 0
    assert int(status["CapBnd"], 16) & ~needed == 0 or status["Uid"].split()[0] != "0"


def test_another_user_gets_neither_its_files_nor_an_answer(box: Sandbox) -> None:
    home = Path(f"/proc/{box.pid}/fd/1").readlink().parent
    script = f"""
        import os, urllib.error, urllib.request
        got = []
        for name in ("sandbox.json", "sandbox.log", "state/registry"):
            try:
                path = "/home-of-the-owner/" + name
                got.append(os.listdir(path) if name.startswith("state") else open(path).read())
            except PermissionError:
                pass
        for path in ("/2015-03-31/functions", "/_ministack/reset", "/_sandbox/journal"):
            try:
                got.append(urllib.request.urlopen("{box.endpoint_url}" + path, timeout=10).read())
            except urllib.error.HTTPError as error:
                got += [] if error.code == 403 else [error.code]
        print(got)
    """
    # A user without rights, in the computer's own network: the same as another one who has logged in.
    there = ("--network=host", "--user=1234:1234", f"--volume={home}:/home-of-the-owner:ro")
    assert in_container(script, *there) == "[]"


def in_container(script: str, *options: str) -> str:
    """Run a program of Python in a container that the engine takes away again; returns what it prints."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", *options, BASE, "python", "-"],
        input=textwrap.dedent(script),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---- containers and build steps


@pytest.fixture(scope="module")
def bridge(box: Sandbox) -> str:
    """Return the address at which containers reach the sandbox."""
    settings = docker.from_env().api.inspect_network("bridge")["IPAM"]["Config"]
    gateway = next(config["Gateway"] for config in settings if "Gateway" in config)
    return f"http://{gateway}:{box.endpoint_url.rpartition(':')[2]}"


def knocking(box: Sandbox, bridge: str) -> str:
    """Write a program that tries everything from a container, even with the sandbox's secret; it prints the answers."""
    tries: list[tuple[str, str, str, dict[str, str], tuple[int, ...]]] = [
        (method, bridge + path, body.decode(), headers, REFUSED[name])
        for name, (method, path, body, headers) in UNSIGNED.items()
    ]
    tries.append(("GET", f"{bridge}/_sandbox/health?nonce=1", "", {}, (403,)))
    stolen = [
        ("POST", "/", b"Action=ListUsers&Version=2010-05-08", "iam"),
        ("GET", "/_sandbox/journal", b"", "sandbox"),
    ]
    stolen += [("GET", "/", b"", "s3"), ("POST", "/2015-03-31/functions", b"{}", "lambda")]
    for method, path, body, service in stolen:
        request = signed(box, method, path, body, service, url=bridge)
        tries.append((method, bridge + path, body.decode(), dict(request.header_items()), (403,)))
    return f"""
        import json, urllib.error, urllib.request
        got = []
        for method, url, body, headers, refused in json.loads({json.dumps(json.dumps(tries))}):
            request = urllib.request.Request(url, body.encode() or None, headers, method=method)
            try:
                got.append([url, urllib.request.urlopen(request, timeout=10).status])
            except urllib.error.HTTPError as error:
                got += [] if error.code in refused else [[url, error.code]]
        print("GOT", got)
    """


def test_a_container_gets_nothing(box: Sandbox, bridge: str) -> None:
    assert in_container(knocking(box, bridge)) == "GOT []"


def test_a_build_step_gets_nothing(box: Sandbox, bridge: str, tmp_path: Path) -> None:
    (tmp_path / "knock.py").write_text(textwrap.dedent(knocking(box, bridge)))
    (tmp_path / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY knock.py /\nRUN python /knock.py | tee /dev/stderr | grep -Fx 'GOT []'\n"
    )
    built = subprocess.run(
        ["docker", "build", "--no-cache", "--progress=plain", "--output=type=cacheonly", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr


# ---- what the sandbox runs


def a_role(box: Sandbox, name: str) -> str:
    """Return a role of containers; where policies count it may do everything."""
    iam = client(box, "iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(everything))
    wait_for_role(client(box, "lambda"), arn)
    return str(arn)


def test_a_job_has_its_own_credentials_for_its_data_alone_and_they_end_with_it(box: Sandbox, bridge: str) -> None:
    batch, logs, role = client(box, "batch"), client(box, "logs"), a_role(box, "job")
    client(box, "s3").create_bucket(Bucket="of-jobs")
    ec2 = client(box, "ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    resources = {"type": "FARGATE", "maxvCpus": 4, "subnets": [subnet["SubnetId"]], "securityGroupIds": [group]}
    batch.create_compute_environment(computeEnvironmentName="c", type="MANAGED", computeResources=resources)
    order = [{"order": 1, "computeEnvironment": "c"}]
    batch.create_job_queue(jobQueueName="q", priority=1, computeEnvironmentOrder=order)
    needs = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    print_all = (
        "import json, os, signal; signal.signal(15, lambda *_: exit(0)); "
        "print(json.dumps(dict(os.environ)), flush=True); signal.pause()"
    )
    batch.register_job_definition(
        jobDefinitionName="d",
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties={
            "image": BASE,
            "command": ["python3", "-c", print_all],
            "executionRoleArn": role,
            "jobRoleArn": role,
            "resourceRequirements": needs,
        },
    )

    def started() -> tuple[str, dict[str, str]]:
        job = batch.submit_job(jobName="j", jobQueue="q", jobDefinition="d")["jobId"]

        def said() -> dict[str, str] | None:
            (shown,) = batch.describe_jobs(jobs=[job])["jobs"]
            assert shown["status"] != "FAILED", shown
            if not (stream := shown["container"].get("logStreamName")):
                return None
            events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
            return dict(json.loads(events[0]["message"])) if events else None

        return job, eventually(said)

    (job, given), (other, others) = started(), started()
    assert given["AWS_ENDPOINT_URL"] == bridge
    assert box.secret_key not in given.values()
    assert len({given["AWS_ACCESS_KEY_ID"], others["AWS_ACCESS_KEY_ID"], box.account_id}) == 3

    def its(service: str, url: str) -> Any:
        return client(
            box,
            service,
            endpoint_url=url,
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=given["AWS_SESSION_TOKEN"],
        )

    s3 = its("s3", bridge)
    s3.put_object(Bucket="of-jobs", Key="a/b.csv", Body=b"1")
    assert s3.get_object(Bucket="of-jobs", Key="a/b.csv")["Body"].read() == b"1"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="of-jobs")["Contents"]] == ["a/b.csv"]
    assert code_of(lambda: s3.get_object(Bucket="of-nobody", Key="x")) == "NoSuchBucket"
    for call in (
        lambda: s3.create_bucket(Bucket="own"),
        s3.list_buckets,
        lambda: s3.delete_bucket(Bucket="of-jobs"),
        lambda: s3.put_bucket_notification_configuration(Bucket="of-jobs", NotificationConfiguration={}),
        lambda: its("iam", bridge).list_roles(),
        lambda: its("lambda", bridge).list_functions(),
        lambda: its("ecs", bridge).list_clusters(),
        lambda: its("batch", bridge).submit_job(jobName="k", jobQueue="q", jobDefinition="d"),
        lambda: its("s3", box.endpoint_url).list_objects_v2(Bucket="of-jobs"),
        lambda: its("sts", box.endpoint_url).get_caller_identity(),
    ):
        assert "AccessDenied" in code_of(call)
    if box.iam == "enforced":
        client(box, "iam").delete_role_policy(RoleName="job", PolicyName="p")
        assert code_of(lambda: s3.list_objects_v2(Bucket="of-jobs")) == "AccessDenied"
    batch.terminate_job(jobId=job, reason="enough")
    eventually(lambda: batch.describe_jobs(jobs=[job])["jobs"][0]["status"] == "FAILED")
    assert code_of(lambda: s3.list_objects_v2(Bucket="of-jobs")) == "InvalidAccessKeyId"
    batch.terminate_job(jobId=other, reason="enough")


FUNCTION = """
import os, subprocess, boto3

def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    if event.get("leave"):
        os._exit(7)
    if event.get("stay"):
        while True:
            pass
    print("heard", event["word"], "in", context.function_name)
    def code(call):
        try:
            call()
            return "ok"
        except Exception as error:
            return error.response["Error"]["Code"]
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    try:
        open("/etc/shadow")
        shadow = "read"
    except PermissionError:
        shadow = "closed"
    return {
        "uid": os.getuid(), "capabilities": status["CapEff"], "new privileges": status["NoNewPrivs"],
        "shadow": shadow, "host": os.path.exists(event["host"]), "own": os.environ["OWN"],
        "socket": os.path.exists("/var/run/docker.sock"),
        "jobs": code(lambda: boto3.client("batch").describe_job_queues()),
        "objects": code(lambda: boto3.client("s3").put_object(Bucket="of-functions", Key="k", Body=b"1")),
        "queues": code(lambda: boto3.client("batch").delete_job_queue(jobQueue="x")),
        "users": code(lambda: boto3.client("iam").list_users()),
        "functions": code(lambda: boto3.client("lambda").list_functions()),
    }
"""


def test_a_function_runs_in_a_container_without_rights(box: Sandbox, tmp_path: Path) -> None:
    lambdas, role = client(box, "lambda", config=Config(read_timeout=300)), a_role(box, "function")
    client(box, "s3").create_bucket(Bucket="of-functions")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("code.py", FUNCTION)
        file.writestr("../../../../../../../tmp/escaped-" + box.instance, "x")
    (tmp_path / "planted").touch()
    shared = {"Role": role, "Handler": "code.handler", "Code": {"ZipFile": code.getvalue()}, "Timeout": 120}
    lambdas.create_function(
        FunctionName="f", Runtime="python3.13", Environment={"Variables": {"OWN": "mine"}}, **shared
    )
    lambdas.create_function(FunctionName="node", Runtime="nodejs22.x", **shared)
    for name in ("f", "node"):
        lambdas.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(name: str, **event: Any) -> tuple[Any, Any]:
        answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    said, failed = invoke("f", word="hello", host=str(tmp_path / "planted"))
    assert (failed, said) == (
        None,
        {
            "uid": 65534,
            "capabilities": "0000000000000000",
            "new privileges": "1",
            "shadow": "closed",
            "host": False,
            "socket": False,
            "own": "mine",
            "jobs": "ok",
            "objects": "ok",
            "queues": "AccessDeniedException",
            "users": "AccessDenied",
            "functions": "AccessDeniedException",
        },
    )
    assert not Path(f"/tmp/escaped-{box.instance}").exists()
    streams = client(box, "logs").describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"]
    events = client(box, "logs").get_log_events(
        logGroupName="/aws/lambda/f", logStreamName=streams[0]["logStreamName"]
    )["events"]
    assert "heard hello in f" in [event["message"] for event in events]
    said, failed = invoke("f", fail="for a test")
    assert (said["errorType"], said["errorMessage"], failed) == ("ValueError", "for a test", "Unhandled")
    said, failed = invoke("f", leave=True)
    assert (said["errorType"], failed) == ("Runtime.ExitError", "Unhandled")
    assert "status 7" in said["errorMessage"]
    said, failed = invoke("node")
    assert (said["errorType"], failed) == ("InvalidRuntimeException", "Unhandled")
    lambdas.update_function_configuration(FunctionName="f", Timeout=1)
    lambdas.get_waiter("function_updated_v2").wait(FunctionName="f")
    said, failed = invoke("f", stay=True)
    assert "Task timed out after 1.00 seconds" in said["errorMessage"]
    label = {"label": f"model-dockerize.sandbox={box.instance}"}
    there = docker.from_env().containers.list(all=True, filters=label, ignore_removed=True)
    assert [c.name for c in there if "function" in c.name] == []


def test_a_directory_that_is_exchanged_for_a_link_before_it_is_mounted_is_not_left(tmp_path: Path) -> None:
    engine = Engine(f"attacked{uuid.uuid4().hex[:8]}", "none", str)
    (tmp_path / "system" / "in").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    mount = Mount(tmp_path / "system", "in", "/efs", read_only=False)

    def start() -> str:
        name = engine.container_name("exchanged", uuid.uuid4().hex[:8])
        return engine.start(ContainerSpec(BASE, name, ("touch", "/efs/was-here"), mounts=(mount,)))

    try:
        first = start()
        eventually(lambda: (state := engine.state(first)) and state.exit_code == 0)
        assert (tmp_path / "system" / "in" / "was-here").exists()
        shutil.rmtree(tmp_path / "system" / "in")
        (tmp_path / "system" / "in").symlink_to(tmp_path / "outside")
        with pytest.raises(StartError, match="escapes"):
            start()
        assert list((tmp_path / "outside").iterdir()) == []
    finally:
        engine.close()


def test_a_guest_of_a_file_system_does_not_get_out_of_it(box: Sandbox) -> None:
    ecs, efs, ec2, role = client(box, "ecs"), client(box, "efs"), client(box, "ec2"), a_role(box, "guest")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(GroupName="guests", Description="x", VpcId=subnet["VpcId"])["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    system = efs.create_file_system(CreationToken="guest")["FileSystemId"]
    efs.create_mount_target(FileSystemId=system, SubnetId=subnet["SubnetId"], SecurityGroups=[group])
    ecs.create_cluster(clusterName="guests")

    def run(command: str, **volume: Any) -> dict[str, Any]:
        definition = ecs.register_task_definition(
            family="guest",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=role,
            containerDefinitions=[
                {
                    "name": "c",
                    "image": BASE,
                    "command": ["sh", "-c", command],
                    "mountPoints": [{"sourceVolume": "v", "containerPath": "/efs"}],
                }
            ],
            volumes=[
                {
                    "name": "v",
                    "efsVolumeConfiguration": {"fileSystemId": system, "transitEncryption": "ENABLED", **volume},
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        network = {"subnets": [subnet["SubnetId"]], "securityGroups": [group], "assignPublicIp": "ENABLED"}
        task = ecs.run_task(
            cluster="guests",
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
        )["tasks"][0]["taskArn"]

        def stopped() -> dict[str, Any] | None:
            (shown,) = ecs.describe_tasks(cluster="guests", tasks=[task])["tasks"]
            return dict(shown) if shown["lastStatus"] == "STOPPED" else None

        return eventually(stopped)

    # Its name resolves only after a while.
    eventually(lambda: "Failed to resolve" not in run("true")["stoppedReason"])
    planted = run("mkdir /efs/in && ln -s / /efs/way-out && ln -s ../../.. /efs/in/up && touch /efs/in/kept")
    assert planted["containers"][0]["exitCode"] == 0, planted
    for path in ("/way-out", "/way-out/etc", "/in/up", "/in/../..", "/in/kept"):
        assert "Not a directory" in run("ls /efs", rootDirectory=path)["stoppedReason"], path
    creation = {"OwnerUid": 0, "OwnerGid": 0, "Permissions": "0777"}
    point = efs.create_access_point(
        ClientToken="p", FileSystemId=system, RootDirectory={"Path": "/way-out/tmp/made", "CreationInfo": creation}
    )["AccessPointId"]
    refused = run("ls /efs", authorizationConfig={"accessPointId": point})
    assert "Not a directory" in refused["stoppedReason"]
    assert not Path("/tmp/made").exists()
    assert run("test -e /efs/kept", rootDirectory="/in")["containers"][0]["exitCode"] == 0
