"""CloudFormation for tests on moto: the real templates' conditions and outputs, over resources that are made plainly.

It stands in for the driver (aws/ground/stacks.py), which tests/integration/test_ground.py shows against CloudFormation
itself. What moto has to know later (VPC, subnets, groups, cluster, log groups, profiles) is made there.
"""

import json
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any

from tests.rig.templates import document

from model_dockerize.aws.client import Aws
from model_dockerize.aws.ground.names import SHARED
from model_dockerize.aws.ground.values import LETTERS, ResourceChange, Stack, Wanted
from model_dockerize.progress import Progress


@dataclass
class Stacks:
    """All stacks of an account, by name; what was wanted, in order.

    `maker`: a connection past the ears of the tests, which makes what stands in the stacks.
    """

    maker: Aws
    there: dict[str, Stack] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    _ids: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def describe(self, _aws: Aws, name: str) -> Stack | None:
        """Stand in for describe_stack."""
        self.looked.append(name)
        return self.there.get(name)

    def ensure(
        self, aws: Aws, wanted: Wanted, progress: Progress, _pace: Any = None, seen: Stack | None = None
    ) -> Stack:
        """Stand in for ensure_stack."""
        former = seen or self.there.get(wanted.name)
        if former and former.suits(wanted):
            aws.settled(progress, "leave", "stack", wanted.name)
            return replace(former, action="leave")
        self.wanted.append(wanted)
        made = self._made(wanted, former)
        self.there[wanted.name] = made
        aws.settled(progress, made.action, "stack", wanted.name)
        return made

    def plan(self, _aws: Aws, wanted: Wanted, _pace: Any = None) -> tuple[ResourceChange, ...]:
        """Stand in for plan_stack: every resource of a new stack, one that differs of another."""
        if wanted.name in self.there:
            return (ResourceChange("Modify", "Log", "AWS::Logs::LogGroup"),)
        return tuple(ResourceChange("Add", *each) for each in wanted.template.resources(wanted.values()))

    def _made(self, wanted: Wanted, former: Stack | None) -> Stack:
        template = document(wanted.template.body)
        given = {**(former.parameters if former else {}), **wanted.values()}
        values, is_so = _evaluated(template, given)
        maker = _Maker(self.maker, wanted.name, values, self._ids, self.there)
        for logical, resource in template["Resources"].items():
            if is_so(resource.get("Condition")):
                maker.make(logical, resource)
        outputs = {
            name: maker.value(each["Value"])
            for name, each in template["Outputs"].items()
            if is_so(each.get("Condition"))
        }
        tags = tuple(sorted((tag["Key"], tag["Value"]) for tag in wanted.tag_list()))
        return Stack(
            wanted.name,
            f"arn:{wanted.name}",
            "UPDATE_COMPLETE" if former else "CREATE_COMPLETE",
            values,
            outputs,
            (),
            tags,
            is_protected=True,
            role=wanted.role,
            action="change" if former else "make",
        )


def _evaluated(template: dict[str, Any], given: Any) -> tuple[dict[str, str], Any]:
    defaults = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    values = {**defaults, **given}
    written = template.get("Conditions", {})

    def text(node: Any) -> str:
        if isinstance(node, dict) and "Ref" in node:
            return values[node["Ref"]]
        if isinstance(node, dict) and "Fn::Join" in node:
            return text(node["Fn::Join"][1])
        return str(node)

    def holds(node: Any) -> bool:
        ((function, inner),) = node.items()
        if function == "Condition":
            return is_so(inner)
        if function == "Fn::Not":
            return not holds(inner[0])
        if function == "Fn::And":
            return all(map(holds, inner))
        assert function == "Fn::Equals", function
        return text(inner[0]) == text(inner[1])

    def is_so(name: str | None) -> bool:
        return name is None or holds(written[name])

    return values, is_so


@dataclass
class _Maker:
    """Makes the resources of one stack where they are not yet, and knows their ids."""

    aws: Aws
    stack: str
    values: dict[str, str]
    ids: dict[tuple[str, str], dict[str, str]]
    stacks: dict[str, Stack]

    def make(self, logical: str, resource: dict[str, Any]) -> None:
        """Make one, if it is not there."""
        if (self.stack, logical) not in self.ids:
            self.ids[self.stack, logical] = self._ids_of(logical, resource["Type"])

    def value(self, node: Any) -> str:
        """Return what an output says."""
        if not isinstance(node, dict):
            return str(node)
        ((function, inner),) = node.items()
        if function == "Ref":
            return self.values.get(inner) or self._of(inner, "Ref")
        logical, attribute = inner if isinstance(inner, list) else inner.split(".")
        return self._of(logical, attribute)

    def _of(self, logical: str, attribute: str) -> str:
        if logical == "AWS::StackName":
            return self.stack
        known = self.ids.get((self.stack, logical), {})
        return known.get(attribute, known.get("Ref", ""))

    def _ids_of(self, logical: str, kind: str) -> dict[str, str]:  # noqa: PLR0911 - one a kind
        ec2, iam, name = self.aws.ec2, self.aws.iam, f"{self.stack}-{logical}"
        number = len(self.ids)
        if kind == "AWS::EC2::VPC":
            return {"Ref": str(ec2.create_vpc(CidrBlock=self.values["VpcCidr"])["Vpc"]["VpcId"])}
        if kind == "AWS::EC2::Subnet":
            place = LETTERS.index(logical[-1]) + (8 if logical.startswith("Private") else 0)
            blocks = list(IPv4Network(self.values["VpcCidr"]).subnets(prefixlen_diff=4))
            subnet: Any = ec2.create_subnet(
                VpcId=self._of("Vpc", "Ref"),
                CidrBlock=str(blocks[place]),
                AvailabilityZone=self.values[f"Zone{logical[-1]}"],
            )
            return {"Ref": str(subnet["Subnet"]["SubnetId"])}
        if kind == "AWS::EC2::SecurityGroup":
            shared = self.stacks.get(SHARED)
            vpc = self.values.get("Vpc") or self._of("Vpc", "Ref") or (shared.outputs["Vpc"] if shared else "")
            made: Any = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)
            return {"Ref": made["GroupId"], "GroupId": made["GroupId"]}
        if kind == "AWS::ECS::Cluster":
            self.aws.ecs.create_cluster(clusterName=self.values["Cluster"])
            return {"Ref": self.values["Cluster"]}
        if kind == "AWS::Logs::LogGroup":
            self.aws.logs.create_log_group(logGroupName=self.values["LogGroup"])
            return {"Ref": self.values["LogGroup"], "Arn": "arn:log"}
        if kind == "AWS::IAM::Role":
            role: Any = iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps({}),
                Tags=[{"Key": "model-dockerize", "Value": "role"}],
            )["Role"]
            return {"Ref": name, "Arn": role["Arn"]}
        if kind == "AWS::IAM::InstanceProfile":
            profile: Any = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            return {"Ref": name, "Arn": profile["Arn"]}
        if kind == "AWS::EFS::FileSystem":
            return {"Ref": f"fs-{number:08x}"}
        if kind == "AWS::EFS::AccessPoint":
            return {"Ref": f"fsap-{number:08x}"}
        if kind == "AWS::ElasticLoadBalancingV2::TargetGroup":
            return {"Ref": f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name[:32]}/{number:016x}"}
        return {"Ref": name, "DNSName": f"{name}.elb.amazonaws.com".lower()}
