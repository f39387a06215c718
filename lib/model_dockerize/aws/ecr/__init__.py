"""The registry: repository, images, rules."""

from model_dockerize.aws.ecr.registry import (
    PushedImage,
    build_tag,
    builds_in,
    check_tag,
    describe_repository,
    ensure_repository,
    find_build,
    login,
    pinned,
    repository_of,
    tag_image,
    verify,
    version_and_build,
)
from model_dockerize.aws.ecr.rules import check_findings, ensure_rules, is_ours

__all__ = [
    "PushedImage",
    "build_tag",
    "builds_in",
    "check_findings",
    "check_tag",
    "describe_repository",
    "ensure_repository",
    "ensure_rules",
    "find_build",
    "is_ours",
    "login",
    "pinned",
    "repository_of",
    "tag_image",
    "verify",
    "version_and_build",
]
