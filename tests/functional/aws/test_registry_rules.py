"""Rules of the repository, and the scan as a gate."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import ecr
from model_dockerize.errors import PushError
from model_dockerize.settings import to_settings
from tests.rig.answers import Refused, answering
from tests.rig.iris import DIGEST
from tests.rig.progress import Said

from .conftest import Account

REGISTRY = to_settings([]).registry


def repository(account: Account) -> Any:
    return account.aws.ecr.describe_repositories(repositoryNames=["iris"])["repositories"][0]


class TestRules:
    def test_turned_on_once(self, account: Account) -> None:
        ecr.ensure_repository(account.aws, "iris", account.said)
        wanted = replace(REGISTRY, immutable_tags=True, scan=True)
        ecr.ensure_rules(account.aws, "iris", wanted, account.said)
        assert repository(account)["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        moving = [each["filter"] for each in repository(account)["imageTagMutabilityExclusionFilters"]]
        assert moving == ["latest", "cache"]
        assert repository(account)["imageScanningConfiguration"]["scanOnPush"] is True
        policy = account.aws.ecr.get_lifecycle_policy(repositoryName="iris")["lifecyclePolicyText"]
        assert '"untagged"' in policy
        account.calls.clear()
        ecr.ensure_rules(account.aws, "iris", wanted, account.said)
        assert account.changes() == []

    def test_the_defaults_only_clean_up(self, account: Account) -> None:
        ecr.ensure_repository(account.aws, "iris", account.said)
        ecr.ensure_rules(account.aws, "iris", REGISTRY, account.said)
        assert repository(account)["imageTagMutability"] == "MUTABLE"
        assert str(account.aws.changes[-1]) == "~ repository iris (lifecycle policy)"

    def test_a_repository_of_others_is_not_touched(self, account: Account) -> None:
        account.aws.ecr.create_repository(repositoryName="iris")
        account.calls.clear()
        ecr.ensure_rules(account.aws, "iris", replace(REGISTRY, scan=True), account.said)
        assert account.changes() == []
        assert "scan on push" in account.said.warnings[0]


def answers(**found: Any) -> dict[str, Any]:
    """Return the answers of ECR about the repository iris."""
    repository = {"repositoryName": "iris", "repositoryUri": "r/iris", "repositoryArn": "a", **found}
    image = {"repositoryName": "iris", "imageDigest": DIGEST, "imageTags": ["1.0", "latest"]}
    return {
        "DescribeRepositories": lambda _: {"repositories": [repository]},
        "DescribeImages": lambda _: {"imageDetails": [image]},
    }


LATEST = [{"filterType": "WILDCARD", "filter": "la*"}]


@pytest.mark.parametrize(
    ("mode", "filters", "tag", "is_taken"),
    [
        ("MUTABLE", [], "1.0", False),
        ("IMMUTABLE", [], "1.0", True),
        ("IMMUTABLE_WITH_EXCLUSION", LATEST, "1.0", True),
        ("IMMUTABLE_WITH_EXCLUSION", LATEST, "latest", False),
        ("MUTABLE_WITH_EXCLUSION", LATEST, "1.0", False),
        ("MUTABLE_WITH_EXCLUSION", LATEST, "latest", True),
    ],
)
def test_a_tag_that_cannot_be_moved_is_refused_before_anything_is_built(
    mode: str, filters: Any, tag: str, is_taken: bool
) -> None:
    found = {"imageTagMutability": mode, "imageTagMutabilityExclusionFilters": filters}
    account, asked = answering(answers(**found))
    with pytest.raises(PushError, match=f"{tag} is taken by {DIGEST}") if is_taken else nullcontext():
        ecr.check_tag(account, "iris", tag)
    assert [name for name, _ in asked if not name.startswith("Describe")] == []


class TestScan:
    """ECR as it documents scans: of what is pushed while they are on, else by request, once a day."""

    def scan(self, *, begun: bool, refuses: str = "") -> list[str]:
        """Return the operations that are called for an image which was pushed with or without a scan."""
        scanned = [begun]

        def findings(_: Any) -> Any:
            if not scanned[0]:
                raise Refused("ScanNotFoundException", "Image scan does not exist")
            return {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findingSeverityCounts": {}}}

        def start(_: Any) -> Any:
            if refuses:
                raise Refused(refuses, "The scan quota has been exceeded")
            scanned[0] = True
            return {}

        account, asked = answering({"DescribeImageScanFindings": findings, "StartImageScan": start})
        try:
            ecr.check_findings(account, "iris", DIGEST, "HIGH", Said(), lambda _: None)
        finally:
            self.asked = [name for name, _ in asked]
        return self.asked

    def test_an_image_that_was_pushed_without_is_scanned_by_request(self) -> None:
        assert self.scan(begun=False) == ["DescribeImageScanFindings", "StartImageScan", "DescribeImageScanFindings"]
        assert self.scan(begun=True) == ["DescribeImageScanFindings"]

    @pytest.mark.parametrize("refuses", ["LimitExceededException", "ValidationException"])
    def test_where_no_scan_may_be_begun_one_is_waited_for(self, refuses: str) -> None:
        with pytest.raises(PushError, match=r"PENDING after 30\d s"):
            self.scan(begun=False, refuses=refuses)
        assert self.asked.count("StartImageScan") == 1

    def test_findings_of_enhanced_scanning_are_named(self) -> None:
        finding = {"severity": "CRITICAL", "title": "CVE-1 - openssl", "findingArn": "arn:f"}
        found = {"findingSeverityCounts": {"CRITICAL": 1}, "enhancedFindings": [finding]}
        answer = {"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": found}
        account, _ = answering({"DescribeImageScanFindings": lambda _: answer})
        with pytest.raises(PushError) as caught:
            ecr.check_findings(account, "iris", DIGEST, "HIGH", Said(), lambda _: None)
        assert caught.value.details == ("CRITICAL CVE-1 - openssl arn:f",)

    @pytest.mark.parametrize(
        ("status", "remedy"), [("UNSUPPORTED_IMAGE", "base-image"), ("LIMIT_EXCEEDED", "tomorrow")]
    )
    def test_each_reason_for_no_result_has_its_own_remedy(self, status: str, remedy: str) -> None:
        account, _ = answering({"DescribeImageScanFindings": lambda _: {"imageScanStatus": {"status": status}}})
        with pytest.raises(PushError) as caught:
            ecr.check_findings(account, "iris", DIGEST, "HIGH", Said(), lambda _: None)
        assert remedy in caught.value.remedy


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
        ecr.check_findings(account.aws, "iris", DIGEST, "HIGH", account.said, lambda _: None)
        assert account.said.infos[-1] == "the scan found 3 MEDIUM"

    def test_what_is_too_much_is_red_and_named(self, account: Account) -> None:
        self.scanned(account, "ACTIVE", {"CRITICAL": 1})
        with pytest.raises(PushError, match="1 CRITICAL; scan-gate allows nothing of HIGH or worse") as caught:
            ecr.check_findings(account.aws, "iris", DIGEST, "HIGH", account.said, lambda _: None)
        assert caught.value.details == ("CRITICAL CVE-CRITICAL",)

    @pytest.mark.parametrize("status", ["UNSUPPORTED_IMAGE", "FAILED", "PENDING"])
    def test_no_result_is_not_green(self, account: Account, status: str) -> None:
        self.scanned(account, status, {})
        with pytest.raises(PushError, match=f"it is {status}"):
            ecr.check_findings(account.aws, "iris", DIGEST, "LOW", account.said, lambda _: None)
