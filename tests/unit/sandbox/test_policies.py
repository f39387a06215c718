"""The tags and names of resources are found for policies, and documents that AWS would refuse are refused."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import policy_documents, resource_tags
from model_sandbox.policy_documents import PolicyDocuments
from tests.rig.fake_ministack import fake_upstream

TAGS = [{"Key": "a", "Value": "b"}]
FOUND = {"aws:ResourceTag/a": "b"}


def upstream() -> Any:
    return fake_upstream(
        ec2=SimpleNamespace(
            _tags={"vpc-1": TAGS},
            _route_tables={
                "rtb-0": {},
                "rtb-1": {"Associations": [{"RouteTableAssociationId": "x"}, {"RouteTableAssociationId": "assoc-1"}]},
            },
        ),
        efs=SimpleNamespace(
            _file_systems={"fs-1": {"Tags": TAGS}},
            _access_points={"fsap-1": {"Tags": TAGS}},
            _mount_targets={"fsmt-1": {"FileSystemId": "fs-1"}},
        ),
        elb=SimpleNamespace(_tags={"arn:aws:elasticloadbalancing:r:1:listener/app/l": TAGS}),
        iam=SimpleNamespace(_roles={"r": {"Tags": TAGS}, "bare": {}}),
        ecs=SimpleNamespace(_tags={"arn:aws:ecs:r:1:cluster/c": [{"key": "a", "value": "b"}]}),
        ecr=SimpleNamespace(_repositories={"team/iris": {"tags": [{"key": "a", "value": "b"}, *TAGS]}}),
    )


@pytest.mark.parametrize(
    ("arn", "is_tagged"),
    [
        ("arn:aws:ec2:r:1:vpc/vpc-1", True),
        ("arn:aws:ec2:r:1:vpc/vpc-2", False),
        ("arn:aws:elasticfilesystem:r:1:file-system/fs-1", True),
        ("arn:aws:elasticfilesystem:r:1:access-point/fsap-1", True),
        ("arn:aws:elasticfilesystem:r:1:file-system/fs-2", False),
        ("arn:aws:elasticloadbalancing:r:1:listener/app/l", True),
        ("arn:aws:elasticloadbalancing:r:1:listener/app/m", False),
        ("arn:aws:iam::1:role/path/r", True),
        ("arn:aws:iam::1:role/bare", False),
        ("arn:aws:iam::1:role/none", False),
        ("arn:aws:ecs:r:1:cluster/c", True),
        ("arn:aws:ecs:r:1:cluster/d", False),
        ("arn:aws:ecr:r:1:repository/team/iris", True),
        ("arn:aws:ecr:r:1:repository/iris", False),
        ("arn:aws:s3:::bucket/vpc-1", False),
        ("*", False),
    ],
)
def test_the_tags_of_a_resource(arn: str, is_tagged: bool) -> None:
    assert resource_tags.tags_of(upstream(), arn) == (FOUND if is_tagged else {})


@pytest.mark.parametrize(
    ("service", "params", "path", "found"),
    [
        ("elasticfilesystem", {}, "/2015-02-01/mount-targets/fsmt-1", "file-system/fs-1"),
        ("elasticfilesystem", {}, "/2015-02-01/mount-targets/fsmt-1/security-groups", "file-system/fs-1"),
        ("elasticfilesystem", {}, "/2015-02-01/mount-targets/fsmt-2", ""),
        ("elasticfilesystem", {}, "/2015-02-01/file-systems/fs-1", ""),
        ("s3", {"NatGatewayId": "nat-1"}, "/mount-targets/fsmt-1", ""),
        ("ec2", {"NatGatewayId": "nat-1"}, "/", "natgateway/nat-1"),
        ("ec2", {"AssociationId": "assoc-1"}, "/", "route-table/rtb-1"),
        ("ec2", {"AssociationId": "assoc-2"}, "/", ""),
        ("ec2", {}, "/", ""),
    ],
)
def test_the_resource_of_a_request_that_ministack_does_not_find(
    service: str, params: dict[str, str], path: str, found: str
) -> None:
    assert resource_tags.resource_of(upstream(), service, params, path) == found


class Iam:
    """A fake of IAM's handlers, with PolicyDocuments in front of them."""

    def __init__(self) -> None:
        names = ("CreatePolicy", "CreatePolicyVersion", "PutRolePolicy", "PutUserPolicy")
        self.handlers: dict[str, Any] = {name: lambda params: (200, {}, b"done") for name in names}
        fake = SimpleNamespace(
            _IAM_HANDLERS=self.handlers,
            _p=lambda params, key: params.get(key, ""),
            _error=lambda status, code, message: (status, {}, f"{code}: {message}".encode()),
            _roles={"r": {"InlinePolicies": {"p": sized(240), "q": {"a": "b c"}}}, "bare": {}},
            _user_inline_policies={"u": {"p": sized(48)}},
        )
        PolicyDocuments(fake_upstream(iam=fake)).install()

    def ask(self, operation: str, document: str, **params: str) -> tuple[int, str]:
        status, _, body = self.handlers[operation]({"PolicyDocument": document, **params})
        return status, body.decode()


