"""ministack, loaded and checked. Nothing else in this package imports it.

`upstream_names` are private to it and may change with any release: hence the exact pin in pyproject.toml, and the check
at start. To upgrade: raise the pin, start a sandbox, read what is missing.
"""

import importlib
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from model_sandbox.tokens import Scope
from model_sandbox.upstream_names import PRIVATE_NAMES, SERVED


class UpstreamChangedError(Exception):
    """ministack lacks names that we need."""


@dataclass(frozen=True)
class Upstream:
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
    cloudwatch: ModuleType
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
        return Scope(self.responses.get_account_id(), self.responses.get_region())

    def account_of(self, access_key: str) -> str:
        """Return an access key's account, and make it current where ministack answers no call."""
        self.responses.set_request_account_id(access_key)
        return str(self.responses.get_account_id())

    def within(self, scope: Scope) -> AbstractContextManager[None]:
        """Act for `scope` inside the block. Needed in threads that answer no call."""
        entered: AbstractContextManager[None] = self.responses.request_scope(scope.account, scope.region)
        return entered


def load(port: int, account: str, region: str, state: Path, secret_key: str, iam: str) -> Upstream:
    """Import ministack, check it, and switch off what loopback must not do.

    Args:
        secret_key: of every account's root.
        iam: policies count only if "enforced".

    Raises:
        UpstreamChangedError: names of PRIVATE_NAMES are missing; the message lists all.
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
        cloudwatch=modules["services.cloudwatch"],
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
