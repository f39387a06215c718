"""The rights to destroy, besides stacks. Pure; docs/iam.md explains them."""

from typing import Any

from model_dockerize.aws.client.names import TAG, legal_name
from model_dockerize.aws.function.role import function_role_name
from model_dockerize.aws.ground.names import Names
from model_dockerize.aws.iam.statement import Statement, Where, allow, only_if

_OURS = {"Null": {f"aws:ResourceTag/{TAG}": "false"}}


def destroy_policy(names: Names, where: Where) -> dict[str, Any]:
    """Return the rights of `destroy`, whatever inputs a run had."""
    definitions = where.arn("batch", f"job-definition/{legal_name(names.job_definition, 128)}:*")
    statements = [
        allow("LookForUsers", (*_LOOKS, *(("logs:DescribeLogGroups",) if names.function else ()))),
        _of_ours(
            allow(
                "RemoveService",
                ("ecs:DeleteService", "ecs:DeleteCluster", "ecs:DeleteTaskDefinitions"),
                where.arn("ecs", f"service/{names.cluster}/{legal_name(names.service)}"),
                where.arn("ecs", f"cluster/{names.cluster}"),
                where.arn("ecs", f"task-definition/{legal_name(names.task_definition)}:*"),
            )
        ),
        _of_ours(allow("RemoveJobDefinition", ("batch:DeregisterJobDefinition",), definitions)),
        _of_ours(
            allow(
                "RemoveQueue",
                (
                    *("batch:UpdateJobQueue", "batch:DeleteJobQueue"),
                    *("batch:UpdateComputeEnvironment", "batch:DeleteComputeEnvironment"),
                ),
                where.arn("batch", "job-queue/*"),
                where.arn("batch", "compute-environment/*"),
            )
        ),
        _of_ours(
            allow(
                "RemoveData",
                tuple(f"elasticfilesystem:Delete{thing}" for thing in ("AccessPoint", "MountTarget", "FileSystem")),
                where.arn("elasticfilesystem", "file-system/*"),
                where.arn("elasticfilesystem", "access-point/*"),
            )
        ),
        _of_ours(
            allow("RemoveRepository", ("ecr:DeleteRepository",), where.arn("ecr", f"repository/{names.repository}"))
        ),
        allow(
            "RemoveFilesOfJobs",
            ("s3:GetBucketTagging", "s3:ListBucket", "s3:DeleteObject", "s3:DeleteBucket"),
            f"arn:{where.partition}:s3:::{TAG}-jobs-{where.account}-{where.region}",
            f"arn:{where.partition}:s3:::{TAG}-jobs-{where.account}-{where.region}/*",
        ),
        # Whoever sends a job gives it its tags. AWS knows neither a resource nor a tag of what the others are about.
        allow("EndJobs", ("batch:TerminateJob",), where.arn("batch", "job/*")),
        allow(
            "TakeBack",
            (
                *("ecs:DeregisterTaskDefinition", "application-autoscaling:DeregisterScalableTarget"),
                "cloudwatch:DeleteAlarms",  # with which AWS ends its scaling policy
                "ec2:DeleteNetworkInterface",  # of a mount target
            ),
        ),
    ]
    if names.function:
        statements.append(_function(names.function, where))
    return {"Version": "2012-10-17", "Statement": statements}


_LOOKS = (
    *(f"batch:Describe{thing}" for thing in ("ComputeEnvironments", "JobDefinitions", "JobQueues", "Jobs")),
    "batch:ListJobs",
    *(f"cloudformation:{verb}" for verb in ("DescribeStacks", "ListImports", "ListStackResources")),
    *(f"ec2:Describe{thing}" for thing in ("NetworkInterfaces", "SecurityGroups", "Subnets")),
    *("ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListTagsForResource"),
    *(f"ecs:Describe{thing}" for thing in ("Clusters", "Services", "TaskDefinition", "Tasks")),
    *(f"ecs:List{thing}" for thing in ("Clusters", "Services", "TaskDefinitionFamilies", "TaskDefinitions", "Tasks")),
    *(f"elasticfilesystem:Describe{thing}" for thing in ("AccessPoints", "FileSystems", "MountTargets")),
    *("elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules"),
    "application-autoscaling:DescribeScalableTargets",
)


def _of_ours(statement: Statement) -> Statement:
    return only_if(_OURS, statement)


def _function(name: str, where: Where) -> Statement:
    return allow(
        "RemoveFunction",
        (
            *("lambda:GetFunction", "lambda:ListTags", "lambda:GetPolicy", "lambda:DeleteFunction"),
            *("logs:DeleteLogGroup", "iam:GetRole", "iam:DeleteRolePolicy", "iam:DeleteRole"),
            *("s3:GetBucketNotification", "s3:PutBucketNotification"),
        ),
        where.arn("lambda", f"function:{name}"),
        where.arn("logs", f"log-group:/aws/lambda/{name}:*"),
        where.arn("iam", f"role/{function_role_name(name, where.region)}", regional=False),
        f"arn:{where.partition}:s3:::*",
    )
