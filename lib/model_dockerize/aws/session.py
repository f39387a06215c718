"""Who we are at AWS, where, and the clients through which every other module talks.

The environment is a value that is handed in: nothing here reads this process's own. botocore does, so its public
pieces that take a mapping (configuration chain, endpoint lookup, credential providers) are put together with ours. Left
over, and read from the process: proxies, and `credential_source = Environment` of an assume-role profile.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import (
    BOTOCORE_DEFAUT_SESSION_VARIABLES,
    ConfigChainFactory,
    ConfiguredEndpointProvider,
    ConstantProvider,
)
from botocore.credentials import (
    AssumeRoleWithWebIdentityProvider,
    ContainerProvider,
    Credentials,
    EnvProvider,
    create_credential_resolver,
)
from botocore.utils import ensure_boolean

from model_dockerize.aws.change import Action, Change
from model_dockerize.aws.errors import translate
from model_dockerize.aws.lost import never_repeat
from model_dockerize.aws.notes import note_calls
from model_dockerize.aws.role import GitHubToken, RoleCredentials
from model_dockerize.errors import AwsAccessError, InputError
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
class Identity:
    """Who the credentials are."""

    account: str  # 12 digits
    arn: str
    region: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov`: the second word of every ARN."""
        return self.arn.split(":")[1]


