"""Sessions of roles in the sandbox, and what containers are lent."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import sessions as module
from model_sandbox.sessions import Session, Sessions
from tests.rig.fake_ministack import OTHER, fake_upstream

ROLE = "arn:aws:iam::123456789012:role/path/r"


class Issued:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, endpoint: str = "http://172.17.0.1:4566") -> None:
        keys = iter(range(1, 9))
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 1000.0))
        self.known: dict[str, Any] = {}
        self.upstream = fake_upstream(
            iam=SimpleNamespace(
                _gen_session_access_key=lambda: f"ASIA{next(keys)}", _gen_session_token=lambda: "token"
            ),
            sts=SimpleNamespace(
                _role_id=lambda role: f"id of {role}",
                _sessions=self.known,
                register_session=self.known.__setitem__,
            ),
        )
        self.sessions = Sessions(self.upstream, endpoint)


def test_a_session_is_known_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = Issued(monkeypatch)
    session = issued.sessions.issue("123456789012", ROLE, "job")
    assert session == Session("ASIA1", session.secret, "token")
    assert re.fullmatch("[0-9a-f]{40}", session.secret)
    assert issued.known == {
        "ASIA1": {
            **{"Arn": "arn:aws:sts::123456789012:assumed-role/r/job", "UserId": f"id of {ROLE}:job"},
            **{"SecretAccessKey": session.secret, "SessionToken": "token", "AccountId": "123456789012"},
            **{"Expiration": 1000.0 + 365 * 86400, "PrincipalType": "AssumedRole"},
        }
    }
    assert issued.sessions.reach("ASIA1") == frozenset()
    other = issued.sessions.issue("123456789012", ROLE, "job", frozenset({"s3"}))
    assert (other.secret != session.secret, issued.sessions.reach(other.key)) == (True, {"s3"})
    issued.sessions.end(other)
    assert (list(issued.known), issued.sessions.reach(other.key)) == (["ASIA1"], frozenset())
    issued.sessions.end(other)


def test_a_container_is_lent_credentials_for_as_long_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = Issued(monkeypatch)
    with pytest.raises(ZeroDivisionError), issued.sessions.lent(OTHER, ROLE, "job", frozenset({"s3"})) as lent:
        (session,) = issued.known.values()
        assert session["AccountId"] == "210987654321"
        assert session["Arn"] == "arn:aws:sts::210987654321:assumed-role/r/job"
        assert lent == {
            **{"AWS_ENDPOINT_URL": "http://172.17.0.1:4566", "AWS_ACCESS_KEY_ID": "ASIA1"},
            **{"AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"], "AWS_SESSION_TOKEN": "token"},
            **{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"},
        }
        assert issued.sessions.reach("ASIA1") == {"s3"}
        raise ZeroDivisionError
    assert (issued.known, issued.sessions.reach("ASIA1")) == ({}, frozenset())


def test_where_containers_cannot_reach_the_sandbox_they_are_lent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = Issued(monkeypatch, endpoint="")
    with issued.sessions.lent(OTHER, ROLE, "job", frozenset({"s3"})) as lent:
        assert (lent, issued.known) == ({}, {})
