"""The record of a running sandbox, the contract with `model_sandbox.record`."""

import hmac
import http.client
import json
import secrets
from dataclasses import dataclass
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

    `instance` labels its containers. `born`: its process's start, as a pid may be recycled. `registry`: `host:port` of
    ECR. Whoever has `secret_key` may do everything here. `iam`: "enforced" or "off".
    """

    endpoint_url: str
    region: str
    account_id: str
    pid: int
    registry: str
    instance: str
    born: int
    secret_key: str
    iam: str = "off"

    def environment(self) -> dict[str, str]:
        """Return variables that point AWS clients here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.account_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def unset(self) -> tuple[str, ...]:
        """Name further variables that must be unset."""
        return UNSET_VARIABLES

    def applied_to(self, environ: dict[str, str]) -> dict[str, str]:
        """Return `environ` with the sandbox as its only AWS."""
        kept = {key: value for key, value in environ.items() if key not in UNSET_VARIABLES}
        # AWS_ENDPOINT_URL_ECS and the like would win over AWS_ENDPOINT_URL.
        kept = {key: value for key, value in kept.items() if not key.startswith("AWS_ENDPOINT_URL_")}
        return {**kept, **self.environment()}


def load(home: Path) -> Sandbox | None:
    """Return the record in `home`; None if unreadable."""
    try:
        return Sandbox(**json.loads((home / RECORD_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def born(pid: int) -> int:
    """Return a process's start in ticks since boot; 0: it has ended, even if nobody has waited for it.

    Source: proc_pid_stat(5). The name of the program, in parentheses, may hold anything.
    """
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
        return 0 if state in "ZX" else int(numbers[18])
    except (OSError, LookupError, ValueError):
        return 0


def health_proof(secret: str, nonce: str) -> str:
    """Return the answer to a nonce that proves the secret."""
    key = hmac.digest(secret.encode(), b"sandbox-health", "sha256")
    return hmac.digest(key, nonce.encode(), "sha256").hex()


def answers(sandbox: Sandbox, timeout: float = 5.0) -> bool:
    """Tell whether the record's process listens now. `timeout`: seconds."""
    nonce = secrets.token_hex(16)
    host, _, port = sandbox.endpoint_url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request("GET", f"/_sandbox/health?nonce={nonce}")
        response = connection.getresponse()
        health = json.loads(response.read())
        proof = health_proof(sandbox.secret_key, nonce)
        return response.status == 200 and hmac.compare_digest(str(health["proof"]).encode(), proof.encode())
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False
    finally:
        connection.close()
