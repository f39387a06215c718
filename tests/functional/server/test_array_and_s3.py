"""A Batch job reads and writes the n-th line of a list, or objects of S3. Behind S3 stands moto, over HTTP."""

import base64
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

from model_server import s3
from model_server.array import pick
from model_server.errors import StartError
from tests.rig.listening import listening


class TestList:
    def test_what_is_no_list_stays(self) -> None:
        assert pick("/data/a.csv", "/data/{name}", {}) == ("/data/a.csv", "/data/{name}")

    @pytest.mark.parametrize("text", ["list:!", "list:" + base64.urlsafe_b64encode(b"no lzma").decode(), "list:"])
    def test_one_that_cannot_be_read_is_told(self, text: str) -> None:
        with pytest.raises(StartError, match="cannot be read"):
            pick(text, "-", {"AWS_BATCH_JOB_ARRAY_INDEX": "0"})

    def test_outside_of_an_array_it_says_so(self) -> None:
        with pytest.raises(StartError, match="submit an array job"):
            pick("list:x", "-", {})


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_REGION": "us-east-1"}


@pytest.fixture
def environment(moto: str) -> dict[str, str]:
    client = boto3.client(
        "s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket="job-data")
    return {**KEYS, "AWS_ENDPOINT_URL": moto}


@pytest.mark.parametrize("key", ["in/a.csv", "März (EU) + 1&2=3.csv", "a//b c.csv"])
def test_a_file_goes_there_and_comes_back(environment: dict[str, str], tmp_path: Path, key: str) -> None:
    given, back = tmp_path / "given", tmp_path / "back"
    given.write_bytes(b"1,2\n" * 700_000)
    with given.open("rb") as file:
        s3.store(file, f"s3://job-data/{key}", environment)
    s3.fetch(f"s3://job-data/{key}", back, environment)
    assert back.read_bytes() == given.read_bytes()


@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize(("method", "size"), [("GET", None), ("PUT", 3)])
def test_the_signature_is_botocores(monkeypatch: pytest.MonkeyPatch, token: str, method: str, size: int | None) -> None:
    now = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: now.replace(tzinfo=None))
    url = s3.address("job-data", "in/März (1).csv", "eu-central-1", {})
    digest = s3._EMPTY
    ours = s3.signed(method, url, "eu-central-1", s3.Keys("AKIA", "a-secret", token), digest, now, size)
    theirs = AWSRequest(method, str(url), headers={"X-Amz-Content-SHA256": digest})
    S3SigV4Auth(Credentials("AKIA", "a-secret", token or None), "s3", "eu-central-1").add_auth(theirs)
    assert ours["authorization"] == theirs.headers["Authorization"]


def test_where_a_bucket_is_asked_for() -> None:
    assert str(s3.address("data", "k", "cn-north-1", {})) == "https://data.s3.cn-north-1.amazonaws.com.cn/k"
    assert str(s3.address("my.data", "k", "us-east-1", {})) == "https://s3.us-east-1.amazonaws.com/my.data/k"


def test_what_is_not_there_or_named_wrong_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot read the input s3://job-data/none.csv: NoSuchKey"):
        s3.fetch("s3://job-data/none.csv", tmp_path / "x", environment)
    for url in ("s3://job-data", "s3://job-data/", "s3://job-data/folder/", "s3:///key"):
        with pytest.raises(StartError, match="does not name a file"):
            s3.check(url)
    with pytest.raises(StartError, match="task-role"):
        s3.fetch("s3://job-data/a", tmp_path / "x", {})


class _Answers(BaseHTTPRequestHandler):
    """Says what a test lets it say, in order; then gives the object."""

    script: list[tuple[int, dict[str, str], str]]
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization", "")))
        status, headers, text = self.script.pop(0) if self.script else (200, {}, "whole")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def scripted() -> Iterator[tuple[str, type[_Answers]]]:
    handler = type("Handler", (_Answers,), {"script": [], "seen": []})
    with listening(handler) as server:
        yield f"http://127.0.0.1:{server.server_port}", handler


def test_what_passes_is_tried_again_and_another_region_is_followed(
    scripted: tuple[str, type[_Answers]], tmp_path: Path
) -> None:
    url, handler = scripted
    waited: list[float] = []
    handler.script += [
        (503, {}, "<Error><Code>SlowDown</Code></Error>"),
        (301, {"x-amz-bucket-region": "eu-west-1"}, "<Error><Code>PermanentRedirect</Code></Error>"),
    ]
    s3.fetch("s3://data/k", tmp_path / "x", {**KEYS, "AWS_ENDPOINT_URL": url}, waited.append)
    assert (tmp_path / "x").read_text() == "whole"
    assert [authorization.split("/")[2] for _, authorization in handler.seen] == ["us-east-1"] * 2 + ["eu-west-1"]
    assert waited == [0.25]


def test_what_is_refused_says_what_the_role_needs_and_no_secret(
    scripted: tuple[str, type[_Answers]], tmp_path: Path
) -> None:
    url, handler = scripted
    handler.script.append((403, {}, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
    with pytest.raises(StartError, match=r"AccessDenied: Access Denied; the job's role .* s3:GetObject") as caught:
        s3.fetch("s3://data/k", tmp_path / "x", {**KEYS, "AWS_ENDPOINT_URL": url}, lambda _: None)
    assert "a-secret" not in str(caught.value)
    assert len(handler.seen) == 1


def test_credentials_and_region_of_the_container(scripted: tuple[str, type[_Answers]], tmp_path: Path) -> None:
    url, handler = scripted
    handler.script += [
        (200, {}, json.dumps({"AccessKeyId": "ROLE", "SecretAccessKey": "s", "Token": "t"})),
        (200, {}, json.dumps({"TaskARN": "arn:aws:ecs:ap-south-1:1:task/c/t"})),
    ]
    environment = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/role",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "agent",
        "ECS_CONTAINER_METADATA_URI_V4": f"{url}/v4",
        "AWS_ENDPOINT_URL": url,
    }
    s3.fetch("s3://data/k", tmp_path / "x", environment)
    assert [path for path, _ in handler.seen] == ["/role", "/v4/task", "/data/k"]
    assert handler.seen[0][1] == "agent"
    assert "Credential=ROLE/" in handler.seen[2][1]
    assert "/ap-south-1/s3/" in handler.seen[2][1]


def test_five_gibibytes_are_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(s3, "_LARGEST", 2)
    (tmp_path / "x").write_bytes(b"abc")
    with (tmp_path / "x").open("rb") as file, pytest.raises(StartError, match="more than S3 takes"):
        s3.store(file, "s3://b/k", KEYS)
