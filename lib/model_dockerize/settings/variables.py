"""The container's variables, as NAME=VALUE pairs.

No message repeats a value: one in the wrong place may be the secret itself.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

Pairs = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ARN = re.compile(
    r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:|ssm:[a-z0-9-]+:[0-9]{12}:parameter/)[^\s,]+"
)
ARN_MEANT = "the ARN of a Secrets Manager secret or SSM parameter (arn:aws:secretsmanager:... or arn:aws:ssm:...)"
#: Names that mean something already, and what to do instead.
_TAKEN = {
    "MODEL_BUILD_ID": "the image says itself which build it is",
    "MODEL_QUEUE_URL": "use queue-url",
    "MODEL_OPEN_PATHS": "use open-paths",
    "MODEL_ALLOWED_HOSTS": "use allowed-hosts",
    "MODEL_JOB_LIST": "use job-list",
    "MODEL_RETENTION_DAYS": "use retention-days",
    "MODEL_SELF_PROOF": "use self-proof",
    "MODEL_SERVER_PROCESSES": "use server-processes",
}


def read(text: str) -> Pairs:
    """Read NAME=VALUE lines, else raise ValueError."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, value = line.strip().partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"line {number} is not NAME=VALUE, with a name of letters, digits and _")
        found.append((name.strip(), value.strip()))
    names = sorted(name for name, _ in found)
    twice = [name for name, following in pairwise(names) if name == following]
    if twice:
        raise ValueError(f"{', '.join(dict.fromkeys(twice))} stands there twice")
    return tuple(found)


def problems(environment: Pairs, secrets: Pairs) -> Iterable[tuple[str, str]]:
    for name, value in environment:
        if taken := _taken(name):
            yield "environment", taken
        elif _has_password(value):
            yield "environment", f"{name} holds a password. {_keep_it(name)}"
        elif re.search(r"[\x00-\x1f\x7f]", value):
            yield "environment", f"{name} holds control characters"
    for name, value in secrets:
        if taken := _taken(name):
            yield "secrets", taken
        elif not ARN.fullmatch(value):
            yield "secrets", f"{name} is not {ARN_MEANT}. The secret itself must not stand here."
    for name in sorted({n for n, _ in environment} & {n for n, _ in secrets}):
        yield "secrets", f"{name} stands in environment too"


def wrong_queue(url: str) -> str:
    """Say what is wrong with the queue's place, else ""."""
    if ARN.fullmatch(url):
        return ""
    if _has_password(url):
        return f"it holds a password, which everybody would see. {_keep_it('its ARN', 'queue-url')}"
    if not re.fullmatch(r"postgres(ql)?://[^\s/]+/\S+", url):
        return f"it is neither postgresql://host:5432/name nor {ARN_MEANT}"
    return ""


def _taken(name: str) -> str:
    if name in _TAKEN:
        return f"{name} cannot be set here: {_TAKEN[name]}"
    if name.startswith("MODEL_API_KEY"):
        return f"{name} cannot be set here: use api-key"
    return f"{name}: names that begin with AWS_BATCH belong to AWS Batch" if name.startswith("AWS_BATCH") else ""


def _has_password(value: str) -> bool:
    """Look for PostgreSQL's parameter `password`, too."""
    try:
        url = urlsplit(value)
        return bool(url.scheme and url.netloc and (url.password or "password" in parse_qs(url.query)))
    except ValueError:
        return False


def _keep_it(name: str, where: str = "secrets") -> str:
    form = name if where == "queue-url" else f"{name}=ARN"
    return (
        "Put it into AWS Secrets Manager (aws secretsmanager create-secret --name NAME --secret-string file://FILE) "
        f"and write {form} under {where}."
    )
