"""Rules of the repository, and the scan as a gate."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize import aws
from model_dockerize.errors import PushError
from model_dockerize.settings import to_settings

from .conftest import DIGEST, Account

REGISTRY = to_settings([]).registry


def repository(account: Account) -> Any:
    return account.aws.ecr.describe_repositories(repositoryNames=["iris"])["repositories"][0]


class TestRules:
    def test_turned_on_once(self, account: Account) -> None:
        aws.ensure_repository(account.aws, "iris", account.said)
        wanted = replace(REGISTRY, immutable_tags=True, scan=True)
        aws.ensure_rules(account.aws, "iris", wanted, account.said)
        assert repository(account)["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert repository(account)["imageScanningConfiguration"]["scanOnPush"] is True
        policy = account.aws.ecr.get_lifecycle_policy(repositoryName="iris")["lifecyclePolicyText"]
        assert '"untagged"' in policy
        account.calls.clear()
        aws.ensure_rules(account.aws, "iris", wanted, account.said)
        assert account.changes() == []

    def test_the_defaults_only_clean_up(self, account: Account) -> None:
        aws.ensure_repository(account.aws, "iris", account.said)
        aws.ensure_rules(account.aws, "iris", REGISTRY, account.said)
        assert repository(account)["imageTagMutability"] == "MUTABLE"
        assert str(account.aws.changes[-1]) == "~ repository iris (lifecycle policy)"

    def test_a_repository_of_others_is_not_touched(self, account: Account) -> None:
        account.aws.ecr.create_repository(repositoryName="iris")
        account.calls.clear()
        aws.ensure_rules(account.aws, "iris", replace(REGISTRY, scan=True), account.said)
        assert account.changes() == []
        assert "scan on push" in account.said.warnings[0]


class TestGate:
    def scanned(self, account: Account, status: str, counts: dict[str, int]) -> None:
        def answer(model: Any, **_: Any) -> Any:
            if model.name != "DescribeImageScanFindings":
                return None
            findings = [{"severity": level, "name": f"CVE-{level}"} for level in counts]
            parsed = {
                "imageScanStatus": {"status": status},
                "imageScanFindings": {"findingSeverityCounts": counts, "findings": findings},
            }
            return type("Http", (), {"status_code": 200}), parsed

        account.hooks.add(answer)

    def test_what_is_allowed_passes(self, account: Account) -> None:
        self.scanned(account, "COMPLETE", {"MEDIUM": 3})
        aws.check_findings(account.aws, "iris", DIGEST, "HIGH", account.said, lambda _: None)
        assert account.said.infos[-1] == "the scan found 3 MEDIUM"

    def test_what_is_too_much_is_red_and_named(self, account: Account) -> None:
        self.scanned(account, "ACTIVE", {"CRITICAL": 1})
        with pytest.raises(PushError, match="1 CRITICAL; scan-gate allows nothing of HIGH or worse") as caught:
            aws.check_findings(account.aws, "iris", DIGEST, "HIGH", account.said, lambda _: None)
        assert caught.value.details == ("CRITICAL CVE-CRITICAL",)

    @pytest.mark.parametrize("status", ["UNSUPPORTED_IMAGE", "FAILED", "PENDING"])
    def test_no_result_is_not_green(self, account: Account, status: str) -> None:
        self.scanned(account, status, {})
        with pytest.raises(PushError, match=f"it is {status}"):
            aws.check_findings(account.aws, "iris", DIGEST, "LOW", account.said, lambda _: None)
