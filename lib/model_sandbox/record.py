"""The record that a running sandbox leaves in its home, and the proof that it is the one which wrote it."""

import hmac
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

RECORD_NAME = "sandbox.json"
#: Containers and volumes carry this label; its value is `Record.instance`.
CONTAINER_LABEL = "model-dockerize.sandbox"


@dataclass(frozen=True)
class Record:
    """The facts that a client needs. `born`: when the process started, as the kernel counts it (proc_pid_stat(5))."""

    endpoint_url: str
    region: str
    account_id: str
    pid: int
    registry: str
    instance: str
    born: int
    secret_key: str
    iam: str


def save(home: Path, record: Record) -> None:
    """Write a record (mode 0600) so that a reader sees all of it or none of it."""
    handle, name = tempfile.mkstemp(dir=home, prefix=f".{RECORD_NAME}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record), indent=1) + "\n")
    Path(name).replace(home / RECORD_NAME)


def born() -> int:
    """Return when this process started, in ticks since the computer did; 0 where the kernel does not tell."""
    try:
        # The name of the program, in parentheses, may hold anything.
        return int(Path("/proc/self/stat").read_text(encoding="latin-1").rpartition(")")[2].split()[19])
    except (OSError, LookupError, ValueError):
        return 0


def health_proof(secret: str, nonce: str) -> str:
    """Return what only a process that knows the secret can answer to a nonce."""
    # By a key of its own: anybody may ask for proofs, and none may be good for a signature.
    key = hmac.digest(secret.encode(), b"sandbox-health", "sha256")
    return hmac.digest(key, nonce.encode(), "sha256").hex()
