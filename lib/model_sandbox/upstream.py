"""ministack, and every name of it that we reach into. Nothing else in this package imports ministack.

Its public face is HTTP only, so all of these are private to it and may change with any release: hence the exact pin in
requirements.txt and the check at start. To upgrade: raise the pin, start a sandbox, read the list of what is missing.
"""

import importlib
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from model_sandbox.tokens import Scope

#: What ministack answers. Its other services are switched off: many run code or containers of their own.
SERVED = (
    "account",
    "autoscaling",
    "batch",
    "cloudformation",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "elasticfilesystem",
    "elasticloadbalancing",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "organizations",
    "resource-groups",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "tagging",
)
#: module -> name -> why we need it
PRIVATE_NAMES: dict[str, dict[str, str]] = {
    "app": {
        "app": "the ASGI application that answers whatever we do not",
        "_stop_docker_containers": "replaced: at boot it removes containers of other programs that look like its own",
    },
    "core.sigv4": {
        "HeaderSignature": "the parts of a signature",
        "header_signature_failure": "whether a signature is that of a secret",
        "presigned_request_is_expired": "whether a presigned URL is too old",
        "request_time_failure": "whether a request is too old",
    },
    "core.iam_evaluator": {
        "CredentialResolutionError": "the answer for a key that is nobody's",
        "SignedRequest": "a presigned URL of version 2",
        "_sigv2_check": "whether its signature is that of a secret",
        "find_iam_access_key_account": "whose a user's access key is",
        "enforce": "wrapped, where IAM is enforced: every need of a request is looked at, not one",
        "resolve_credential": "the secret of an access key: of signatures, and for CloudFormation",
        "resolve_principal": "whose access key it is, and with which policies",
        "evaluate": "what policies say of one action on one resource",
        "EvalContext": "the question to them",
        "AuthError": "the answer for a key that is nobody's",
    },
    "core.iam_actions": {
        "access_denied_response": "wrapped, where IAM is enforced: names the action and the resource",
        "identity_denial_message": "AWS's sentence",
    },
    "core.responses": {
        "install_docker_hub_fallback": "replaced: a failed pull must fail and not be retried on public mirrors",
        "request_scope": "pins account and region in our threads",
        "get_account_id": "the account of the call that is being answered",
        "set_request_account_id": "the same, by the access key that it is signed with",
        "get_region": "the region of the call that is being answered",
    },
    "services.ecr": {
        "handle_request": "wrapped: images, credentials and scans are answered from our registry",
        "_repositories": "which repositories exist, and whether their tags are immutable",
        "_repo_uri": "replaced: URIs name our registry instead of amazonaws.com",
        "_delete_repository": "the rest of DeleteRepository, after our images are gone",
        "_put_image_tag_mutability": "the rest of PutImageTagMutability: it forgets the exclusion filters",
        "_describe_repositories": "the rest of DescribeRepositories, with these filters",
    },
    "services.ecs": {
        "handle_request": "wrapped: services and tasks are ours, with real containers and true roll-outs",
        "_clusters": "which clusters exist, and their counters",
        "_task_defs": "task definitions by family:revision",
        "_tags": "tags by ARN",
        "_recount_cluster": "replaced: the counters of a cluster count our tasks and services",
        "_resolve_cluster_name": "cluster name from a name or an ARN",
        "_resolve_td_key": "wrapped: a family is its latest active revision",
    },
    "services.batch": {
        "handle_request": "replaced: its jobs succeed without running",
    },
    "services.ec2": {
        "_subnets": "validation of the subnets of services and compute environments",
        "_security_groups": "whether a port is open",
        "_route_tables": "whether a subnet reaches the internet",
        "_network_interfaces": "the interfaces of tasks, for DescribeNetworkInterfaces",
        "_eni_fields_xml": "wrapped: it leaves out the public address of an interface",
        "_ensure_defaults_initialized": "makes the default VPC, otherwise made by the first EC2 call only",
        "_DEFAULT_VPC_ID": "its route to the internet is missing in ministack's route table",
        "_ACTION_MAP": "replaced in part: filters that it ignores, and what AWS does not delete while it is used",
        "_tags": "tags by id, for policies",
        "_addresses": "addresses, and whether a NAT gateway holds them",
        "_nat_gateways": "what holds an address and a subnet",
        "_vpc_endpoints": "to list them by filter",
        "_p": "a parameter of a request",
        "_parse_filters": "the filters of a request",
        "_parse_member_list": "the ids of a request",
        "_resource_matches_tag_filters": "tag filters",
        "_tag_set_xml": "tags of an address",
        "_vpce_fields_xml": "an endpoint as it is shown",
        "_sg_xml": "a security group as it is shown",
        "_xml": "an answer",
        "_error": "a refusal",
    },
    "services.efs": {
        "_create_mount_target": "wrapped: its name resolves only after a while",
        "_create_file_system": "wrapped: a creation token that is taken is refused",
        "_delete_file_system": "wrapped: the data goes too",
        "_fs_response": "wrapped: the size of the data",
        "_file_systems": "what can be mounted",
        "_access_points": "the directories of access points",
        "_mount_targets": "from where it can be mounted; what holds a subnet",
    },
    "services.cloudwatch_logs": {
        "_log_groups": "whether a log group exists",
        "_create_log_group": "for awslogs-create-group and for Batch",
        "_create_log_stream": "a stream per container",
        "_put_log_events": "what containers print",
    },
    "services.alb": {
        "_ACTION_MAP": "replaced in part: load balancers forward and check for real",
        "_action_xml": "wrapped: it leaves out the weights of target groups",
        "_parse_actions": "wrapped: it forgets the weights of target groups",
        "_tags": "tags by ARN, for policies",
        "_rules": "rules by ARN: which come before the listener's default",
        "_lbs": "load balancers by ARN: their names and groups",
        "_listeners": "listeners by ARN: which port forwards to which target group",
        "_tgs": "target groups by ARN: how they check",
        "_p": "a parameter of a call",
        "_parse_member_list": "a list of a call",
        "_xml": "an answer of ours",
        "_error": "an error of ours",
    },
    "services.secretsmanager": {"resolve_secret_string": "secrets of task and job definitions"},
    "services.ssm": {"resolve_parameter_value": "secrets of task and job definitions"},
    "services.cloudformation": {
        "_change_sets": "change sets by id",
        "_exports": "who exports what",
        "_stack_events": "events by the stack's id",
        "_stacks": "stacks by name",
    },
    "services.cloudformation.changesets": {
        "_evaluate_conditions": "wrapped: the same",
        "_find_change_set": "the role that a change set was given",
        "_resolve_props_for_diff": "wrapped: it counts resources whose condition is false",
    },
    "services.cloudformation.engine": {
        "_evaluate_conditions": "wrapped: conditions may join a list",
        "_intrinsic_references": "the parameters that outputs use",
    },
    "services.cloudformation.handlers": {
        "_evaluate_conditions": "wrapped: the same",
        "_ACTION_HANDLERS": "wrapped in part: what AWS refuses by a stack's state and for its exports",
        "_error": "a refusal",
        "_imported_export_names": "what a stack imports",
        "_resolve_stack": "a stack by its name or id",
        "_xml": "an answer",
    },
    "services.cloudformation.provisioners": {
        "_REPLACING_PROPERTIES": "which changes make another resource",
        "_RESOURCE_HANDLERS": "replaced: resources are made through our API",
        "_STACK_TAG_PROPERTY": "where a resource's tags go",
        "_physical_name": "the name of what was given none",
    },
    "services.cloudformation.stacks": {
        "_evaluate_conditions": "wrapped: the same",
        "_add_event": "wrapped: an update has events of what it changes",
        "_resolve_stack_outputs": "wrapped: an export that is imported stays as it is",
        "_runs_on_worker_thread": "wrapped: ours call this process and must not block it",
    },
    "services.sts": {
        "_role_id": "the sessions of roles",
        "_sessions": "to end them",
        "register_session": "to begin them",
    },
    "services.s3": {"_buckets": "which buckets containers may reach"},
    "services.lambda_svc": {
        "_create_function": "wrapped: a role that is new cannot be assumed yet",
        "_get_function": "wrapped, where IAM is enforced: tags are for who may list them",
        "_execute_function_dispatch": "replaced: functions run in containers, not on this computer",
        "_emit_lambda_logs": "what functions print",
        "_runtime_env_vars": "the variables of a function",
        "_spawn_lambda_container": "replaced: nothing runs that we do not run",
    },
    "core.lambda_runtime": {
        "ProvidedWorker": "its _spawn is replaced: the same",
        "Worker": "its _spawn is replaced: the same",
    },
    "services.iam": {
        "_gen_session_access_key": "keys of the sessions of roles",
        "_gen_session_token": "the same",
        "_roles": "a task starts only if its roles exist and trust ECS",
        "_IAM_HANDLERS": "wrapped in part: policies that are too long, or of another partition",
        "_p": "a parameter of a request",
        "_error": "a refusal",
        "_user_inline_policies": "how long those of a user are together",
        "_build_simulate_results_real": "replaced, where IAM is enforced: it ignores the condition keys that are given",
    },
}


