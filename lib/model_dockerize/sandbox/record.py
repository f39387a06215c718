"""What a running sandbox is, where it writes that down, and how to tell a living one from a stale file."""

import http.client
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

RECORD_NAME = "sandbox.json"
LOG_NAME = "sandbox.log"
#: Containers carry this label; its value is `Sandbox.instance`.
CONTAINER_LABEL = "model-dockerize.sandbox"
#: Set in a user's shell, each of these would make an AWS client miss the sandbox or refuse its plain HTTP.
UNSET_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE")


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    `instance` names the home and is the value of the label on all its containers; `token` names this very process
    (a pid may be recycled, a port taken over). `registry` is `host:port` of the ECR registry. `secret_key` is the AWS
    secret access key to sign with. `iam` is "enforced" where signatures and policies count, else "off".
    """

    endpoint_url: str
    region: str
    account_id: str
    pid: int
    registry: str
    instance: str
    token: str
    secret_key: str
    iam: str = "off"

    def environment(self) -> dict[str, str]:
        """The variables that point any AWS SDK or AWS CLI at the sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.account_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def unset(self) -> tuple[str, ...]:
        """The variables that must not be set beside those of `environment()`."""
        return UNSET_VARIABLES

    def applied_to(self, environ: dict[str, str]) -> dict[str, str]:
        """A copy of `environ` in which every AWS client talks to the sandbox and to nothing else."""
        kept = {key: value for key, value in environ.items() if key not in UNSET_VARIABLES}
        # AWS_ENDPOINT_URL_ECS and the like would win over AWS_ENDPOINT_URL.
        kept = {key: value for key, value in kept.items() if not key.startswith("AWS_ENDPOINT_URL_")}
        return {**kept, **self.environment()}


def write_atomically(path: Path, text: str) -> None:
    """Write a private file (mode 0600) so that a reader sees all of it or none of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def save(home: Path, sandbox: Sandbox) -> None:
    """Write the record of `sandbox` into `home`."""
    write_atomically(home / RECORD_NAME, json.dumps(asdict(sandbox), indent=1) + "\n")


def load(home: Path) -> Sandbox | None:
    """The record in `home`, or None where there is none that can be read."""
    try:
        return Sandbox(**json.loads((home / RECORD_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def answers(sandbox: Sandbox, timeout: float = 5.0) -> bool:
    """Whether the process that wrote this record is the one that listens now. `timeout` in seconds."""
    host, _, port = sandbox.endpoint_url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request("GET", "/_sandbox/health")
        response = connection.getresponse()
        health = json.loads(response.read())
        return response.status == 200 and health.get("token") == sandbox.token
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return False
    finally:
        connection.close()
