"""The environment that is handed in decides who we are, never this process's own."""

import time
from pathlib import Path

import pytest

from model_dockerize.aws.client import connect
from model_dockerize.aws.client.credentials import session_of
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.settings import AwsSettings
from tests.rig.leaks import planted, planted_file
from tests.rig.progress import Said

ANY = AwsSettings("", "")


def test_reads_keys_region_and_endpoint_from_the_mapping_only(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-process")
    monkeypatch.setenv("AWS_PROFILE", "of-the-process")
    said = Said()
    connection = connect(ANY, {**environment, "AWS_REGION": "eu-central-1"}, said)
    assert connection.identity.region == "eu-central-1"
    assert connection.identity.partition == "aws"
    assert connection.ecs.meta.endpoint_url == environment["AWS_ENDPOINT_URL"]
    assert connection.credentials.access_key == "testing"  # type: ignore[union-attr]
    assert planted("secret-access-key") in said.secrets
    assert planted("secret-access-key") not in repr(connection)


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://ecs.us-east-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:8"}, "http://127.0.0.1:8"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:8", "AWS_ENDPOINT_URL_ECS": "http://127.0.0.1:9"},
            "http://127.0.0.1:9",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:8", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://ecs.us-east-1.amazonaws.com",
        ),
    ],
)
def test_endpoints(variables: dict[str, str], endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:2")
    session = session_of({"AWS_REGION": "us-east-1", **variables})
    session.set_credentials("a", "b")
    assert session.create_client("ecs").meta.endpoint_url == endpoint


@pytest.mark.parametrize(
    ("variables", "setting", "region"),
    [
        ({"AWS_REGION": "us-west-1"}, "", "us-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "", "us-east-2"),
        ({"AWS_REGION": "us-west-1", "AWS_DEFAULT_REGION": "us-east-2"}, "", "us-west-1"),
        ({"AWS_REGION": "us-west-1"}, "eu-north-1", "eu-north-1"),
    ],
)
def test_region(environment: dict[str, str], variables: dict[str, str], setting: str, region: str) -> None:
    without = {k: v for k, v in environment.items() if k != "AWS_REGION"}
    assert connect(AwsSettings(setting, ""), {**without, **variables}, Said()).identity.region == region


def test_profile(environment: dict[str, str], tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[profile work]\nregion = ap-south-1\n")
    secret = planted("of-a-profile")
    planted_file(credentials, f"[work]\naws_access_key_id = from-file\naws_secret_access_key = {secret}\n")
    said = Said()
    connection = connect(
        ANY,
        {
            "AWS_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"],
            "AWS_PROFILE": "work",
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        },
        said,
    )
    assert connection.identity.region == "ap-south-1"
    assert secret in said.secrets


def test_web_identity(environment: dict[str, str], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("header.payload.signature")
    connection = connect(
        ANY,
        {
            "AWS_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"],
            "AWS_REGION": "us-east-1",
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        },
        Said(),
    )
    assert connection.credentials.method == "assume-role-with-web-identity"  # type: ignore[union-attr]


def test_no_region_is_said_before_anything_is_called() -> None:
    with pytest.raises(InputError, match="No AWS region") as caught:
        connect(ANY, {"AWS_CONFIG_FILE": "/nonexistent"}, Said())
    assert "aws-region" in caught.value.remedy


@pytest.mark.parametrize(
    "variables",
    [{}, {"AWS_ACCESS_KEY_ID": "half"}, {"AWS_PROFILE": "nobody"}],
    ids=["none", "half a key", "unknown profile"],
)
def test_no_credentials_are_said_at_once(variables: dict[str, str]) -> None:
    began = time.monotonic()
    with pytest.raises(AwsAccessError) as caught:
        connect(
            AwsSettings("us-east-1", ""),
            {
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/nonexistent",
                "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
                **variables,
            },
            Said(),
        )
    assert time.monotonic() - began < 2
    assert caught.value.remedy


def test_another_account_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(AwsAccessError, match="belong to account 123456789012, not to 999999999999"):
        connect(AwsSettings("", "999999999999"), environment, Said())
    assert connect(AwsSettings("", "123456789012"), environment, Said()).identity.account == "123456789012"


def test_nobody_answers() -> None:
    # No retries: what is tested is the sentence, and a closed port stays closed.
    with pytest.raises(AwsError, match="did not answer"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        connect(
            ANY,
            {
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "a",
                "AWS_SECRET_ACCESS_KEY": "b",
            },
            Said(),
        )


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_told_and_ignored(name: str, environment: dict[str, str]) -> None:
    said = Said()
    connection = connect(ANY, {**environment, name: "/nowhere/ca.pem", "AWS_REGION": "eu-central-1"}, said)
    assert connection.identity.account
    assert said.warnings == [
        f"{name} names /nowhere/ca.pem, which does not exist, so it is ignored. Correct the variable, or unset it."
    ]


def test_in_the_action_the_files_of_the_runner_are_elsewhere(environment: dict[str, str]) -> None:
    said = Said()
    given = {
        "AWS_CA_BUNDLE": "/home/runner/corp.pem",
        "GITHUB_WORKSPACE": "/github/workspace",
        "AWS_REGION": "eu-west-1",
    }
    connect(ANY, environment | given, said)
    (warning,) = said.warnings
    assert "The Action sees the files of the workspace only: copy it there in a step before" in warning


@pytest.mark.parametrize(
    ("variables", "verify"),
    [
        ({}, True),
        ({"REQUESTS_CA_BUNDLE": ""}, True),
        ({"REQUESTS_CA_BUNDLE": "/mine"}, "/mine"),
        ({"REQUESTS_CA_BUNDLE": "/mine", "AWS_CA_BUNDLE": "/of-aws"}, "/of-aws"),
    ],
)
def test_certificates(variables: dict[str, str], verify: bool | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of-the-process")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/of-the-process")
    session = session_of({"AWS_REGION": "us-east-1", **variables})
    session.set_credentials("a", "b")
    assert session.create_client("ecs")._endpoint.http_session._verify == verify


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"},
        {
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
        },
    ],
)
def test_a_token_that_is_not_there_is_no_defect(variables: dict[str, str]) -> None:
    with pytest.raises(AwsAccessError, match="/nowhere/token") as caught:
        connect(ANY, {"AWS_REGION": "us-east-1", **variables}, Said())
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in caught.value.remedy
