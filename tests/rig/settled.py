"""Roles that every service of the sandbox knows: as on AWS, a new one is not passed on, nor assumed, at once."""

import json
from typing import Any

from botocore.exceptions import ClientError
from tests.rig.waiting import eventually


def role_for(iam: Any, lambdas: Any, name: str, *services: str) -> str:
    """Make a role that these services may assume, and return its ARN when they can: the last to know is Lambda."""
    principals = [f"{service}.amazonaws.com" for service in (*services, "lambda")]
    trust = {"Effect": "Allow", "Principal": {"Service": principals}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])
    wait_for_role(lambdas, arn)
    return arn


def wait_for_role(lambdas: Any, arn: str) -> None:
    """Return when services can assume the role, which lets Lambda assume it."""
    probe: Any = {"FunctionName": "probe", "Runtime": "python3.13", "Role": arn, "Handler": "a.b", "Code": {}}

    def is_known() -> bool:
        try:
            lambdas.create_function(**probe)
        except ClientError as error:
            return "assumed" not in str(error) and "valid principal" not in str(error)
        lambdas.delete_function(FunctionName="probe")
        return True

    eventually(is_known)