def sized(size: int) -> str:
    """Return a policy of so many characters that count."""
    empty = '{"Statement": [{"Sid": "", "Resource": "*"}]}'
    rest = size - len(empty.replace(" ", ""))
    assert rest >= 0
    return empty.replace('"Sid": ""', f'"Sid": "{"x" * rest}"').replace(" ", " \n\t")


OF_A_ROLE = "LimitExceeded: Maximum policy size of 10240 bytes exceeded for role {}"
OF_A_USER = "LimitExceeded: Maximum policy size of 2048 bytes exceeded for user {}"
MANAGED = "LimitExceeded: Cannot exceed quota for PolicySize: 6144"


@pytest.mark.parametrize(
    ("operation", "params", "most", "told"),
    [
        ("CreatePolicy", {}, 6144, MANAGED),
        ("CreatePolicyVersion", {}, 6144, MANAGED),
        ("PutRolePolicy", {"RoleName": "r", "PolicyName": "new"}, 10_240 - 240 - 10, OF_A_ROLE.format("r")),
        ("PutRolePolicy", {"RoleName": "r", "PolicyName": "p"}, 10_240 - 10, OF_A_ROLE.format("r")),
        ("PutRolePolicy", {"RoleName": "bare", "PolicyName": "p"}, 10_240, OF_A_ROLE.format("bare")),
        ("PutRolePolicy", {"RoleName": "none", "PolicyName": "p"}, 10_240, OF_A_ROLE.format("none")),
        ("PutUserPolicy", {"UserName": "u", "PolicyName": "new"}, 2000, OF_A_USER.format("u")),
        ("PutUserPolicy", {"UserName": "u", "PolicyName": "p"}, 2048, OF_A_USER.format("u")),
        ("PutUserPolicy", {"UserName": "none", "PolicyName": "p"}, 2048, OF_A_USER.format("none")),
    ],
)
def test_how_long_policies_may_be(operation: str, params: dict[str, str], most: int, told: str) -> None:
    iam = Iam()
    assert iam.ask(operation, sized(most), **params) == (200, "done")
    assert iam.ask(operation, sized(most + 1), **params) == (409, told)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ({"Resource": "*"}, ""),
        ({}, ""),
        ([{"Resource": "arn:aws:iam::1:role/r"}, "no statement", {"Resource": [1, "*"]}], ""),
        ({"Resource": "arn:*:s3:::b"}, ""),
        ([{"Resource": "*"}, {"Resource": ["*", "b"]}], 'Resource b must be in ARN format or "*".'),
        ({"Resource": "arn:aws:s3::b"}, 'Resource arn:aws:s3::b must be in ARN format or "*".'),
        ({"Resource": "x:aws:s3:::b"}, 'Resource x:aws:s3:::b must be in ARN format or "*".'),
        (
            {"Resource": "arn:aws-cn:s3:::b:c"},
            'Partition "aws-cn" is not valid for resource "arn:aws-cn:s3:::b:c".',
        ),
        (
            {"Resource": "arn:aws:iam:us-east-1:1:role/r"},
            "IAM resource arn:aws:iam:us-east-1:1:role/r cannot contain region information.",
        ),
    ],
)
def test_a_policy_whose_resources_are_none(statement: Any, told: str) -> None:
    answer = Iam().ask("CreatePolicy", json.dumps({"Statement": statement}))
    assert answer == ((400, f"MalformedPolicyDocument: {told}") if told else (200, "done"))


@pytest.mark.parametrize("document", ["{", "[]", "{}", "null", "1"])
def test_what_is_no_policy_is_ministacks_to_refuse(document: str) -> None:
    assert policy_documents.malformed(document) == ""
    assert Iam().ask("PutRolePolicy", document, RoleName="r") == (200, "done")
