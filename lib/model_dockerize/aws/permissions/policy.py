"""The least rights of a configuration. Pure; docs/iam.md explains them."""

from typing import Any

from model_dockerize.aws.client.names import TAG, legal_name
from model_dockerize.aws.ecr.registry import parts_of
from model_dockerize.aws.existing.adoption import ADOPTED
from model_dockerize.aws.function.role import function_role_name
from model_dockerize.aws.ground.names import Names, log_group
from model_dockerize.aws.ground.permissions import BOUNDARY, caller_policy, own_policy, suffix
from model_dockerize.aws.iam.statement import Statement, Where, only_if
from model_dockerize.aws.iam.statement import allow as _allow
from model_dockerize.aws.permissions.traffic import traffic
from model_dockerize.settings import BatchSettings, ServiceSettings, Settings


def run_policy(settings: Settings, names: Names, where: Where) -> dict[str, Any]:
    """Return what a run calls directly."""
    asking = _asking(settings)
    statements = [*([asking] if asking["Action"] else []), *_registry(settings, names, where)]
    if settings.service.deploy_service or settings.batch.create_job_def:
        statements += [*_log_group(settings, names, where), *_roles(settings, where)]
    if settings.service.deploy_service:
        statements += [
            *_service(names, where, settings.service),
            *traffic(settings.service),
        ]
        if settings.service.volume:
            statements += _volume(settings, where)
    if settings.batch.create_job_def:
        statements += _batch(settings, names, where)
    if settings.service.deploy_service or settings.batch.job_queue:
        statements.append(_network(settings))
    return {"Version": "2012-10-17", "Statement": statements}


def function_policy(settings: Settings, where: Where, after_bootstrap: bool = False) -> dict[str, Any] | None:
    """Return the rights to function and role."""
    if not (settings.batch.create_job_def and settings.batch.update_function):
        return None
    bound = settings.aws.permissions_boundary
    if after_bootstrap and not bound:
        bound = where.arn("iam", f"policy/{BOUNDARY}", regional=False)
    return {"Version": "2012-10-17", "Statement": _function(settings.batch, bound, where)}


def files_policy(where: Where) -> dict[str, Any]:
    """Return what `submit` of local files needs besides."""
    bucket = f"arn:{where.partition}:s3:::{TAG}-jobs-{where.account}-{where.region}"
    statements = [
        _allow("FilesOfJobs", ("s3:GetObject", "s3:PutObject"), f"{bucket}/*"),
        _allow("BucketOfJobs", _BUCKET, bucket),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def stack_policy(settings: Settings, where: Where, after_bootstrap: bool) -> dict[str, Any]:
    """Return the rights to stacks."""
    if after_bootstrap:
        return caller_policy(where)
    return own_policy(where, settings.aws.permissions_boundary)


def unbound(document: dict[str, Any]) -> tuple[str, ...]:
    """Return the statements by which their holder gains any rights."""
    return tuple(
        statement["Sid"]
        for statement in document["Statement"]
        if _WRITES_ROLES & set(statement["Action"])
        and not any("iam:PermissionsBoundary" in keys for keys in statement.get("Condition", {}).values())
    )


_WRITES_ROLES = {"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy"}


def trust_policy(repository: str, repository_id: str, owner_id: str, where: Where) -> dict[str, Any]:
    """Return who may assume the role: jobs for main and tags v*.

    Jobs with an `environment` have another subject.
    """
    owner, _, name = repository.partition("/")
    forms = (f"repo:{repository}", f"repo:{owner}@{owner_id}/{name}@{repository_id}")
    provider = "token.actions.githubusercontent.com"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": where.arn("iam", f"oidc-provider/{provider}", regional=False)},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{provider}:aud": "sts.amazonaws.com"},
                    "StringLike": {
                        f"{provider}:sub": [
                            f"{form}:ref:refs/{ref}" for form in forms for ref in ("heads/main", "tags/v*")
                        ]
                    },
                },
            }
        ],
    }


def _asking(settings: Settings) -> Statement:
    """Leave out sts:GetCallerIdentity, which needs no right."""
    actions = ["ecr:GetAuthorizationToken"] if settings.registry.push_to_ecr or _named_image(settings) else []
    if settings.registry.scan_gate:
        actions += ["inspector2:ListCoverage", "inspector2:ListFindings"]  # whose findings ECR shows
    if settings.batch.create_job_def:
        actions.append("batch:DescribeJobDefinitions")
    if settings.service.deploy_service:
        actions += ["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:ListTasks"]
        actions += ["ecs:ListClusters", "ecs:ListServices"]  # of list, and of an error that names those that are there
    return _allow("Ask", tuple(actions))


def _named_image(settings: Settings) -> str:
    file = settings.batch.file
    _, repository, tag = parts_of(file.job_definition.image if file and file.job_definition else "")
    return "" if settings.registry.push_to_ecr or not tag else repository


