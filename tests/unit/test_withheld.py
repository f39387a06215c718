"""A failure on this computer for want of a secret that only AWS gives says what to do."""

from dataclasses import replace
from pathlib import Path

import pytest

from model_dockerize.pipeline import withheld
from model_dockerize.settings import Given, to_settings

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-abcdef"
SERVICE = to_settings([{"secrets": Given(f"TOKEN={ARN}", "secrets", Path())}]).service


@pytest.mark.parametrize(
    ("line", "is_named"),
    [("KeyError: 'TOKEN'", True), ("ValueError: set TOKEN, please", True), ("KeyError: 'TOKENS'", False), ("", False)],
)
def test_a_failure_that_names_a_secret_says_where_that_is(line: str, is_named: bool) -> None:
    said = withheld.remedy(SERVICE, ("status: the job ended as Error", line))
    assert ("AWS gives TOKEN" in said and "--smoke-test service" in said) is is_named


def test_without_secrets_nothing_is_withheld() -> None:
    assert withheld.remedy(replace(SERVICE, secrets=()), ("KeyError: 'TOKEN'",)) == ""
