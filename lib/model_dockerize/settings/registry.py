"""The inputs about Amazon ECR."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from model_dockerize.patterns import REPOSITORY, TAG
from model_dockerize.settings.input import Input

#: How references to images of ECR begin, and ARNs of its repositories. Both may lie in another account.
_REGISTRY = re.compile(r"[0-9]{12}\.dkr[.-]ecr[.-]|arn:[^:]*:ecr:")


def _wrong_repository(text: str) -> str:
    if _REGISTRY.match(text):
        return (
            "a repository is named without its registry or ARN, and lies in the account of the credentials; to push "
            "to another account, assume a role there (role-to-assume)"
        )
    return REPOSITORY(text)


@dataclass(frozen=True)
class RegistrySettings:
    """Repository, tags and scan."""

    TITLE: ClassVar = "Amazon ECR"

    push_to_ecr: Annotated[
        bool, Input("Push the image to Amazon ECR.", common=True, config_ini="[ecr] push_to_ecr")
    ] = True
    repository: Annotated[
        str,
        Input(
            "ECR repository, made if missing. The image's name when empty.",
            rule=_wrong_repository,
            config_ini="[ecr] repository",
        ),
    ] = ""
    version: Annotated[
        str, Input("Tag in ECR. The image's version when empty.", rule=TAG, config_ini="[ecr] version")
    ] = ""
    immutable_tags: Annotated[
        bool, Input("Tags of the repository cannot be moved to another image, except latest.")
    ] = False
    scan: Annotated[bool, Input("Have ECR scan every image that is pushed for known weaknesses.")] = False
    scan_gate: Annotated[
        str,
        Input(
            "Stop before the deployment if the scan finds something this bad or worse: CRITICAL, HIGH, MEDIUM or LOW.",
            choices=("CRITICAL", "HIGH", "MEDIUM", "LOW"),
        ),
    ] = ""
