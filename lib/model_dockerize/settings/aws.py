"""The inputs about the AWS account."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from model_dockerize.patterns import ACCOUNT, REGION, pattern
from model_dockerize.settings.input import Input
from model_dockerize.settings.tags import read as read_tags
from model_dockerize.settings.variables import Pairs


@dataclass(frozen=True)
class AwsSettings:
    """Account and region; empty: those of credentials and environment."""

    TITLE: ClassVar = "The AWS account"

    aws_region: Annotated[
        str,
        Input(
            "AWS region. The environment's or the profile's when empty.",
            common=True,
            rule=REGION,
            variable="AWS_REGION, AWS_DEFAULT_REGION",
        ),
    ] = ""
    aws_account_id: Annotated[
        str, Input("The account that the credentials must belong to. Any when empty.", rule=ACCOUNT)
    ] = ""
    role_to_assume: Annotated[
        str,
        Input(
            "ARN of the role to run as. Assumed with GitHub's OIDC token where the job has one, else with the "
            "credentials.",
            common=True,
            rule=pattern(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+", "arn:aws:iam::123456789012:role/NAME"),
        ),
    ] = ""
    tags: Annotated[
        Pairs,
        Input(
            "Tags of everything that is made in AWS, one NAME=VALUE a line. Those of stacks stay as they are "
            "when empty.",
            pairs=read_tags,
        ),
    ] = ()
    permissions_boundary: Annotated[
        str,
        Input(
            "ARN of the IAM policy that bounds every role that is made. None, or that of bootstrap, when empty.",
            rule=pattern(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/\S+", "the ARN of an IAM policy"),
        ),
    ] = ""
    aws_config_file: Annotated[
        Path | None,
        Input(
            "AwsConfig.ini with region, aws_access_key_id, aws_secret_access_key and aws_id, read when AWS is "
            "first asked.",
            config_ini="[awsauth] aws_config_file",
        ),
    ] = None
