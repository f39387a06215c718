"""An AWS account and its clients."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials

from model_dockerize.aws.client.credentials import sign_in
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.retries import never_repeat
from model_dockerize.aws.model import Action, Change, Identity
from model_dockerize.errors import AwsAccessError
from model_dockerize.progress import Progress
from model_dockerize.settings import AwsSettings, warn_of_missing_files

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_efs import EFSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 5},
    user_agent_extra="model-dockerize",
)
#: If such a file is missing, the default certificates are used. Files of credentials are not ignored like that: the run
#: would go on as somebody else.
_CERTIFICATES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_DONE = {"make": "made", "change": "changed", "leave": "there", "remove": "removed"}


@dataclass(frozen=True)
class Aws:
    """An account and region that answered; thread-safe."""

    identity: Identity
    progress: Progress = field(repr=False)
    _session: boto3.Session = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _listeners: list[tuple[str, Callable[..., Any]]] = field(default_factory=list, repr=False)
    #: Nothing is changed (see rehearsal.py), so there is nothing to wait for.
    only_asks: bool = False
    #: Of everything that is made, besides ours.
    tags: Mapping[str, str] = field(default_factory=dict)
    permissions_boundary: str = ""  # ARN of the policy that bounds every role that is made; empty: there is none
    #: What the stages made, changed or left, in order: see `settled`.
    changes: list[Change] = field(default_factory=list, repr=False)

    @property
    def batch(self) -> "BatchClient":
        return self.client("batch")  # type: ignore[no-any-return]

    @property
    def ec2(self) -> "EC2Client":
        return self.client("ec2")  # type: ignore[no-any-return]

    @property
    def ecr(self) -> "ECRClient":
        return self.client("ecr")  # type: ignore[no-any-return]

    @property
    def ecs(self) -> "ECSClient":
        return self.client("ecs")  # type: ignore[no-any-return]

    @property
    def functions(self) -> "LambdaClient":
        return self.client("lambda")  # type: ignore[no-any-return]

    @property
    def efs(self) -> "EFSClient":
        return self.client("efs")  # type: ignore[no-any-return]

    @property
    def elbv2(self) -> Any:
        return self.client("elbv2")

    @property
    def scaling(self) -> Any:
        return self.client("application-autoscaling")

    @property
    def iam(self) -> "IAMClient":
        return self.client("iam")  # type: ignore[no-any-return]

    @property
    def logs(self) -> "CloudWatchLogsClient":
        return self.client("logs")  # type: ignore[no-any-return]

    @property
    def s3(self) -> "S3Client":
        return self.client("s3")  # type: ignore[no-any-return]

    @property
    def credentials(self) -> Credentials | None:
        return self._session.get_credentials()

    def client(self, service: str) -> Any:
        """Return the one client: making one is slow and not thread-safe."""
        with self._lock:
            if service not in self._clients:
                client = self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]
                never_repeat(client)
                for event, function in self._listeners:
                    client.meta.events.register(event, function)
                self._clients[service] = client
            return self._clients[service]

    def listen(self, event: str, function: Callable[..., Any]) -> None:
        """Register `function` for later clients."""
        self._listeners.append((event, function))

    def apart(self, only_asks: bool = False) -> "Aws":
        """Return it with own clients and changes."""
        return replace(
            self,
            _clients={},
            _lock=threading.Lock(),
            _listeners=[],
            only_asks=only_asks or self.only_asks,
            changes=[],
        )

    def has_changed(self, since: int = 0) -> bool:
        """Tell whether anything was made, changed or removed, behind the first `since` reports."""
        return any(change.action != "leave" for change in self.changes[since:])

    def settled(self, progress: Progress, action: Action, kind: str, name: str, *fields: str, text: str = "") -> None:
        """Report a resource's change."""
        self.changes.append(Change(action, kind, name, fields))
        progress.info(text or f"{kind} {name}: {_DONE[action]}" + (f" ({', '.join(fields)})" if fields else ""))


def connect(settings: AwsSettings, environment: Mapping[str, str], progress: Progress) -> Aws:
    """Sign in and ask AWS who we are.

    Credentials come from `environment` only.
    """
    missing = warn_of_missing_files(environment, _CERTIFICATES, progress)
    environment = {name: text for name, text in environment.items() if name not in missing}
    with translate("sign in to AWS"):
        session, region = sign_in(settings, environment, progress)
        credentials = session.get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            for secret in (frozen.secret_key, frozen.token):
                if secret:
                    progress.secret(secret)
        boto_session = boto3.Session(botocore_session=session, region_name=region)
        sts: STSClient = boto_session.client("sts", config=_CONFIG)
        who = sts.get_caller_identity()
    identity = Identity(who["Account"], who["Arn"], region)
    if settings.aws_account_id and settings.aws_account_id != identity.account:
        raise AwsAccessError(
            f"The credentials belong to account {identity.account}, not to {settings.aws_account_id} (aws-account-id).",
            remedy="Use credentials of the account that is meant, or correct aws-account-id. Nothing was changed.",
        )
    progress.info(f"{region}, as {identity.arn}")
    return Aws(
        identity,
        progress,
        boto_session,
        tags=dict(settings.tags),
        permissions_boundary=settings.permissions_boundary,
    )
