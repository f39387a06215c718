"""Rules for images of our repositories.

Settings only turn rules on. Others' choices and repositories stay.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import message_of, translate
from model_dockerize.aws.client.names import tagged
from model_dockerize.aws.client.waiting import wait_until
from model_dockerize.errors import PushError
from model_dockerize.progress import Progress
from model_dockerize.settings import RegistrySettings

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
_IMMUTABLE = ("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION")
#: The newest image, and the one that holds the next build's cache.
_MOVING = ("latest", "cache")
_SCAN_SECONDS = 300.0
#: Why ECR has no result, and what helps. Source: API reference of ECR, `ImageScanStatus`.
_NO_RESULT = {
    "UNSUPPORTED_IMAGE": "ECR cannot scan this base image: choose another one (base-image), or leave scan-gate out.",
    "FINDINGS_UNAVAILABLE": "ECR keeps no findings of this image now: run again later, or leave scan-gate out.",
    "SCAN_ELIGIBILITY_EXPIRED": "The image is older than the registry's scan duration: raise that in Amazon Inspector.",
    "IMAGE_SIZE_EXCEEDED": "The image is larger than ECR scans: make it smaller, or leave scan-gate out.",
    "LIMIT_EXCEEDED": "ECR scans no more images today: run again tomorrow, or leave scan-gate out.",
}
#: Every image that a definition may name carries the tag build-ID, so what has no tag belongs to nothing.
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "model-dockerize: images that no tag names any more",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 14,
            },
            "action": {"type": "expire"},
        }
    ]
}


def is_ours(aws: Aws, repository: Any) -> bool:
    """Tell whether we made the repository."""
    return tagged(aws.ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"])


def ensure_rules(aws: Aws, name: str, settings: RegistrySettings, progress: Progress) -> None:
    """Set the wanted rules."""
    with translate(f"rules of repository {name}"):
        there = next(iter(aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]), None)
        # In a plan, a repository that is still to be made is not there.
        ours = there is None or is_ours(aws, there)
        changed = []
        if settings.immutable_tags and (there or {}).get("imageTagMutability") not in _IMMUTABLE:
            changed.append("tag mutability")
            if ours:
                aws.ecr.put_image_tag_mutability(
                    repositoryName=name,
                    imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                    imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": tag} for tag in _MOVING],
                )
        if settings.scan and not (there or {}).get("imageScanningConfiguration", {}).get("scanOnPush"):
            changed.append("scan on push")
            if ours:
                aws.ecr.put_image_scanning_configuration(
                    repositoryName=name, imageScanningConfiguration={"scanOnPush": True}
                )
        if ours and not _has_lifecycle(aws, name):
            changed.append("lifecycle policy")
            aws.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(_LIFECYCLE))
    if changed and ours:
        aws.settled(progress, "change", "repository", name, *changed)
    elif changed:
        progress.warning(
            f"Repository {name} was not made by us: {' and '.join(changed)} of it stay as they are. Set them there."
        )


def check_findings(
    aws: Aws, repository: str, digest: str, least: str, progress: Progress, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait for the image's scan; raise PushError unless it passes.

    Args:
        least: lowest refused severity: CRITICAL, HIGH, MEDIUM or LOW.
    """
    with translate(f"scan of {digest}"):
        found = _scan(aws, repository, digest, progress, sleep).get("imageScanFindings", {})
    counts = found.get("findingSeverityCounts", {})
    told = ", ".join(f"{counts[level]} {level}" for level in SEVERITIES if counts.get(level)) or "nothing"
    progress.info(f"the scan found {told}")
    if any(counts.get(level) for level in SEVERITIES[: SEVERITIES.index(least) + 1]):
        findings = [*found.get("findings", []), *found.get("enhancedFindings", [])]
        raise PushError(
            f"The scan found {told}; scan-gate allows nothing of {least} or worse. The image was not deployed.",
            "Update the base image or the packages named below, or change scan-gate.",
            tuple(_line(finding) for finding in findings[:20]),
        )


def _scan(aws: Aws, repository: str, digest: str, progress: Progress, sleep: Callable[[float], None]) -> Any:
    image: Any = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
    is_begun = False

    def look() -> Any:
        nonlocal is_begun
        try:
            return aws.ecr.describe_image_scan_findings(**image)
        except aws.ecr.exceptions.ScanNotFoundException:
            if not is_begun:
                is_begun = True
                _begin_scan(aws, image, progress)
            return {}

    def late(scan: Any, waited: float) -> PushError:
        return _no_result(scan, f" after {waited:.0f} s")

    found = wait_until(look, lambda scan: _status(scan) not in ("PENDING", "IN_PROGRESS"), _SCAN_SECONDS, late, sleep)
    if _status(found) not in ("COMPLETE", "ACTIVE"):
        raise _no_result(found, "")
    return found


def _no_result(scan: Any, waited: str) -> PushError:
    status = _status(scan)
    return PushError(
        f"There is no scan to judge the image by: it is {status}{waited}.",
        _NO_RESULT.get(status, "Turn scanning on (scan: true), or leave scan-gate out."),
    )


def _status(scan: Any) -> str:
    return str(scan.get("imageScanStatus", {}).get("status", "PENDING"))


def _begin_scan(aws: Aws, image: Any, progress: Progress) -> None:
    # Scanning was off at the push. ECR takes one such call a day; enhanced scanning begins by itself.
    try:
        aws.ecr.start_image_scan(**image)
    except (aws.ecr.exceptions.LimitExceededException, aws.ecr.exceptions.ValidationException) as error:
        progress.info(f"no scan is begun: {message_of(error)}")


def _line(finding: Any) -> str:
    name, where = finding.get("name") or finding.get("title", ""), finding.get("uri") or finding.get("findingArn", "")
    return f"{finding.get('severity', '')} {name} {where}".strip()


def _has_lifecycle(aws: Aws, name: str) -> bool:
    try:
        return bool(aws.ecr.get_lifecycle_policy(repositoryName=name).get("lifecyclePolicyText"))
    except aws.ecr.exceptions.LifecyclePolicyNotFoundException:
        return False
