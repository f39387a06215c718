"""`role-to-assume`: GitHub's token exchanged, renewed, refused; and one role by the credentials of another."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from model_dockerize.aws.client import connect
from model_dockerize.aws.client.assume_role import GitHubToken, trust_subjects
from model_dockerize.errors import AwsAccessError
from model_dockerize.settings import AwsSettings
from tests.rig.github_tokens import BEARER, TOKEN, GitHub
from tests.rig.progress import Said

ROLE = "arn:aws:iam::123456789012:role/deploy"
SETTINGS = AwsSettings("us-east-1", "", ROLE)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", lambda *_: None)


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


def test_the_token_becomes_the_role_and_nothing_secret_is_said(github: GitHub, moto_url: str) -> None:
    said = Said()
    connection = connect(SETTINGS, github.environment(moto_url), said)
    assert ":assumed-role/deploy/" in connection.identity.arn
    assert github.asked == [("/token?api-version=2.0&audience=sts.amazonaws.com", f"bearer {BEARER}")]
    assert TOKEN in said.secrets
    keys = connection.credentials.get_frozen_credentials()
    assert {keys.secret_key, keys.token} <= set(said.secrets)
    assert TOKEN not in "".join(said.infos + said.warnings)


def test_it_is_renewed_with_a_fresh_token(github: GitHub, moto_url: str) -> None:
    connection = connect(SETTINGS, github.environment(moto_url), Said())
    credentials: Any = connection.credentials
    assert len(github.asked) == 1
    credentials._expiry_time = datetime.now(UTC) + timedelta(seconds=60)
    connection.client("sts").get_caller_identity()
    assert len(github.asked) == 2


def test_a_passing_failure_of_github_is_tried_again(github: GitHub, moto_url: str) -> None:
    github.answers = [503]
    connect(SETTINGS, github.environment(moto_url), Said())
    assert len(github.asked) == 2


def test_a_job_that_may_not_ask_is_told_at_once(github: GitHub, moto_url: str) -> None:
    github.answers = [403]
    with pytest.raises(AwsAccessError, match="it answered 403") as caught:
        connect(SETTINGS, github.environment(moto_url), Said())
    assert "id-token: write" in caught.value.remedy
    assert len(github.asked) == 1
    assert BEARER not in str(caught.value) + repr(GitHubToken("u", BEARER))


@pytest.mark.parametrize(
    ("scheme", "answers", "why"),
    [
        ("http", [503] * 4, "it answered 503"),
        ("https", [], "SSLError"),  # as a proxy that signs TLS anew
        ("none", [], "ConnectionError"),
    ],
)
def test_a_token_that_never_came_is_no_matter_of_permissions(
    github: GitHub, scheme: str, answers: list[int], why: str
) -> None:
    github.answers = answers
    url = "http://127.0.0.1:9/" if scheme == "none" else github.url.replace("http", scheme)
    with pytest.raises(AwsAccessError, match=f"{why} \\(127.0.0.1\\)") as caught:
        GitHubToken(url, BEARER).fetch()
    assert "id-token" not in caught.value.remedy
    assert "REQUESTS_CA_BUNDLE" in caught.value.remedy


def test_a_refusal_names_both_forms_of_the_subject(github: GitHub) -> None:
    environment = github.environment("http://127.0.0.1:1") | {"AWS_ENDPOINT_URL_STS": github.url}
    with pytest.raises(
        AwsAccessError, match=r"AssumeRoleWithWebIdentity on arn.*:role/deploy is not allowed"
    ) as caught:
        connect(SETTINGS, environment, Said())
    assert "repo:o/r:*" in caught.value.remedy
    assert "repo:o@3/r@7:*" in caught.value.remedy
    assert caught.value.details[0] == "the job's sub: repo:o/r:ref:refs/heads/main"
    assert TOKEN not in str(caught.value) + "".join(caught.value.details)


def test_one_role_by_the_credentials_of_another(environment: dict[str, str]) -> None:
    connection = connect(SETTINGS, environment, Said())
    assert ":assumed-role/deploy/" in connection.identity.arn


def test_a_chained_role_is_renewed_too(environment: dict[str, str]) -> None:
    connection, calls = connect(SETTINGS, environment, Said()), list[str]()
    connection._session.events.register("before-call.sts", lambda model, **_: calls.append(model.name))
    credentials: Any = connection.credentials
    first = credentials.get_frozen_credentials()
    credentials._expiry_time = datetime.now(UTC) + timedelta(seconds=60)
    connection.client("sts").get_caller_identity()
    assert sorted(calls) == ["AssumeRole", "GetCallerIdentity"]
    assert credentials.get_frozen_credentials() != first


def test_nothing_to_assume_it_with(moto_url: str) -> None:
    without = {"AWS_ENDPOINT_URL": moto_url, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    with pytest.raises(AwsAccessError, match="nothing to assume"):
        connect(SETTINGS, {**without, "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}, Said())


def test_subjects_of_a_token_that_says_nothing() -> None:
    assert trust_subjects({}) == ("repo:OWNER/REPO:*", "repo:OWNER@ID/REPO@ID:*")


@pytest.mark.parametrize(
    ("variables", "certificates"),
    [
        ({}, ""),
        ({"CURL_CA_BUNDLE": "/c"}, "/c"),
        ({"CURL_CA_BUNDLE": "/c", "REQUESTS_CA_BUNDLE": "/r"}, "/r"),
    ],
)
def test_certificates_of_the_token_are_those_of_the_mapping(variables: dict[str, str], certificates: str) -> None:
    job = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://127.0.0.1:9/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER}
    token = GitHubToken.of(job | variables)
    assert token is not None
    assert token.certificates == certificates


def test_certificates_of_the_process_are_not_the_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of-the-process")
    with pytest.raises(AwsAccessError, match="ConnectionError"):
        GitHubToken("https://127.0.0.1:9/", BEARER).fetch()


def test_certificates_that_are_not_there_are_no_defect() -> None:
    with pytest.raises(AwsAccessError, match="bundle, invalid path: /nowhere") as caught:
        GitHubToken("https://127.0.0.1:9/", BEARER, "/nowhere").fetch()
    assert "REQUESTS_CA_BUNDLE" in caught.value.remedy
    assert BEARER not in str(caught.value)