class UpstreamChangedError(Exception):
    """The installed ministack lacks names that we need."""


@dataclass(frozen=True)
class Upstream:
    """ministack's modules, loaded and checked."""

    app: ModuleType
    sigv4: ModuleType
    evaluator: ModuleType
    actions: ModuleType
    responses: ModuleType
    ecr: ModuleType
    ecs: ModuleType
    batch: ModuleType
    ec2: ModuleType
    efs: ModuleType
    logs: ModuleType
    secrets: ModuleType
    parameters: ModuleType
    iam: ModuleType
    s3: ModuleType
    functions: ModuleType
    function_workers: ModuleType
    elb: ModuleType
    sts: ModuleType
    cloudformation: ModuleType
    cloudformation_changesets: ModuleType
    cloudformation_engine: ModuleType
    cloudformation_handlers: ModuleType
    cloudformation_provisioners: ModuleType
    cloudformation_stacks: ModuleType

    def scope(self) -> Scope:
        """Return account and region of the call that this thread is answering."""
        return Scope(self.responses.get_account_id(), self.responses.get_region())

    def account_of(self, access_key: str) -> str:
        """Return an access key's account, and make it the account of a call that ministack does not answer."""
        self.responses.set_request_account_id(access_key)
        return str(self.responses.get_account_id())

    def within(self, scope: Scope) -> AbstractContextManager[None]:
        """Act for `scope` inside the block. Needed in every thread that is not answering a call."""
        entered: AbstractContextManager[None] = self.responses.request_scope(scope.account, scope.region)
        return entered


