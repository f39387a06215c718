"""A role is assumed by a token or by keys, and a refused token tells what the role must trust."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from model_dockerize.aws.client import assume_role
from model_dockerize.aws.client.assume_role import GitHubToken, RoleCredentials, claims_of, trust_subjects
from model_dockerize.errors import AwsAccessError, AwsError
from tests.rig.scripted import Call, Script, refused

ROLE = "arn:aws:iam::1:role/deployer"
SOON = datetime.now(UTC) + timedelta(hours=1)
GIVEN = {
    "Credentials": {
        **{"AccessKeyId": "key-id", "SecretAccessKey": "very secret", "SessionToken": "session"},
        "Expiration": SOON,
    }
}
CLAIMS = {"repository": "owner/name", "repository_owner_id": "7", "repository_id": "3", "sub": "repo:owner/name:x"}
TOKEN = f"head.{base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip('=')}.tail"
BY_TOKEN = (
    "sts:assume_role_with_web_identity",
    {"RoleArn": ROLE, "RoleSessionName": "model-dockerize", "WebIdentityToken": TOKEN},
)
BY_KEYS = "sts:assume_role", {"RoleArn": ROLE, "RoleSessionName": "model-dockerize"}


@pytest.mark.parametrize(
    ("missing", "more", "certificates"),
    [
        ("", {}, ""),
        ("", {"REQUESTS_CA_BUNDLE": "/a", "CURL_CA_BUNDLE": "/b"}, "/a"),
        ("", {"CURL_CA_BUNDLE": "/b"}, "/b"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", {}, None),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", {}, None),
    ],
)
def test_a_job_may_ask_for_tokens_or_not(missing: str, more: dict[str, str], certificates: str | None) -> None:
    given = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer", **more}
    found = GitHubToken.of({name: value for name, value in given.items() if name != missing})
    assert found == (None if certificates is None else GitHubToken("https://x", "bearer", certificates))
    assert "bearer" not in repr(found)


def assumed(monkeypatch: pytest.MonkeyPatch, *calls: Call, by_token: bool) -> tuple[Any, list[str], list[Any]]:
    """Assume the role; return its credentials, what is secret from now on, and how STS was reached."""
    monkeypatch.setattr(GitHubToken, "fetch", lambda _: TOKEN)
    reached: list[Any] = []
    with Script(*calls) as script:

        def client(service: str, config: Any) -> Any:
            reached.append((service, bool(config.signature_version), config.connect_timeout, config.read_timeout))
            return script.client(service)

        token = GitHubToken("https://x", "bearer") if by_token else None
        found = RoleCredentials(ROLE, token, client, script.said).load()
    return found, script.said.secrets, reached


@pytest.mark.parametrize("by_token", [True, False])
def test_it_is_assumed_by_a_token_without_signature_or_by_keys(monkeypatch: pytest.MonkeyPatch, by_token: bool) -> None:
    call = BY_TOKEN if by_token else BY_KEYS
    found, secrets, reached = assumed(monkeypatch, (*call, GIVEN), by_token=by_token)
    frozen = found.get_frozen_credentials()
    assert (frozen.access_key, frozen.secret_key, frozen.token) == ("key-id", "very secret", "session")
    assert found.method == "role-to-assume"
    assert secrets == [*([TOKEN] if by_token else []), "very secret", "session"]
    assert reached == [("sts", by_token, 5, 30)]


def test_credentials_that_end_are_had_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"Credentials": {**GIVEN["Credentials"], "Expiration": datetime.now(UTC) + timedelta(seconds=5)}}
    found, _, _ = assumed(monkeypatch, (*BY_KEYS, late), by_token=False)
    with pytest.raises(AssertionError, match="is not in the script"):
        found.get_frozen_credentials()


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidIdentityToken", "ValidationError"])
def test_a_refused_token_tells_what_the_role_must_trust(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    with pytest.raises(AwsAccessError) as caught:
        assumed(monkeypatch, (*BY_TOKEN, refused(code, "Not authorized")), by_token=True)
    assert str(caught.value) == (f"sts:AssumeRoleWithWebIdentity on {ROLE} is not allowed for this job ({code}).")
    assert caught.value.remedy == (
        "The role's trust policy must allow sts:AssumeRoleWithWebIdentity for GitHub's provider with aud "
        "sts.amazonaws.com and sub like repo:owner/name:* or repo:owner@7/name@3:*. Print one: model-dockerize "
        "iam-policy"
    )
    assert caught.value.details == ("the job's sub: repo:owner/name:x", "Not authorized")


def test_any_other_refusal_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for call, by_token in ((BY_TOKEN, True), (BY_KEYS, False)):
        with pytest.raises(AwsError) as caught:
            assumed(monkeypatch, (*call, refused("RegionDisabledException", "no")), by_token=by_token)
        said = "Operation failed: RegionDisabledException: no"
        assert str(caught.value) == f"assume role {ROLE}: {said}"


@pytest.mark.parametrize(
    ("token", "claims"),
    [
        (TOKEN, CLAIMS),
        ("x", {}),
        ("x.!!.y", {}),
        (f"x.{base64.urlsafe_b64encode(b'[1]').decode()}.y", {}),
        (f"x.{base64.urlsafe_b64encode(b'{').decode()}.y", {}),
    ],
)
def test_claims_are_read_for_words_only(token: str, claims: dict[str, Any]) -> None:
    assert claims_of(token) == claims


@pytest.mark.parametrize(
    ("claims", "subjects"),
    [
        ({}, ("repo:OWNER/REPO:*", "repo:OWNER@ID/REPO@ID:*")),
        ({"repository": "bare"}, ("repo:bare:*", "repo:bare@ID/REPO@ID:*")),
        (CLAIMS, ("repo:owner/name:*", "repo:owner@7/name@3:*")),
    ],
)
def test_a_subject_has_names_or_lasting_ids(claims: dict[str, Any], subjects: tuple[str, str]) -> None:
    assert trust_subjects(claims) == subjects


def test_a_file_of_certificates_that_is_gone_is_told() -> None:
    with pytest.raises(AwsAccessError) as caught:
        GitHubToken("https://127.0.0.1:1/x", "bearer", "/no/such/file").fetch()
    assert str(caught.value).startswith("GitHub could not be asked for an OIDC token: ")
    assert caught.value.remedy == assume_role.NAMED_FILE
