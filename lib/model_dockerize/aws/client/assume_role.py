"""Credentials of `role-to-assume`, by GitHub's token (OIDC) or others.

A build may outlive them: botocore renews them.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import Retry

from model_dockerize.aws.client.errors import NAMED_FILE, code_of, message_of, translate
from model_dockerize.errors import AwsAccessError
from model_dockerize.progress import Progress

_AUDIENCE = "sts.amazonaws.com"
_SESSION = "model-dockerize"
_NEEDS = "Give the job `permissions: {id-token: write, contents: read}`. Pull requests from forks never get it."
_NETWORK = (
    "Run the job again. Behind a proxy: have it let this host through, and if it signs TLS anew, name its certificates "
    "with REQUESTS_CA_BUNDLE, a file of the workspace."
)
_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})

Client = Callable[..., Any]


@dataclass(frozen=True)
class GitHubToken:
    """Gets OIDC tokens from GitHub."""

    url: str
    bearer: str
    certificates: str = ""  # of authorities, a file or a folder; empty: the default ones

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "GitHubToken | None":
        """Return None where the job may not ask for tokens."""
        url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
        bearer = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        certificates = environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or ""
        return cls(url, bearer, certificates) if url and bearer else None

    def __repr__(self) -> str:
        return "GitHubToken(...)"

    def fetch(self) -> str:
        """Return a fresh token."""
        session = requests.Session()
        retry = Retry(total=3, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        try:
            answer = session.get(
                self.url,
                params={"audience": _AUDIENCE},
                headers={"Authorization": f"bearer {self.bearer}"},
                timeout=10,
                # True would have requests read the process's own environment.
                verify=self.certificates or DEFAULT_CA_BUNDLE_PATH,
            )
            answer.raise_for_status()
            return str(answer.json()["value"])
        except (requests.RequestException, KeyError, ValueError) as error:
            status = getattr(getattr(error, "response", None), "status_code", 0)
            why = f"it answered {status}" if status else type(error).__name__
            remedy = _NEEDS if 400 <= status < 500 else _NETWORK
            raise AwsAccessError(f"GitHub gave no OIDC token: {why} ({urlsplit(self.url).hostname}).", remedy) from None
        except OSError as error:  # the CA bundle, a file that the environment names
            raise AwsAccessError(f"GitHub could not be asked for an OIDC token: {error}.", NAMED_FILE) from None


class RoleCredentials:
    """A role's credentials."""

    def __init__(self, role: str, token: GitHubToken | None, client: Client, progress: Progress) -> None:
        self._role, self._token, self._client, self._progress = role, token, client, progress

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(self._fetch(), self._fetch, "role-to-assume")

    def _fetch(self) -> dict[str, str]:
        with translate(f"assume role {self._role}"):
            given = self._by_token(self._token) if self._token else self._by_credentials()
        for key in ("SecretAccessKey", "SessionToken"):
            self._progress.secret(given[key])
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    def _by_token(self, source: GitHubToken) -> Any:
        token = source.fetch()
        self._progress.secret(token)
        # STS takes the token itself as the proof: there is nothing to sign with yet.
        sts = self._client("sts", config=_CONFIG.merge(Config(signature_version=UNSIGNED)))
        try:
            return sts.assume_role_with_web_identity(
                RoleArn=self._role, RoleSessionName=_SESSION, WebIdentityToken=token
            )["Credentials"]
        except ClientError as error:
            if code_of(error) in ("AccessDenied", "InvalidIdentityToken", "ValidationError"):
                raise _refused(self._role, token, error) from error
            raise

    def _by_credentials(self) -> Any:
        sts = self._client("sts", config=_CONFIG)
        return sts.assume_role(RoleArn=self._role, RoleSessionName=_SESSION)["Credentials"]


def trust_subjects(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return GitHub's subject with names, and (newer repositories) with lasting ids."""
    repository, owner = str(claims.get("repository", "OWNER/REPO")), str(claims.get("repository_owner_id", "ID"))
    names = repository.split("/", 1)
    name = names[1] if len(names) > 1 else "REPO"
    return (
        f"repo:{repository}:*",
        f"repo:{names[0]}@{owner}/{name}@{claims.get('repository_id', 'ID')}:*",
    )


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims, unverified: for words only."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims if isinstance(claims, dict) else {}
    except (IndexError, ValueError):
        return {}


def _refused(role: str, token: str, error: ClientError) -> AwsAccessError:
    claims = claims_of(token)
    subjects = " or ".join(trust_subjects(claims))
    return AwsAccessError(
        f"sts:AssumeRoleWithWebIdentity on {role} is not allowed for this job ({code_of(error)}).",
        f"The role's trust policy must allow sts:AssumeRoleWithWebIdentity for GitHub's provider with aud {_AUDIENCE} "
        f"and sub like {subjects}. Print one: model-dockerize iam-policy",
        (f"the job's sub: {claims.get('sub', 'unknown')}", message_of(error)),
    )