def load(port: int, account: str, region: str, state: Path, secret_key: str, iam: str) -> Upstream:
    """Import ministack for this port and account, check it, and switch off what loopback must not do.

    `secret_key` is that of every account's root; policies count only where `iam` is "enforced".

    Raises:
        UpstreamChangedError: names of PRIVATE_NAMES are missing; the message lists all of them.
    """
    # It reads these when it is imported.
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        LOG_LEVEL="WARNING",
        MINISTACK_REGION=region,
        MINISTACK_ACCOUNT_ID=account,
        STATE_DIR=str(state),
        SERVICES=",".join(SERVED),
        AUTH="true" if iam == "enforced" else "false",
        AWS_SECRET_ACCESS_KEY=secret_key,
    )
    modules = {path: importlib.import_module(f"ministack.{path}") for path in PRIVATE_NAMES}
    missing = [f"{path}.{n}" for path, names in PRIVATE_NAMES.items() for n in names if not hasattr(modules[path], n)]
    if missing:
        raise UpstreamChangedError(f"this ministack is not the one that we know; it lacks: {', '.join(missing)}")
    app, responses = modules["app"], modules["core.responses"]
    _replace(responses, "install_docker_hub_fallback", lambda: None)
    stop_containers = app._stop_docker_containers
    _replace(app, "_stop_docker_containers", lambda at_boot=False: None if at_boot else stop_containers())
    return Upstream(
        app=app,
        sigv4=modules["core.sigv4"],
        evaluator=modules["core.iam_evaluator"],
        actions=modules["core.iam_actions"],
        responses=responses,
        ecr=modules["services.ecr"],
        ecs=modules["services.ecs"],
        batch=modules["services.batch"],
        ec2=modules["services.ec2"],
        efs=modules["services.efs"],
        logs=modules["services.cloudwatch_logs"],
        secrets=modules["services.secretsmanager"],
        parameters=modules["services.ssm"],
        iam=modules["services.iam"],
        s3=modules["services.s3"],
        functions=modules["services.lambda_svc"],
        function_workers=modules["core.lambda_runtime"],
        elb=modules["services.alb"],
        sts=modules["services.sts"],
        cloudformation=modules["services.cloudformation"],
        cloudformation_changesets=modules["services.cloudformation.changesets"],
        cloudformation_engine=modules["services.cloudformation.engine"],
        cloudformation_handlers=modules["services.cloudformation.handlers"],
        cloudformation_provisioners=modules["services.cloudformation.provisioners"],
        cloudformation_stacks=modules["services.cloudformation.stacks"],
    )


def _replace(module: ModuleType, name: str, value: Any) -> None:
    setattr(module, name, value)