@dataclass(frozen=True)
class Aws:
    """An account and region that answered. Clients are made at first use and may be used by several threads."""

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
        """AWS Batch."""
        return self.client("batch")  # type: ignore[no-any-return]

    @property
    def ec2(self) -> "EC2Client":
        """VPC, subnets, security groups, network interfaces."""
        return self.client("ec2")  # type: ignore[no-any-return]

    @property
    def ecr(self) -> "ECRClient":
        """The container registry."""
        return self.client("ecr")  # type: ignore[no-any-return]

    @property
    def ecs(self) -> "ECSClient":
        """Clusters, task definitions, services, tasks."""
        return self.client("ecs")  # type: ignore[no-any-return]

    @property
    def functions(self) -> "LambdaClient":
        """AWS Lambda."""
        return self.client("lambda")  # type: ignore[no-any-return]

    @property
    def efs(self) -> "EFSClient":
        """Shared file systems."""
        return self.client("efs")  # type: ignore[no-any-return]

    @property
    def elbv2(self) -> Any:
        """Load balancers."""
        return self.client("elbv2")

    @property
    def scaling(self) -> Any:
        """Application Auto Scaling."""
        return self.client("application-autoscaling")

    @property
    def iam(self) -> "IAMClient":
        """Roles."""
        return self.client("iam")  # type: ignore[no-any-return]

    @property
    def logs(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs."""
        return self.client("logs")  # type: ignore[no-any-return]

    @property
    def s3(self) -> "S3Client":
        """Buckets."""
        return self.client("s3")  # type: ignore[no-any-return]

    def client(self, service: str) -> Any:
        """The client of `service`, e.g. `ecs`. One each: to make one is slow and not thread-safe."""
        with self._lock:
            if service not in self._clients:
                client = self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]
                never_repeat(client)
                for event, function in self._listeners:
                    client.meta.events.register(event, function)
                self._clients[service] = client
            return self._clients[service]

    def listen(self, event: str, function: Callable[..., Any]) -> None:
        """Has every client that is made from now on call `function` at botocore's `event`, e.g. `before-call`."""
        self._listeners.append((event, function))

    def apart(self, only_asks: bool = False) -> "Aws":
        """The same account with clients and changes of its own."""
        return replace(
            self,
            _clients={},
            _lock=threading.Lock(),
            _listeners=[],
            only_asks=only_asks or self.only_asks,
            changes=[],
        )

    def settled(self, progress: Progress, action: Action, kind: str, name: str, *fields: str, text: str = "") -> None:
        """Says that a resource was made, changed (in `fields`) or left as it is; `text` where that says it better."""
        self.changes.append(Change(action, kind, name, fields))
        progress.info(text or f"{kind} {name}: {_DONE[action]}" + (f" ({', '.join(fields)})" if fields else ""))


def connect(settings: AwsSettings, environment: Mapping[str, str], progress: Progress) -> Aws:
    """Signs in and asks AWS who we are.

    The region is `settings.aws_region`, else AWS_REGION, AWS_DEFAULT_REGION, the profile's. Credentials come as for
    every AWS tool: keys, web identity, profile, container, instance; all looked up in `environment` only.

    Raises:
        InputError: no region.
        AwsAccessError: no credentials, wrong or expired ones, or another account than `settings.aws_account_id`.
        AwsError: AWS cannot be reached.
    """
    missing = warn_of_missing_files(environment, _CERTIFICATES, progress)
    environment = {name: text for name, text in environment.items() if name not in missing}
    with translate("sign in to AWS"):
        session = _session(environment)
        region = settings.aws_region or session.get_config_variable("region")
        if not region:
            raise InputError(
                "No AWS region is given.",
                remedy="Set aws-region (e.g. us-east-1), or AWS_REGION in the environment.",
            )
        session.set_config_variable("region", region)
        _replace_credential_providers(session, environment, region)
        if settings.role_to_assume:
            _assume(session, settings.role_to_assume, environment, region, progress)
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
    progress.info(f"AWS account {identity.account}, region {region}, as {identity.arn}")
    return Aws(
        identity,
        progress,
        boto_session,
        tags=dict(settings.tags),
        permissions_boundary=settings.permissions_boundary,
    )


class _Session(botocore.session.Session):
    """Takes endpoints and certificates from a mapping, also for clients that botocore makes for itself (STS)."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._environment = dict(environment)
        #: Of the role that the session has become; None: as the environment says.
        self.role: Credentials | None = None

    def get_credentials(self) -> Credentials | None:
        """As botocore's, or those of the role."""
        return self.role or super().get_credentials()

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
        """As botocore's; the endpoint is looked up by botocore's own rules, in the mapping."""
        if not kwargs.get("endpoint_url") and not self.get_config_variable("our_ignore_endpoints"):
            kwargs["endpoint_url"] = ConfiguredEndpointProvider(
                full_config=self.full_config,
                scoped_config=self.get_scoped_config(),
                client_name=service_name,
                environ=self._environment,
            ).provide()
        if kwargs.get("verify") is None:
            # The order is botocore's, which would read the second from the process.
            found = self.get_config_variable("ca_bundle") or self._environment.get("REQUESTS_CA_BUNDLE")
            kwargs["verify"] = found or True
        return super().create_client(service_name, *args, **kwargs)


def _session(environment: Mapping[str, str]) -> _Session:
    session = _Session(environment)
    note_calls(session)
    chains = ConfigChainFactory(session, environ=dict(environment))
    store = session.get_component("config_store")
    for name, (properties, variables, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        # Every AWS tool but botocore reads AWS_REGION, and GitHub's runners set it.
        names = ["AWS_REGION", "AWS_DEFAULT_REGION"] if name == "region" else variables
        chain = chains.create_config_chain(name, names, properties, default, convert)
        store.set_config_provider(name, chain)
    ignore = chains.create_config_chain(
        None,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "ignore_configured_endpoint_urls",
        False,
        ensure_boolean,
    )
    store.set_config_provider("our_ignore_endpoints", ignore)
    # botocore would look in the process's environment after us.
    store.set_config_provider("ignore_configured_endpoint_urls", ConstantProvider(True))
    return session


def _replace_credential_providers(session: _Session, environment: Mapping[str, str], region: str) -> None:
    resolver = create_credential_resolver(session, region_name=region)
    profile = session.get_config_variable("profile") or "default"
    ours = (
        EnvProvider(environ=dict(environment)),
        ContainerProvider(environ=dict(environment)),
        AssumeRoleWithWebIdentityProvider(
            load_config=lambda: _with_web_identity(session.full_config, profile, environment),
            client_creator=lambda service, **kwargs: session.create_client(
                service, **{"region_name": region, **kwargs}
            ),
            profile_name=profile,
            disable_env_vars=True,
        ),
    )
    instead = {provider.METHOD: provider for provider in ours}
    resolver.providers = [instead.get(provider.METHOD or "", provider) for provider in resolver.providers]
    session.register_component("credential_provider", resolver)


def _assume(session: _Session, role: str, environment: Mapping[str, str], region: str, progress: Progress) -> None:
    """From here on the session is `role`; what it was before vouches for it where GitHub does not."""
    token = GitHubToken.of(environment)
    if token is None and session.get_credentials() is None:
        raise AwsAccessError(
            f"There is nothing to assume {role} with: neither GitHub's OIDC token nor AWS credentials.",
            remedy="In a workflow, give the job `permissions: {id-token: write, contents: read}`; elsewhere, sign in.",
        )
    former = session.get_credentials() if token is None else None

    def client(service: str, **kwargs: Any) -> Any:
        # Keys must be given even where nothing is signed: botocore would look for some, at last on the network.
        keys = former.get_frozen_credentials() if former else None
        kwargs |= {
            "aws_access_key_id": keys.access_key if keys else "unsigned",
            "aws_secret_access_key": keys.secret_key if keys else "unsigned",
            "aws_session_token": keys.token if keys else None,
        }
        return session.create_client(service, region_name=region, **kwargs)

    session.role = RoleCredentials(role, token, client, progress).load()


def _with_web_identity(config: Mapping[str, Any], profile: str, environment: Mapping[str, str]) -> dict[str, Any]:
    variables = {
        "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
        "role_arn": "AWS_ROLE_ARN",
        "role_session_name": "AWS_ROLE_SESSION_NAME",
    }
    profiles = dict(config.get("profiles", {}))
    given = {key: environment[name] for key, name in variables.items() if environment.get(name)}
    profiles[profile] = {**profiles.get(profile, {}), **given}
    return {**config, "profiles": profiles}
