"""The rights to stacks. Pure.

A caller changes models' stacks by the role only, which makes roles within the boundary only, and changes only what
bears our tag: nobody gains rights.
"""

from typing import Any

from model_dockerize.aws.ground.values import TAG
from model_dockerize.aws.iam.statement import Statement, Where, allow, only_if

#: None of these matches `model-dockerize-*`, the names of what stacks make: the role cannot change itself.
SERVICE_ROLE, BOUNDARY = "ModelDockerizeGround", "ModelDockerizeBoundary"
_OURS = {"StringEquals": {f"aws:ResourceTag/{TAG['Key']}": TAG["Value"]}}
#: The buckets that files go through to jobs, one a region.
JOB_BUCKETS = "model-dockerize-jobs-*"
_STACKS = "stack/model-dockerize-*/*"  # of models; the shared one has no second hyphen
_LINKED = ("ecs", "elasticfilesystem", "elasticloadbalancing")


def service_role_policy(where: Where, boundary: str = "") -> dict[str, Any]:
    """Return what CloudFormation may do with our stacks.

    Args:
        boundary: ARN; empty: bootstrap's.
    """
    bound = boundary or where.arn("iam", f"policy/{BOUNDARY}", regional=False)
    return _document(*_ground({"ArnEquals": {"iam:PermissionsBoundary": bound}}, where))


