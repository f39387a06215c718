"""The record of a running sandbox, and its proof."""

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
    """A client's facts. `born`: process start, as in proc_pid_stat(5)."""

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
    """Write a record (mode 0600) atomically."""
    handle, name = tempfile.mkstemp(dir=home, prefix=f".{RECORD_NAME}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record), indent=1) + "\n")
    Path(name).replace(home / RECORD_NAME)


def born() -> int:
    """Return this process's start, in ticks since boot; 0 if unknown."""
    try:
        # The name of the program, in parentheses, may hold anything.
        return int(Path("/proc/self/stat").read_text(encoding="latin-1").rpartition(")")[2].split()[19])
    except (OSError, LookupError, ValueError):
        return 0


def health_proof(secret: str, nonce: str) -> str:
    """Return an answer to a nonce that needs the secret."""
    # By a key of its own: anybody may ask for proofs, and none may be good for a signature.
    key = hmac.digest(secret.encode(), b"sandbox-health", "sha256")
    return hmac.digest(key, nonce.encode(), "sha256").hex()