def _registry(settings: Settings, names: Names, where: Where) -> list[Statement]:
    if not settings.registry.push_to_ecr:
        named, look = _named_image(settings), ("ecr:DescribeRepositories", "ecr:DescribeImages")
        return [_allow("NamedImage", look, where.arn("ecr", f"repository/{named}"))] if named else []
    actions = [
        *("ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:CreateRepository"),
        *("ecr:TagResource", "ecr:ListTagsForResource", "ecr:PutImage", "ecr:BatchCheckLayerAvailability"),
        *("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"),
        *("ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"),
    ]
    if settings.image.cache not in ("none", "gha"):
        actions.append("ecr:GetDownloadUrlForLayer")
    if settings.registry.immutable_tags:
        actions.append("ecr:PutImageTagMutability")
    if settings.registry.scan:
        actions.append("ecr:PutImageScanningConfiguration")
    if settings.registry.scan_gate:
        actions += ["ecr:DescribeImageScanFindings", "ecr:StartImageScan"]
    return [_allow("Registry", tuple(actions), where.arn("ecr", f"repository/{names.repository}"))]


def _log_group(settings: Settings, names: Names, where: Where) -> list[Statement]:
    if not (settings.service.deploy_service or settings.batch.job_queue):
        return []
    # A definition of a BatchConfig.yml has a log of its own.
    logged = (names.service, *((names.job_definition,) if settings.batch.file else ()))
    groups = [where.arn("logs", f"log-group:{log_group(names.cluster, name)}:*") for name in logged]
    return [_allow("Log", ("logs:GetLogEvents",), *groups)]


def _roles(settings: Settings, where: Where) -> list[Statement]:
    given = [role for role in (settings.service.execution_role, settings.service.task_role) if role]
    arns = [r if r.startswith("arn:") else where.arn("iam", f"role/{r}", regional=False) for r in given]
    shifts = settings.service.deploy_service and settings.service.shifts
    own = [where.arn("iam", "role/model-dockerize-*", regional=False)] if shifts or len(given) < 2 else []
    pass_on = _allow("PassRoles", ("iam:PassRole",), *arns, *own)
    # ECS itself gets the role by which it moves traffic.
    to_tasks = "ecs-tasks.amazonaws.com"
    passed_to = [to_tasks, "ecs.amazonaws.com"] if shifts else to_tasks
    pass_on["Condition"] = {"StringEquals": {"iam:PassedToService": passed_to}}
    linked = where.arn("iam", "role/aws-service-role/*", regional=False)
    named = [arn for arn, role in zip(arns, given, strict=True) if not role.startswith("arn:")]
    return [
        *([_allow("LookAtRoles", ("iam:GetRole",), *named, *own)] if named or own else []),
        pass_on,
        _allow("LinkedRoles", ("iam:CreateServiceLinkedRole",), linked),
    ]


def _service(names: Names, where: Where, settings: ServiceSettings) -> list[Statement]:
    """Let only what is made or adopted get our tag: with it, `destroy` could delete others' things."""
    name = f"{names.cluster}/{legal_name(names.service)}"
    cluster, service = where.arn("ecs", f"cluster/{names.cluster}"), where.arn("ecs", f"service/{name}")
    definitions = where.arn("ecs", f"task-definition/{legal_name(names.task_definition)}:*")
    # Which of them, the actions that make them say.
    made = {"StringEquals": {"ecs:CreateAction": ["CreateCluster", "CreateService", "RegisterTaskDefinition"]}}
    other_tags = {} if settings.adopt else {"ForAllValues:StringNotEquals": {"aws:TagKeys": [TAG, ADOPTED]}}
    return [
        _allow("Tasks", ("ecs:DescribeTasks", "ecs:StopTask"), where.arn("ecs", f"task/{names.cluster}/*")),
        _allow(
            "Service",
            (
                *("ecs:DescribeClusters", "ecs:CreateCluster", "ecs:DescribeServices", "ecs:CreateService"),
                *("ecs:UpdateService", "ecs:RegisterTaskDefinition", "ecs:DescribeServiceDeployments"),
                *("ecs:DescribeServiceRevisions", "ecs:ListServiceDeployments", "ecs:RunTask"),
                *(("ecs:ContinueServiceDeployment", "ecs:StopServiceDeployment") if settings.shifts else ()),
            ),
            cluster,
            service,
            where.arn("ecs", f"service-deployment/{name}/*"),
            where.arn("ecs", f"service-revision/{name}/*"),
            definitions,
        ),
        only_if(made, _allow("TagWhatIsMade", ("ecs:TagResource",))),
        only_if(other_tags, _allow("MarkRollouts", ("ecs:TagResource", "ecs:UntagResource"), service)),
    ]