def own_policy(where: Where, boundary: str = "") -> dict[str, Any]:
    """Return what stacks need where CloudFormation acts as the caller.

    Args:
        boundary: ARN; empty: none.
    """
    stacks = where.arn("cloudformation", "stack/model-dockerize*/*")
    verbs = (*_LOOKS, "CreateChangeSet", *_CARRY_OUT)
    bound = {"ArnEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}
    return _document(
        allow("Stacks", tuple(f"cloudformation:{verb}" for verb in verbs), stacks),
        allow("ListImports", ("cloudformation:ListImports",)),
        *_ground(bound, where),
    )


def _ground(bound: dict[str, Any], where: Where) -> tuple[Statement, ...]:
    roles = where.arn("iam", "role/model-dockerize-*", regional=False)
    return (
        allow(
            "Look",
            (
                *("ec2:Describe*", "elasticfilesystem:Describe*", "elasticloadbalancing:Describe*"),
                *("ecs:DescribeClusters", "elasticfilesystem:ListTagsForResource", "logs:ListTagsForResource"),
                *(f"logs:Describe{what}" for what in ("IndexPolicies", "LogGroups", "ResourcePolicies")),
                "logs:GetDataProtectionPolicy",
            ),
        ),
        *_things(),
        only_if(
            bound,
            allow(
                "BoundRoles",
                (
                    *("iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePolicy"),
                    *(("iam:PutRolePermissionsBoundary",) if bound else ()),
                ),
                roles,
            ),
        ),
        only_if(
            {**bound, "ArnLike": {"iam:PolicyARN": f"arn:{where.partition}:iam::aws:policy/service-role/{_INSTANCES}"}},
            allow("BoundInstanceRole", ("iam:AttachRolePolicy", "iam:DetachRolePolicy"), roles),
        ),
        allow(
            "Roles",
            (
                *("iam:DeleteRole", "iam:GetRole", "iam:GetRolePolicy", "iam:TagRole", "iam:UntagRole"),
                *("iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:UpdateRole"),
                "iam:UpdateAssumeRolePolicy",
            ),
            roles,
        ),
        allow(
            "InstanceProfiles",
            (*(f"iam:{verb}InstanceProfile" for verb in ("AddRoleTo", "Create", "Delete", "Get", "RemoveRoleFrom")),),
            where.arn("iam", "instance-profile/model-dockerize-*", regional=False),
        ),
        only_if(
            {"StringEquals": {"iam:PassedToService": f"ec2.{suffix(where)}"}},
            allow("PassInstanceRole", ("iam:PassRole",), roles),
        ),
        only_if(
            {"StringEquals": {"iam:AWSServiceName": [f"{service}.amazonaws.com" for service in _LINKED]}},
            allow(
                "LinkedRoles",
                ("iam:CreateServiceLinkedRole",),
                where.arn("iam", "role/aws-service-role/*", regional=False),
            ),
        ),
        allow(
            "Logs",
            tuple(
                f"logs:{verb}"
                for verb in (
                    *("CreateLogGroup", "DeleteLogGroup", "DeleteRetentionPolicy", "PutRetentionPolicy"),
                    *("TagResource", "UntagResource"),
                )
            ),
            where.arn("logs", "log-group:/model-dockerize/*"),
        ),
    )


#: What looks at stacks, and what carries out what was planned.
_LOOKS = ("DescribeChangeSet", "DescribeEvents", "DescribeStackEvents", "DescribeStacks")
_CARRY_OUT = (
    *("ContinueUpdateRollback", "DeleteChangeSet", "DeleteStack", "ExecuteChangeSet"),
    "UpdateTerminationProtection",
)


def caller_policy(where: Where) -> dict[str, Any]:
    """Return what a run may do with stacks after bootstrap."""
    role = where.arn("iam", f"role/{SERVICE_ROLE}", regional=False)
    models = where.arn("cloudformation", _STACKS)
    every = where.arn("cloudformation", "stack/model-dockerize*/*")
    return _document(
        allow("LookAtStacks", tuple(f"cloudformation:{verb}" for verb in _LOOKS), every),
        allow("ListImports", ("cloudformation:ListImports",)),
        only_if(
            {"ArnEquals": {"cloudformation:RoleArn": role}},
            allow("PlanByTheRole", ("cloudformation:CreateChangeSet",), models),
        ),
        # Of a stack that has a role, CloudFormation uses that: nobody else's rights count.
        allow(
            "CarryOut",
            tuple(f"cloudformation:{verb}" for verb in _CARRY_OUT),
            models,
        ),
        only_if(
            {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
            allow("PassTheRole", ("iam:PassRole",), role),
        ),
    )


def boundary_policy(where: Where) -> dict[str, Any]:
    """Return the most that a role of ours may do."""
    return _document(
        allow(
            "Containers",
            (
                *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
                *("ecr:GetDownloadUrlForLayer", "logs:CreateLogStream", "logs:PutLogEvents"),
                *("secretsmanager:GetSecretValue", "ssm:GetParameters"),
            ),
        ),
        # By them ECS moves traffic between two versions.
        allow(
            "Traffic",
            (
                *(f"elasticloadbalancing:Describe{what}" for what in ("Listeners", "Rules", "TargetGroups")),
                *("elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DeregisterTargets"),
                *("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"),
                "elasticloadbalancing:RegisterTargets",
            ),
        ),
        allow(
            "Functions",
            (
                *("batch:DescribeJobDefinitions", "batch:DescribeJobs", "batch:ListJobs", "batch:SubmitJob"),
                "logs:CreateLogGroup",
            ),
        ),
        # Which of them, the bucket's own policy says.
        allow("FilesOfJobs", ("s3:GetObject", "s3:PutObject"), f"arn:{where.partition}:s3:::{JOB_BUCKETS}/*"),
        allow(
            "Instances",
            (
                *(
                    "ec2:DescribeTags",
                    "ecs:CreateCluster",
                    "ecs:DeregisterContainerInstance",
                    "ecs:DiscoverPollEndpoint",
                ),
                *("ecs:Poll", "ecs:RegisterContainerInstance", "ecs:StartTelemetrySession", "ecs:Submit*"),
                *("ecs:TagResource", "ecs:UpdateContainerInstancesState"),
            ),
        ),
    )


_INSTANCES = "AmazonEC2ContainerServiceforEC2Role"


#: What a stack makes: AWS knows no resource yet. A file system that was given bears no tag of ours.
_MADE = (
    *("ec2:AllocateAddress", "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRouteTable"),
    *("ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ecs:CreateCluster"),
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),  # of mount targets
    *("elasticfilesystem:CreateAccessPoint", "elasticfilesystem:CreateFileSystem"),
    *(f"elasticloadbalancing:Create{thing}" for thing in ("Listener", "LoadBalancer", "Rule", "TargetGroup")),
)
#: What tags it, by service: allowed only while it is made.
_TAGGING = {
    "ec2": "CreateTags",
    "ecs": "TagResource",
    "elasticfilesystem": "TagResource",
    "elasticloadbalancing": "AddTags",
}
#: What changes and removes it, by service: allowed only where our tag is.
_CHANGED = {
    "ec2": (
        *("AssociateRouteTable", "AttachInternetGateway", "CreateRoute", "CreateTags", "DeleteTags"),
        *("AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "DetachInternetGateway"),
        *("DisassociateAddress", "DisassociateRouteTable", "ModifySubnetAttribute", "ModifyVpcAttribute"),
        *("ModifyVpcEndpoint", "ReleaseAddress", "ReplaceRoute", "RevokeSecurityGroupEgress"),
        *("RevokeSecurityGroupIngress", "DeleteInternetGateway", "DeleteNatGateway", "DeleteRoute"),
        *("DeleteRouteTable", "DeleteSecurityGroup", "DeleteSubnet", "DeleteVpc", "DeleteVpcEndpoints"),
    ),
    "ecs": ("DeleteCluster", "TagResource", "UntagResource"),
    "elasticfilesystem": (
        *("CreateMountTarget", "DeleteAccessPoint", "DeleteFileSystem", "DeleteMountTarget"),
        *("ModifyMountTargetSecurityGroups", "TagResource", "UntagResource", "UpdateFileSystem"),
    ),
    "elasticloadbalancing": (
        *("AddTags", "DeleteListener", "DeleteLoadBalancer", "DeleteRule", "DeleteTargetGroup", "ModifyListener"),
        *("ModifyRule", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "RemoveTags", "SetRulePriorities"),
        *("SetSecurityGroups", "SetSubnets"),
    ),
}


def _things() -> tuple[Statement, ...]:
    return (
        allow("Make", _MADE),
        *(
            only_if({"StringLike": {f"{service}:CreateAction": "*"}}, allow(f"Tag{number}", (f"{service}:{action}",)))
            for number, (service, action) in enumerate(_TAGGING.items(), 1)
        ),
        only_if(
            _OURS, allow("Change", tuple(f"{service}:{verb}" for service, verbs in _CHANGED.items() for verb in verbs))
        ),
    )


def suffix(where: Where) -> str:
    """Return the domain of services' names."""
    return "amazonaws.com.cn" if where.partition == "aws-cn" else "amazonaws.com"


def _document(*statements: Statement) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
