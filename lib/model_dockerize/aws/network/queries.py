"""Queries to EC2 about the network."""

from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.client.errors import code_of, message_of
from model_dockerize.errors import InputError

ANYWHERE = "0.0.0.0/0"


def found(describe: Any, key: str, **query: Any) -> list[Any]:
    """Return all pages of an EC2 describe call."""
    things: list[Any] = []
    token: dict[str, str] = {}
    while True:
        try:
            page = describe(**query, **token)
        except ClientError as error:
            if code_of(error).startswith("Invalid"):
                raise InputError(
                    message_of(error), remedy="Correct vpc, subnets or security-groups, or leave them out."
                ) from error
            raise
        things += page[key]
        if not page.get("NextToken"):
            return things
        token = {"NextToken": page["NextToken"]}


def within(vpc: str) -> Any:
    return {"Name": "vpc-id", "Values": [vpc]}


def name_of(thing: Any) -> str:
    """Return the tag `Name`."""
    return next((str(tag["Value"]) for tag in thing.get("Tags", []) if tag["Key"] == "Name"), "")