def _volume(settings: Settings, where: Where) -> list[Statement]:
    if not settings.service.volume.startswith("fs-"):
        return []
    look = ("DescribeFileSystems", "DescribeMountTargets", "DescribeMountTargetSecurityGroups")
    place = where.arn("elasticfilesystem", f"file-system/{settings.service.volume}")
    return [_allow("LookAtVolume", tuple(f"elasticfilesystem:{action}" for action in look), place)]


def _batch(settings: Settings, names: Names, where: Where) -> list[Statement]:
    definition = where.arn("batch", f"job-definition/{legal_name(names.job_definition, 128)}")
    own = [definition, f"{definition}:*"]
    statements = [_allow("JobDefinition", ("batch:RegisterJobDefinition", "batch:TagResource"), *own)]
    if not settings.batch.job_queue:
        return statements
    places = [
        where.arn("batch", f"job-queue/{settings.batch.job_queue}"),
        where.arn("batch", f"compute-environment/{settings.batch.compute_environment}"),
    ]
    if not settings.batch.compute_type.startswith("FARGATE"):
        statements += _instance_role(settings.batch.instance_role, where)
    if role := settings.batch.service_role:
        arn = role if role.startswith("arn:") else where.arn("iam", f"role/{role}", regional=False)
        statements += [
            _allow("LookAtBatchRole", ("iam:GetRole",), arn),
            only_if(_to_batch(where), _allow("PassBatchRole", ("iam:PassRole",), arn)),
        ]
    return [
        *statements,
        _allow(
            "Jobs",
            ("batch:DescribeComputeEnvironments", "batch:DescribeJobQueues", "batch:DescribeJobs", "batch:ListJobs"),
        ),
        _allow("EndJobs", ("batch:TerminateJob",), where.arn("batch", "job/*")),
        _allow(
            "Queue",
            (
                *("batch:CreateComputeEnvironment", "batch:UpdateComputeEnvironment", "batch:CreateJobQueue"),
                *("batch:UpdateJobQueue", "batch:SubmitJob", "batch:TagResource"),
            ),
            *own,
            *places,
            where.arn("batch", "job/*"),
        ),
    ]


#: What `submit` does to the bucket through which files of a computer go.
_BUCKET = (
    *("s3:CreateBucket", "s3:GetBucketTagging", "s3:PutBucketTagging", "s3:ListBucket"),
    *("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    *("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    *("s3:GetBucketPolicy", "s3:PutBucketPolicy"),
)


def _instance_role(wanted: str, where: Where) -> list[Statement]:
    """Guess the role's name by the profile's; it may differ."""
    name = wanted.rpartition("/")[2] or "model-dockerize-*"
    profile, role = (where.arn("iam", f"{kind}/{name}", regional=False) for kind in ("instance-profile", "role"))
    looking = [_allow("LookAtProfile", ("iam:GetInstanceProfile",), profile)] if wanted else []
    return [*looking, only_if(_to_batch(where), _allow("PassInstanceRole", ("iam:PassRole",), role))]


def _to_batch(where: Where) -> dict[str, Any]:
    return {"StringEquals": {"iam:PassedToService": ["batch.amazonaws.com", f"ec2.{suffix(where)}"]}}


def _function(batch: BatchSettings, boundary: str, where: Where) -> list[Statement]:
    name = batch.update_function
    role = where.arn("iam", f"role/{function_role_name(name, where.region)}", regional=False)
    creating = ("lambda:GetFunction", "lambda:ListTags", "lambda:CreateFunction", "lambda:TagResource")
    changing = ("lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionCode")
    feeding = ("lambda:GetPolicy", "lambda:AddPermission", "lambda:RemovePermission") if batch.function_source else ()
    bound = {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}
    roles = only_if(bound, _allow("MakeFunctionRole", ("iam:CreateRole", "iam:PutRolePolicy"), role))
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    pass_on = only_if(to_lambda, _allow("PassFunctionRole", ("iam:PassRole",), role))
    statements = [
        _allow("Function", (*creating, *changing, *feeding), where.arn("lambda", f"function:{name}")),
        roles,
        _allow("FunctionRole", ("iam:GetRole", "iam:GetRolePolicy", "iam:TagRole"), role),
        pass_on,
    ]
    if batch.function_source:
        bucket = f"arn:{where.partition}:s3:::{batch.function_source.partition('/')[0]}"
        statements.append(_allow("Notify", ("s3:GetBucketNotification", "s3:PutBucketNotification"), bucket))
    return statements


def _network(settings: Settings) -> Statement:
    service = settings.service
    looking: tuple[str, ...] = ()
    if service.deploy_service:
        looking += ("ec2:DescribeNetworkInterfaces",)  # where its tasks answer
    if service.vpc or service.subnets or service.adopt:
        looking += ("ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups")
    else:
        looking += ("ec2:DescribeAvailabilityZones",)
        looking += ("ec2:DescribeSecurityGroups",) if service.security_groups else ()
        looking += ("ec2:DescribeSubnets",) if service.volume else ()
    return _allow("Network", looking)
