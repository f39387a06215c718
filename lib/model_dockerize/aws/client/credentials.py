"""Finds credentials and region in a given environment.

botocore reads the process's, so its pieces that take a mapping are combined here. Proxies, and
`credential_source = Environment` of an assume-role profile, still come from the process.
"""

from collections.abc import Mapping
from typing import Any

import botocore.session
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

from model_dockerize.aws.client.assume_role import GitHubToken, RoleCredentials
from model_dockerize.aws.client.call_log import note_calls
from model_dockerize.errors import AwsAccessError, InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import AwsSettings


class Session(botocore.session.Session):
    """Takes endpoints and certificates from a mapping, for STS, too."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._environment = dict(environment)
        #: Of the role that the session has become; None: as the environment says.
        self.role: Credentials | None = None

    def get_credentials(self) -> Credentials | None:
        return self.role or super().get_credentials()

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:
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


def sign_in(settings: AwsSettings, environment: Mapping[str, str], progress: Progress) -> tuple[Session, str]:
    """Return a session that signs, and its region."""
    session = session_of(environment)
    region = settings.aws_region or session.get_config_variable("region")
    if not region:
        raise InputError(
            "No AWS region is given.",
            remedy="Set aws-region (e.g. us-east-1), or AWS_REGION in the environment. Without an account: --sandbox.",
        )
    session.set_config_variable("region", region)
    _replace_credential_providers(session, environment, region)
    if settings.role_to_assume:
        _assume(session, settings.role_to_assume, environment, region, progress)
    return session, region


def session_of(environment: Mapping[str, str]) -> Session:
    """Return a session that reads `environment`, not the process's."""
    session = Session(environment)
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


def _replace_credential_providers(session: Session, environment: Mapping[str, str], region: str) -> None:
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


def _assume(session: Session, role: str, environment: Mapping[str, str], region: str, progress: Progress) -> None:
    # By GitHub's token, or the session's former credentials.
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
